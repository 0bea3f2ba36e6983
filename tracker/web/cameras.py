"""The cameras of a page: read from a file, run beside each other, each with a sink for the page."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from ..analysis.scene import Scene, load_scene
from ..errors import OptionError, TrackingError
from ..predictor import Predictor
from ..settings.checks import check_text, shown
from ..settings.files import read_mapping
from ..sinks.base import Sink
from ..sources.opening import readable_again
from ..structures import Frame, SequenceInfo, Tracks
from .limits import without_paths
from .live.sink import LiveSink
from .scenes.easels import CameraEasel
from .site import Site

KEYS = ("name", "source", "scene", "options")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Camera:
    """A camera of ``cameras.yml``.

    Attributes:
        name: what the page calls it.
        source: file, address, or number of a camera of this machine.
        scene: what is counted; None for nothing.
        scene_file: file that the scene is from, and that a drawn one is saved to; None where the scene has no file.
        options: of `Predictor.mot_predict`.
    """

    name: str
    source: str | int
    scene: Scene | None = None
    scene_file: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)


def read_cameras(path: Path) -> list[Camera]:
    """Return the cameras that a file lists under ``cameras``.

    Raises:
        OptionError: it cannot be read, or says something that is not understood.
    """
    values = read_mapping(path)
    listed = values.get("cameras")
    if set(values) != {"cameras"} or not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise OptionError(f"{path}: give cameras: a list of name, source, scene and options")
    cameras: list[Camera] = []
    for position, given in enumerate(listed):
        try:
            cameras.append(_camera(given, path.parent))
        except OptionError as error:
            raise OptionError(f"{path}: cameras[{position}]: {error}") from error
    names = [camera.name for camera in cameras]
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"{path}: two cameras are called {shown(name)}")
    return cameras


def _camera(given: Any, folder: Path) -> Camera:
    if not isinstance(given, Mapping) or not {"name", "source"} <= set(given):
        raise OptionError(f"a camera needs a name and a source, not {shown(given)}")
    for key in given:
        if key not in KEYS:
            raise OptionError(f"unknown key {shown(key)}; known are {', '.join(KEYS)}")
    check_text("name", given["name"])
    source, options, scene = given["source"], given.get("options") or {}, given.get("scene")
    if isinstance(source, bool) or not isinstance(source, (str, int)):
        raise OptionError(f"source must be a file, an address or the number of a camera, not {shown(source)}")
    if not isinstance(options, Mapping):
        raise OptionError(f"options must be a mapping, not {shown(options)}")
    if isinstance(source, str) and readable_again(folder / source):
        source = str(folder / source)
    file = folder / scene if isinstance(scene, str) else None
    loaded = load_scene(file if file else scene) if scene is not None else None
    return Camera(given["name"], source, loaded, file, dict(options))


class _Stopped(TrackingError):
    """The server ends."""


class _Stop:
    """A sink that ends a run once an event is set."""

    name = "stop"

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def open(self, info: SequenceInfo) -> None:
        """Do nothing."""

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """End the run if it is time.

        Raises:
            TrackingError: it is.
        """
        if self._stop.is_set():
            raise _Stopped("the server ends")

    def close(self) -> dict[str, Path]:
        """Return no file."""
        return {}


def _file_name(name: str) -> str:
    """Return a name as a file can have it, different for different names."""
    plain = "".join(c if c.isalnum() else "_" for c in name)[:60]
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


class CameraRuns:
    """Tracks cameras while its ``with`` block runs, each in a thread of its own, and shows them on a page.

    Args:
        predictor: has the model, which all share.
        cameras: what to track.
        site: gets a `LiveSink` for each.
        options: of all cameras, such as the folder of the results; a camera's own go before.
    """

    def __init__(self, predictor: Predictor, cameras: Sequence[Camera], site: Site, options: Mapping[str, Any]) -> None:
        self._predictor, self._cameras, self._options = predictor, cameras, options
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sinks = {}
        self._scenes: dict[str, Scene | None] = {}
        for camera in cameras:
            file = camera.scene_file or Path(options["output_dir"]) / "scenes" / f"{_file_name(camera.name)}.yml"
            drawn = camera.scene is None and file.exists()  # on the page of an earlier server
            self._scenes[camera.name] = scene = load_scene(file) if drawn else camera.scene
            live = isinstance(camera.source, int) or readable_again(camera.source) is None
            sink = LiveSink(camera.name, scene, site.events, live, camera.name)
            sink.private = bool(camera.options.get("private"))
            self._sinks[camera.name] = site.live[camera.name] = sink
            if not sink.private:
                site.easels[f"camera:{camera.name}"] = CameraEasel(sink, file)

    def __enter__(self) -> CameraRuns:
        for camera in self._cameras:
            thread = threading.Thread(target=self._run, args=[camera], name=f"camera {camera.name}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)  # a camera that gives no frame cannot be told to end

    def _run(self, camera: Camera) -> None:
        sink = self._sinks[camera.name]
        sinks: list[Sink] = [] if sink.private else [sink, _Stop(self._stop)]
        options: dict[str, Any] = {
            "visualization": False,
            "progress": False,
            "from_device": isinstance(camera.source, int),
        }
        options |= {**self._options, "scene": self._scenes[camera.name], **camera.options}
        try:
            self._predictor.mot_predict(str(camera.source), sinks=sinks, **options)
            sink.close()
        except _Stopped:
            logger.info("camera %s: ended with the server", camera.name)
        except (TrackingError, TypeError) as error:  # TypeError: an option of no such name
            logger.error("camera %s: %s", camera.name, error)
            sink.failed(without_paths(error))
