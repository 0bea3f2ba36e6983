"""One of several cameras: its options are checked at once, and it is tracked in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..analysis.scene import Scene
from ..assembly import Assembly
from ..delivery.hub import EventHub, Tell
from ..errors import OptionError
from ..job import Job
from ..pipeline.result import TrackingResult
from ..pipeline.sequence import SequenceRun
from ..predictor import Predictor
from ..settings.groups.delivery import DeliveryOptions
from ..sinks.base import Sink
from ..sources import Source
from ..sources.live.connection import Waiting
from ..sources.opening import readable_again
from ..structures import SequenceInfo
from .config import Camera
from .events import CameraEvents
from .status import ENDED, FAILED, Watch
from .turns import TurnDetector, Turns


class CameraRun(Predictor):
    """Tracks one camera with the model of another predictor, in its turn.

    Args:
        predictor: has the model.
        camera: what is tracked.
        options: of `Predictor.mot_predict`, for whatever the camera says nothing of.
        sinks: that get its frames.

    Raises:
        OptionError: an option is not accepted; the message names the camera.
    """

    def __init__(
        self, predictor: Predictor, camera: Camera, options: Mapping[str, Any], sinks: Sequence[Sink] = ()
    ) -> None:
        super().__init__(
            predictor.model,
            predictor.threads,
            predictor.backend,
            predictor.precision,
            input_size=predictor.input_size,
            device=predictor.device,
            detector=predictor.detector,
        )
        self.camera = camera
        self.watch = Watch(camera.name)
        self.result: TrackingResult | None = None
        self._predictor = predictor
        self._turns: Turns | None = None
        self._throughput: bool | None = None
        self._stop = threading.Event()
        self._waiting = Waiting()
        self._source: Source | None = None
        self._run: SequenceRun | None = None
        self._follows: tuple[Any, ...] = ()
        try:
            self.mot_predict(camera.source, sinks=sinks, **self._chosen(options))
        except OptionError as error:
            raise OptionError(f"camera {camera.name}: {error}") from error

    def _chosen(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the camera, with what is usual for its source where nobody says otherwise."""
        chosen, source = {**options, **self.camera.options, "progress": False}, self.camera.source
        chosen["from_device"] = isinstance(source, int) or bool(chosen.get("from_device"))
        # whatever can be lost is waited for, from the beginning on
        is_address = isinstance(source, str) and "://" in source and not readable_again(source)
        if chosen.get("reconnect") is None and (is_address or chosen["from_device"]):
            chosen["reconnect"] = True
        return chosen

    @property
    def job(self) -> Job:
        """Its checked options."""
        return self._follows[0]

    @property
    def delivery(self) -> DeliveryOptions:
        """Who is told what happens."""
        return self.job.groups[DeliveryOptions]

    def tell_to(self, shared: EventHub) -> None:
        """Hand on all events to a hub."""
        self._follows = (replace(self.job, events=CameraEvents(shared)), *self._follows[1:])

    def load(self, throughput: bool | None) -> int:
        """Load the model, unless that is done; return how many forward passes are worth having under way at once.

        Args:
            throughput: whether it is to pass many frames rather than each one soon; None for what suits the source.

        Raises:
            ModelError: it cannot be found, downloaded or run.
        """
        self._throughput = throughput
        return self._detector(self.job).max_in_flight

    def track(self, turns: Turns | None) -> None:
        """Track the camera to its end, or until `stop` is called; errors are noted, and raised for nobody.

        Args:
            turns: for the forward passes; None for a single camera.
        """
        self._turns = turns
        watch = self.watch
        try:
            self.result = super()._follow(*self._follows)
            watch.state = ENDED
        except BaseException as error:  # noqa: BLE001 (whatever it is, the other cameras go on)
            if self._stop.is_set() and self._run is None:
                watch.state = ENDED  # it was still waiting for its source
                return
            watch.error, watch.state = str(error) or type(error).__name__, FAILED
            if self._run is not None:
                self.result = self._run.result()

    def stop(self) -> None:
        """Let the run end in order, from any thread."""
        self._stop.set()
        self._waiting.halt()
        if self._source:
            self._source.halt()

    def change_scene(self, scene: Scene) -> bool:
        """Count another scene from the next frame on, from any thread; see `SequenceRun.change_scene`.

        Returns:
            Whether it does: the camera has given a picture, goes on, and its files can be cut.

        Raises:
            OptionError: the scene cannot be answered in pictures of this size.
        """
        run = self._run
        if run is None or not run.frames or self.watch.state in (ENDED, FAILED):
            return False
        return run.change_scene(scene)

    # What a predictor does

    def _follow(self, *checked: Any) -> TrackingResult:  # type: ignore[override]
        self._follows = checked  # until it is tracked
        return None  # type: ignore[return-value]

    def _open(self, reading: Callable[..., Source], tell: Tell | None) -> Source:
        self._source = reading(tell=tell, waiting=self._waiting)
        self._source.name = self.camera.name
        return self._source

    def _detector(self, job: Job) -> Any:
        if self.detector is not None:
            return self.detector
        runtime = job.runtime
        if self._throughput is not None:
            runtime = replace(runtime, throughput=self._throughput)
        return self._predictor.load_model(runtime, job.progress).detector(job.thresholds, remember=True)

    def _sequence_run(self, info: SequenceInfo, job: Job) -> SequenceRun:
        detector = self._detector(job)
        in_turn = TurnDetector(detector, self._turns) if self._turns else detector
        self._run = self.watch.run = Assembly(job, info, in_turn).sequence_run()
        self._run.stop = self._stop
        return self._run
