"""Several cameras at once: one model, and a run, files, counts and events for each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from ..analysis.scene import Scene
from ..delivery.hub import EventHub, Tell
from ..delivery.outlets import make_hub
from ..detection.backends.network import thread_count
from ..errors import OptionError
from ..pipeline.interrupts import StopRequest
from ..predictor import Predictor
from ..settings.groups.delivery import DeliveryOptions
from ..sinks.base import Sink
from .camera_run import CameraRun
from .config import Camera, check_names
from .status import CameraOutcome, CamerasResult, CameraStatus
from .turns import Turns

ENOUGH = 4  # cameras that keep all processor threads busy with a frame each
LOOK = 0.2  # seconds between two looks whether somebody has asked to stop

logger = logging.getLogger(__name__)


class CameraGroup:
    """Cameras that are tracked together.

    Args:
        predictor: has the model, which all share.
        cameras: what is tracked.
        options: of `Predictor.mot_predict`, for whatever a camera says nothing of.
        sinks_for: called with the name of each camera; returns further sinks for its frames.

    Raises:
        OptionError: a camera or an option is not accepted, or two cameras have one name.
    """

    def __init__(
        self,
        predictor: Predictor,
        cameras: Sequence[Camera],
        options: Mapping[str, Any] | None = None,
        sinks_for: Callable[[str], Sequence[Sink]] | None = None,
    ) -> None:
        if not cameras:
            raise OptionError("there is no camera to track: give at least one")
        check_names(cameras)
        self.names = [camera.name for camera in cameras]
        self._runs = [
            CameraRun(predictor, camera, options or {}, sinks_for(camera.name) if sinks_for else ())
            for camera in cameras
        ]
        self._threads: list[threading.Thread] = []
        self._hubs: dict[DeliveryOptions, EventHub] = {}
        pushes = [run.delivery.push for run in self._runs if run.delivery.push]
        if len(set(pushes)) < len(pushes):
            raise OptionError("push leads several cameras to one address: give each its own, or none")
        asked = [replace(run.delivery, push=None) for run in self._runs]  # pictures have a way of their own
        for run, options_of in zip(self._runs, asked):
            if options_of not in self._hubs:
                self._hubs[options_of] = make_hub(options_of, several=asked.count(options_of) > 1)
            run.tell_to(self._hubs[options_of])

    def status(self) -> list[CameraStatus]:
        """Return how all cameras are doing, from any thread."""
        return [run.watch.status() for run in self._runs]

    def listen(self, name: str, listener: Tell) -> None:
        """Let a function be told every event of a camera, before it runs; see `EventHub.listen`."""
        self._runs[self.names.index(name)].job.events.listen(listener)

    def change_scene(self, name: str, scene: Scene) -> bool:
        """Let a camera count another scene; see `CameraRun.change_scene`."""
        return self._runs[self.names.index(name)].change_scene(scene)

    def stop(self) -> None:
        """Let all cameras end in order, from any thread."""
        for run in self._runs:
            run.stop()

    def run(self, stop: threading.Event | None = None) -> CamerasResult:
        """Track all cameras to their ends, or until somebody asks to stop.

        A camera that fails is told, and stops no other.

        Args:
            stop: ends all in order once it is set, like Ctrl-C.

        Returns:
            What became of them.

        Raises:
            ModelError: the model cannot be found, downloaded or run.
            OutputError: nobody can be told events.
            KeyboardInterrupt: Ctrl-C, once all are closed; its ``result`` is the result.
            SystemExit: 143 after SIGTERM, 129 after SIGHUP, likewise.
        """
        began = time.monotonic()
        with StopRequest() as asked, ExitStack() as hubs:
            turns = self._load()
            for hub in self._hubs.values():
                hubs.enter_context(hub)
            for run in self._runs:
                thread = threading.Thread(target=self._track, args=[run, turns], name=run.camera.name, daemon=True)
                self._threads.append(thread)
                thread.start()
            try:
                self._wait(lambda: asked.received is not None or (stop is not None and stop.is_set()))
            finally:
                self.stop()
                for thread in self._threads:
                    thread.join()
            hubs.close()
            asked.result = self._result(time.monotonic() - began)
            if asked.received is not None:
                logger.info("stopped on request\n%s", asked.result)
        return asked.result

    def _load(self) -> Turns | None:
        """Load the model, in the form that suits so many cameras."""
        if len(self._runs) == 1:
            self._runs[0].load(None)
            return None
        many = len(self._runs) >= min(ENOUGH, thread_count(self._runs[0].threads))
        return Turns(max(run.load(many) for run in self._runs))

    def _wait(self, is_asked: Callable[[], bool]) -> None:
        for thread in self._threads:
            while thread.is_alive() and not is_asked():
                thread.join(LOOK)

    def _track(self, run: CameraRun, turns: Turns | None) -> None:
        run.track(turns)
        if run.watch.error:
            logger.error("camera %s failed: %s", run.camera.name, run.watch.error)

    def _result(self, seconds: float) -> CamerasResult:
        outcomes = [CameraOutcome(run.camera.name, run.result, run.watch.error) for run in self._runs]
        delivery: dict[str, dict[str, int]] = {}
        for hub in self._hubs.values():
            for name, numbers in hub.totals().items():
                sums = delivery.setdefault(name, dict.fromkeys(numbers, 0))
                delivery[name] = {kind: sums.get(kind, 0) + number for kind, number in numbers.items()}
        return CamerasResult(outcomes, seconds, delivery)


def run_cameras(
    predictor: Predictor,
    cameras: Sequence[Camera],
    *,
    sinks_for: Callable[[str], Sequence[Sink]] | None = None,
    stop: threading.Event | None = None,
    started: Callable[[CameraGroup], None] | None = None,
    **options: Any,
) -> CamerasResult:
    """Track several cameras, or files, at once with one model.

        result = run_cameras(Predictor(), read_cameras("cameras.yml"), output_dir="mot_result")

    Args:
        predictor: has the model, which all share.
        cameras: what is tracked.
        sinks_for: called with the name of each camera; returns further sinks for its frames.
        stop: ends all in order once it is set.
        started: called with the group before it begins, whose `CameraGroup.status` can be asked from any thread.
        options: of `Predictor.mot_predict`, for whatever a camera says nothing of.

    Returns:
        What became of the cameras; one that failed has an ``error``, and stops no other.

    Raises:
        OptionError: a camera or an option is not accepted.
        ModelError: the model cannot be found, downloaded or run.
        KeyboardInterrupt: as `CameraGroup.run`.
        SystemExit: as `CameraGroup.run`.
    """
    group = CameraGroup(predictor, cameras, options, sinks_for)
    if started:
        started(group)
    return group.run(stop)
