"""The cameras of a page: tracked together in a thread, each with a sink for the page."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from ..analysis.scene import Scene, load_scene
from ..cameras.config import Camera
from ..cameras.run import CameraGroup
from ..cameras.status import CameraStatus
from ..errors import TrackingError
from ..predictor import Predictor
from ..sinks.base import Sink
from ..sources.opening import readable_again
from .limits import without_paths
from .live.sink import LiveSink
from .scenes.easels import CameraEasel
from .site import Site

logger = logging.getLogger(__name__)


class CameraRuns:
    """Tracks cameras while its ``with`` block runs, and shows them on a page.

    A camera without a scene counts what was drawn for it on the page of an earlier server.

    Args:
        predictor: has the model, which all share.
        cameras: what to track; may be none.
        site: gets a `LiveSink` for each, and an easel, unless the camera is private.
        options: of `Predictor.mot_predict`, for whatever a camera says nothing of; ``output_dir`` is the folder of the
            results, where scenes are kept too that have no file of their own.

    Raises:
        OptionError: a camera or an option is not accepted.
    """

    def __init__(self, predictor: Predictor, cameras: Sequence[Camera], site: Site, options: Mapping[str, Any]) -> None:
        self._site, self._stop = site, threading.Event()
        folder = Path(options["output_dir"]) / "scenes"
        tracked = [self._show(camera, folder / f"{camera.name}.yml") for camera in cameras]
        # without a video: a camera never ends
        usual = {"visualization": False, **options}
        self._group = CameraGroup(predictor, tracked, usual, self._sinks) if tracked else None
        for camera in tracked:
            sink = site.live[camera.name]
            if sink.private and self._group:  # no sink of its run, but the page tells when it is lost
                self._group.listen(camera.name, sink.on_event)
        self._thread = threading.Thread(target=self._run, name="cameras", daemon=True)

    def _show(self, camera: Camera, file: Path) -> Camera:
        """Give a camera its places on the page, and return it with the scene that it counts."""
        scene = camera.options.get("scene")
        if scene is None and file.exists():
            scene = file
        live = isinstance(camera.source, int) or readable_again(camera.source) is None
        sink = LiveSink(camera.name, load_scene(scene), self._site.events, live, camera.name)
        sink.private = bool(camera.options.get("private"))
        sink.watch = partial(self._status, camera.name)
        self._site.live[camera.name] = sink
        if not sink.private:
            self._site.easels[f"camera:{camera.name}"] = CameraEasel(
                sink, camera.scene_file or file, partial(self._change_scene, camera.name)
            )
        return replace(camera, options={**camera.options, "scene": scene})

    def _sinks(self, name: str) -> list[Sink]:
        sink = self._site.live[name]
        return [] if sink.private else [sink]

    def _change_scene(self, name: str, scene: Scene) -> bool:
        return self._group is not None and self._group.change_scene(name, scene)

    def _status(self, name: str) -> CameraStatus | None:
        return next((one for one in self._group.status() if one.name == name), None) if self._group else None

    def __enter__(self) -> CameraRuns:
        if self._group:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        self.wait()

    def wait(self) -> None:
        """Wait until all cameras have ended."""
        if self._group:
            self._thread.join()

    def _run(self) -> None:
        assert self._group
        try:
            self._group.run(self._stop)
        except TrackingError as error:  # of the model: the page goes on, and says so
            logger.error("the cameras are not tracked: %s", error)
            for sink in self._site.live.values():
                sink.failed(without_paths(error))
        self._stop.set()
