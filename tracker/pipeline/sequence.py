"""One sequence on its way from preprocessed frames to the sinks. It knows no format and no network."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..association.base import SequenceTracker
from ..detection.base import Detector
from ..errors import TrackingError
from ..sinks.base import Sink, SinkGroup, close_sinks
from ..structures import Frame, SequenceInfo, Tracks
from .result import TrackingResult
from .timing import StageTimes

logger = logging.getLogger(__name__)


class SequenceRun:
    """Tracks the frames of one sequence and hands them to sinks; a context manager that closes them in any case.

    Sinks are opened with the first frame, so that a source without one leaves older results alone.

    Args:
        info: of the sequence, as far as it is known before the first frame.
        detector: finds the people of an image.
        tracker: gives them identities; new, for this sequence.
        recorders: sinks that get the tracks of a frame in the thread that tracks, before the next frame.
        renderers: sinks that get it in the thread that called, later.
        times: count how long the stages take.

    Attributes:
        info: of the sequence; complete from the first frame on.
    """

    def __init__(
        self,
        info: SequenceInfo,
        detector: Detector,
        tracker: SequenceTracker,
        recorders: Sequence[Sink] = (),
        renderers: Sequence[Sink] = (),
        times: StageTimes | None = None,
    ) -> None:
        self.info = info
        self.detector = detector
        self.times = times or StageTimes()
        self._tracker = tracker
        self._recorders = SinkGroup(recorders, self.times.stage)
        self._renderers = SinkGroup(renderers, self.times.stage)
        self._files: dict[str, Path] = {}
        self._frames = 0
        self._last_frame = 0
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
        """Track the next frame and give it to all sinks, one step after the other.

        Args:
            frame: with a higher index than the one before.

        Raises:
            TrackingError: the detector or a sink failed; what was written before is safe.
        """
        with self.times.stage("letterbox"):
            preprocessed = self.detector.preprocess(frame.image)
        with self.times.stage("network"):
            raw_outputs = self.detector.start(preprocessed)()
        tracks = self.track(frame, raw_outputs, preprocessed)
        self.render(frame, tracks)
        return tracks

    def track(self, frame: Frame, raw_outputs: Any, preprocessed: Any) -> Tracks:
        """Find and follow the people of the next frame, and give it to the recorders.

        Args:
            frame: with a higher index than the one before.
            raw_outputs: of its forward pass.
            preprocessed: the frame as the detector preprocessed it.

        Raises:
            TrackingError: the detector or a recorder failed; what was written before is safe.
        """
        if not self._started:
            self._started = time.perf_counter()
            height, width = frame.image.shape[:2]
            self.info = replace(self.info, size=(width, height))
        with self.times.stage("decode"):
            decoded = self.detector.decode(raw_outputs, preprocessed)
        with self.times.stage("embed"):
            detections = self.detector.embed(decoded, raw_outputs, preprocessed, self._tracker.embedding_threshold)
        tracks = self._tracker.update(frame.time, detections, frame.image)
        self._recorders.write(self.info, frame, tracks)
        self._frames += 1
        self._last_frame = frame.index + 1
        return tracks

    def render(self, frame: Frame, tracks: Tracks) -> None:
        """Give a frame that was tracked to the renderers.

        Raises:
            TrackingError: a renderer failed; what the recorders wrote is safe, and what it wrote before.
        """
        self._renderers.write(self.info, frame, tracks)

    def close(self) -> None:
        """Close the sinks that are open, the recorders first.

        Raises:
            TrackingError: a sink failed; the others are closed.
        """
        try:
            sinks = [*self._recorders.opened(), *self._renderers.opened()]
            self._files.update(close_sinks(sinks, self.times.stage))
        finally:
            self._ended = self._ended or time.perf_counter()

    def result(self, skipped: int = 0, dropped: int = 0) -> TrackingResult:
        """Return what the run made so far; files are part of it once it is closed.

        Args:
            skipped: corrupt frames that were left out.
            dropped: frames that were left out because the run was busy with older ones.
        """
        return TrackingResult(
            name=self.info.name,
            frames=self._frames,
            skipped=skipped,
            dropped=dropped,
            last_frame=self._last_frame,
            seconds=(self._ended or time.perf_counter()) - self._started if self._started else 0.0,
            stage_fps=self.times.rates(self._frames),
            people=self._tracker.num_identities,
            frame_rate=self.info.frame_rate,
            model=self.detector.name,
            model_path=self.detector.folder,
            backend=self.detector.backend,
            files=dict(self._files),
            skip_frames=self.info.skip_frames,
            first_frame=self.info.first_frame,
        )
