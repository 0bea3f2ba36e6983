"""The run of one sequence, from frames to sinks, independent of file formats and networks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..analysis.analysis import SceneAnalysis
from ..analysis.recording import Recording
from ..analysis.regions import Regions
from ..analysis.scene import Scene
from ..association.base import SequenceTracker
from ..delivery.hub import EventHub
from ..detection.base import Detector
from ..detection.square_pixels import shrink_back, stretch
from ..errors import TrackingError
from ..privacy.cover import Cover
from ..sinks.base import Sink, SinkGroup, close_sinks
from ..sinks.claim import RunFiles
from ..sinks.segments.segments import Segments
from ..structures import Detections, Frame, SequenceInfo, Tracks
from .live.keeping_up import KeepingUp
from .live.sizes import resized, scaled_detections, scaled_tracks, size_of
from .result import TrackingResult
from .timing import StageTimes

logger = logging.getLogger(__name__)


class SequenceRun:
    """Tracks the frames of one sequence and hands them to sinks; a context manager that always closes the sinks.

    Sinks are opened with the first frame, so that a source without one leaves older results alone.

    Args:
        info: name, frame rate and skip_frames of the sequence; the rest is filled in at the first frame.
        detector: detects the people in an image.
        tracker: gives them identities; a new one for each sequence.
        recorders: sinks that get each frame in the tracking thread, before the next frame is tracked.
        renderers: sinks that get each frame later, in the thread of the caller.
        times: counts how long the stages take.
        claim: names the sequence so that no other run writes the same files; None for a run without files.
        scene: whoever's foot is where it says is left out before tracking; None for nobody.
        cover: hides people in the frames before any sink gets them; None for nobody.
        least_people: smaller numbers of people are told as 0.
        events: told what happens; open, and closed with the run. None for nobody who listens.
        keeping_up: how the run keeps up with its source; None for one whose frames wait.
        on_scene: lets the sinks of the run go on with another scene, in the tracking thread; None where they cannot.
        own_size: whether sinks get the frames of a live source in the size that they come in, also when that changes.
            If not they get all in the size of the first. Tracks and scene keep their fractions of the picture anyway.

    Attributes:
        info: what is known of the sequence; complete from the first frame on.
        keeping_up: likewise.
        stop: ends the run once it is set, as Ctrl-C does; None where nobody sets it.
    """

    def __init__(
        self,
        info: SequenceInfo,
        detector: Detector,
        tracker: SequenceTracker,
        recorders: Sequence[Sink] = (),
        renderers: Sequence[Sink] = (),
        times: StageTimes | None = None,
        claim: RunFiles | Segments | None = None,
        scene: Scene | None = None,
        cover: Cover | None = None,
        least_people: int = 0,
        events: EventHub | None = None,
        keeping_up: KeepingUp | None = None,
        on_scene: Callable[[Scene], None] | None = None,
        own_size: bool = False,
    ) -> None:
        self.info = info
        self.detector = detector
        self.times = times or StageTimes()
        self._tracker = tracker
        self._claim = claim
        self.stop: threading.Event | None = None
        self._scene = scene
        self._regions: tuple[tuple[int, int], Regions] | None = None
        self._cover = cover
        self._least_people = least_people
        self._events = events or EventHub()
        self.keeping_up = keeping_up or KeepingUp()
        self._own_size = own_size
        self._on_scene = on_scene
        self._coming = scene  # of the next frame; never taken back, so that none is lost between two threads
        self._recorders = SinkGroup(recorders, self.times.stage)
        self._renderers = SinkGroup(renderers, self.times.stage)
        self._files: dict[str, Path] = {}
        self._frames = 0
        self._last_frame = 0
        self._last_time = 0.0
        self._started = self._ended = 0.0

    def __enter__(self) -> SequenceRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except TrackingError as error:
            if kind is None:
                raise
            logger.warning("%s", error)  # the error under way matters more

    def process(self, frame: Frame) -> Tracks:
        """Track the next frame and give it to all sinks, without overlap of the stages.

        Args:
            frame: with a higher index than the one before.

        Raises:
            TrackingError: the detector or a sink failed; what was written before is safe.
        """
        with self.times.stage("letterbox"):
            preprocessed = self.preprocess(frame)
        with self.times.stage("network"):
            raw_outputs = self.detector.start(preprocessed)()
        tracks, ready = self.track(frame, raw_outputs, preprocessed)
        for settled in ready:
            self.render(*settled)
        return tracks

    def preprocess(self, frame: Frame) -> Any:
        """Return a frame as the detector preprocesses it, with square pixels."""
        return self.detector.preprocess(stretch(frame.image, frame.pixel_aspect))

    def track(self, frame: Frame, raw_outputs: Any, preprocessed: Any) -> tuple[Tracks, list[tuple[Frame, Tracks]]]:
        """Detect and track the people in the next frame, and give the frames that are ready to the recorders.

        Args:
            frame: with a higher index than the one before.
            raw_outputs: what its forward pass returned.
            preprocessed: what `preprocess` returned for it.

        Returns:
            The tracks in sight; and the frames that are ready for the renderers, with their tracks. That is this frame,
            unless people are hidden by what later frames tell.

        Raises:
            TrackingError: the detector or a recorder failed; what was written before is safe.
        """
        if not self._started:
            self._started = time.perf_counter()
        if self._coming is not self._scene:
            self._begin_scene()
        with self.times.stage("decode"):
            decoded = self.detector.decode(raw_outputs, preprocessed)
        with self.times.stage("embed"):
            detections = self.detector.embed(decoded, raw_outputs, preprocessed, self._tracker.embedding_threshold)
        detections = shrink_back(detections, frame.image.shape, frame.pixel_aspect)
        if not self._frames:
            self._first_size = size_of(frame)
        came = size_of(frame)
        size = self._first_size if self.keeping_up.source else came
        fitted = resized(frame, size)
        detections = everybody = scaled_detections(detections, came, size)
        if self._scene:
            left, _, right, bottom = detections.boxes.T
            kept = self._regions_of(size, self._scene).keep((left + right) / 2, bottom)
            detections = Detections(detections.boxes[kept], detections.scores[kept], detections.embeddings[kept])
        tracks = self._tracker.update(frame.time, detections, fitted.image)
        self.keeping_up.tracked(frame, len(tracks))
        if self._own_size:
            tracks, everybody = scaled_tracks(tracks, size, came), scaled_detections(everybody, size, came)
        else:
            frame = fitted
        if not self._frames:
            self._complete_info(frame)
        self._frames += 1
        self._last_frame, self._last_time = frame.index + 1, frame.time
        if self._cover is None:
            return tracks, self._record([(frame, tracks)])
        with self.times.stage("hide"):
            ready = self._cover.add(frame, tracks, everybody)
        return tracks, self._record(ready)

    def change_scene(self, scene: Scene) -> bool:
        """Let the run go on with another scene from the next frame on, from any thread.

        The tracks go on. Its counts begin then, in a new segment of the files, whose record has the scene.

        Returns:
            Whether it does; the files of a run in one piece cannot.

        Raises:
            OptionError: the plane of the scene tells no floor in pictures of this size.
        """
        if self._on_scene is None:
            return False
        SceneAnalysis(scene, Recording(self.info.name, self.info.size, self.info.frame_rate))  # else it is refused here
        self._coming = scene
        return True

    def _begin_scene(self) -> None:
        self._scene, self._regions = self._coming, None
        assert self._on_scene and self._scene
        self._on_scene(self._scene)
        if self._frames:
            self._begin_events()

    def _regions_of(self, size: tuple[int, int], scene: Scene) -> Regions:
        """Return the regions of a scene in pictures of a size, which may change."""
        if self._regions is None or self._regions[0] != size:
            self._regions = size, Regions(scene, size)
        return self._regions[1]

    def rest(self) -> list[tuple[Frame, Tracks]]:
        """Give the frames that still wait to the recorders, and return them, once no frame follows.

        Raises:
            TrackingError: a recorder failed; what was written before is safe.
        """
        return self._record(self._cover.rest()) if self._cover else []

    def _record(self, ready: list[tuple[Frame, Tracks]]) -> list[tuple[Frame, Tracks]]:
        for frame, tracks in ready:
            self._recorders.write(self.info, frame, tracks)
        return ready

    def _complete_info(self, first: Frame) -> None:
        height, width = first.image.shape[:2]
        name = self._claim.claim(self.info.name, (width, height)) if self._claim else self.info.name
        self.info = replace(self.info, size=(width, height), name=name)
        self._begin_events()

    def _begin_events(self) -> None:
        lines = (
            {line: (drawn.in_name, drawn.out_name) for line, drawn in self._scene.lines.items()} if self._scene else {}
        )
        self._events.begin(self.info.name, lines, list(self._scene.zones) if self._scene else [])

    @property
    def frames(self) -> int:
        """Frames tracked so far."""
        return self._frames

    def told_people(self, number: int) -> int:
        """Return a number of people as it may be told."""
        return number if number >= self._least_people else 0

    @property
    def is_stopped(self) -> bool:
        """Whether the run is asked to end."""
        return self.stop is not None and self.stop.is_set()

    def render(self, frame: Frame, tracks: Tracks) -> None:
        """Give a tracked frame to the renderers.

        Args:
            frame: a frame that is ready.
            tracks: what `track` or `rest` returned with it.

        Raises:
            TrackingError: a renderer failed; what was written before is safe.
        """
        self._renderers.write(self.info, frame, tracks)

    def close(self) -> None:
        """Close the sinks that are open, the recorders first; after an error those get the frames that still wait.

        Raises:
            TrackingError: a sink failed; the others are closed.
        """
        try:
            self.rest()
        finally:
            self._close_sinks()

    def _close_sinks(self) -> None:
        try:
            sinks = [*self._recorders.opened(), *self._renderers.opened()]
            close_sinks(sinks, self.times.stage, self._files)
        finally:
            if self._claim:
                self._claim.release()
            self._ended = self._ended or time.perf_counter()
            self._events.close()

    def result(self, skipped: int = 0, dropped: int = 0) -> TrackingResult:
        """Return what the run made so far, with the files that can be read already; with all once it is closed.

        Args:
            skipped: corrupt frames that were left out.
            dropped: frames that were left out because the run was busy with older ones.
        """
        people = self._tracker.num_identities
        return TrackingResult(
            name=self.info.name,
            frames=self._frames,
            skipped=skipped,
            dropped=dropped,
            last_frame=self._last_frame,
            seconds=(self._ended or time.perf_counter()) - self._started if self._started else 0.0,
            stage_fps=self.times.rates(self._frames),
            people=self.told_people(people),
            frame_rate=self.info.frame_rate,
            model=self.detector.name,
            model_path=self.detector.folder,
            backend=self.detector.backend,
            files={**self._recorders.readable_files(), **self._renderers.readable_files(), **self._files},
            skip_frames=self.info.skip_frames,
            first_frame=self.info.first_frame,
            segments=self._claim.finished if isinstance(self._claim, Segments) else (),
            segment_count=self._claim.count if isinstance(self._claim, Segments) else 1,
            delivery=self._events.totals(),
            source_seconds=self._last_time + 1 / self.info.frame_rate if self._frames else 0.0,
            **{name: value for name, value in self.keeping_up.figures().items() if name != "dropped"},
        )
