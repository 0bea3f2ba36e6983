"""What is made of one sequence: tracks from detections, the text, the annotated video, the refined text."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..association.base import make_camera_motion, make_tracker
from ..detection.detector import Detector, Model
from ..detection.letterbox import LetterboxedImage
from ..errors import OutputError
from ..refinement.refine import AppearanceLog, refine_file
from ..settings.checks import check_flag, check_number, check_whole
from ..settings.tracking import TrackerConfig
from ..sinks.draw import draw_tracks
from ..sinks.mot_text import MotWriter
from ..sinks.video import VideoWriter
from ..sources import Source
from ..structures import Frame, Tracks
from .result import TrackingResult
from .timing import StageTimes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OutputOptions:
    """Where results go.

    Attributes:
        folder: gets ``mot_results/NAME.txt`` and ``mot_outputs/NAME_vis.mp4``.
        visualization: whether to make the video.
        draw_threshold: least score, 0 to 1, of the tracks drawn; the text has all.
        refine: whether to make ``mot_results/NAME_refined.txt`` at the end.
    """

    folder: Path
    visualization: bool = True
    draw_threshold: float = 0.5
    refine: bool = False

    def __post_init__(self) -> None:
        check_flag("visualization", self.visualization)
        check_flag("refine", self.refine)
        check_number("draw_threshold", self.draw_threshold, 0, 1)

    def text_path(self, name: str) -> Path:
        """MOT text of a sequence."""
        return self.folder / "mot_results" / f"{name}.txt"

    def refined_path(self, name: str) -> Path:
        """MOT text of a sequence, refined."""
        return self.folder / "mot_results" / f"{name}_refined.txt"

    def video_path(self, name: str) -> Path:
        """Annotated video of a sequence."""
        return self.folder / "mot_outputs" / f"{name}_vis.mp4"


class SequenceRun:
    """Tracks the frames of one sequence and writes its files; a context manager that closes them whatever happens.

    Files are opened at the first frame, so that a source without one leaves older results alone.

    Args:
        name: of the sequence and its files.
        frame_rate: frames per second of the sequence.
        model: finds the people.
        detector: a detector of that model.
        config: of the association.
        options: where results go.
        skip_frames: every so many-th frame will be tracked.
    """

    def __init__(
        self,
        name: str,
        frame_rate: float,
        model: Model,
        detector: Detector,
        config: TrackerConfig,
        options: OutputOptions,
        skip_frames: int = 1,
    ) -> None:
        self.name = name
        self.frame_rate = frame_rate
        self.skip_frames = check_whole("skip_frames", skip_frames)
        self.times = StageTimes()
        self.detector = detector
        self._model = model
        self._tracker = make_tracker(config, frame_rate)
        self._camera = make_camera_motion(config)
        self._options = options
        self._config = config
        self._looks = AppearanceLog() if options.refine else None
        self._text: MotWriter | None = None
        self._video: VideoWriter | None = None
        self._frames = 0
        self._last_frame = 0
        self._refined = False
        self._started = self._ended = 0.0

    def __enter__(self) -> SequenceRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except OutputError as error:
            if kind is None:
                raise
            logger.warning("%s", error)  # the error under way matters more

    @property
    def backend(self) -> str:
        """What the network runs on, such as ``paddle fp32``."""
        return self._model.backend

    def step(self, frame: Frame) -> Tracks:
        """Track the next frame and write it, one thing after the other.

        Args:
            frame: with a higher index than the one before.

        Raises:
            OutputError: a file cannot be written; the frames before are safe.
        """
        with self.times.stage("letterbox"):
            letterboxed = self.detector.preprocess(frame.image)
        with self.times.stage("network"):
            outputs = self.detector.forward(letterboxed)
        tracks = self.track(frame, outputs, letterboxed)
        self.show(frame, tracks)
        return tracks

    def track(
        self, frame: Frame, outputs: list[np.ndarray], letterboxed: LetterboxedImage, source: Source | None = None
    ) -> Tracks:
        """Find and follow the people of the next frame, and write the text.

        Args:
            frame: with a higher index than the one before.
            outputs, letterboxed: of the frame, as the detector gave them.
            source: of the frame, for its sound.

        Raises:
            OutputError: the text cannot be written, or the video not be begun; the frames before are safe.
        """
        if self._text is None:
            self._open(source)
        with self.times.stage("decode"):
            # no association asks for the looks of a doubtful detection
            detections = self.detector.decode(outputs, letterboxed, self._config.conf_thres)
        camera = None
        if self._camera:
            with self.times.stage("camera"):
                camera = self._camera.estimate(frame.image, detections.boxes)
        with self.times.stage("track"):
            tracks = self._tracker.update(detections, camera, frame.index + 1 - self._last_frame)
        with self.times.stage("text"):
            self._text.write(frame.index + 1, tracks)
        if self._looks:
            self._looks.add(tracks)
        self._frames += 1
        self._last_frame = frame.index + 1
        return tracks

    def show(self, frame: Frame, tracks: Tracks) -> None:
        """Put a frame that was tracked into the video.

        Raises:
            OutputError: it cannot be written; the text is safe, and the video before.
        """
        if self._video:
            with self.times.stage("draw"):
                picture = draw_tracks(
                    frame.image, tracks.ids, tracks.boxes, tracks.scores, self._options.draw_threshold
                )
            with self.times.stage("encode"):
                self._video.write(picture, frame.time, frame.audio)

    def _open(self, source: Source | None) -> None:
        text, video = self._options.text_path(self.name), self._options.video_path(self.name)
        for path in [text, video] if self._options.visualization else [text]:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"cannot make the folder {path.parent}: {error.strerror}; choose another output_dir"
                ) from error
        self._started = time.perf_counter()
        if self._options.visualization:
            kept = (source.audio_stream, source.start_time, source.pixel_aspect) if source else ()
            self._video = VideoWriter(video, self.frame_rate, *kept)
        self._text = MotWriter(text)  # last, for it empties an older file

    def close(self) -> None:
        """Close the files: the text first, the video may take a moment; then refine the tracks."""
        if self._text:
            self._text.close()
        if self._video:
            with self.times.stage("encode"):
                self._video.close()
        if self._looks and self._text and not self._refined:
            with self.times.stage("refine"):
                target = self._options.refined_path(self.name)
                settings = self._config.refine
                refine_file(self._text.path, target, self._looks, self.frame_rate, settings, self.skip_frames)
            self._refined = True
        self._ended = time.perf_counter()

    def result(self, skipped: int = 0, dropped: int = 0) -> TrackingResult:
        """What the run made, once it is closed, with the numbers of corrupt and of dropped frames."""
        return TrackingResult(
            name=self.name,
            frames=self._frames,
            skipped=skipped,
            dropped=dropped,
            last_frame=self._last_frame,
            seconds=(self._ended or time.perf_counter()) - self._started if self._started else 0.0,
            stage_fps=self.times.rates(self._frames),
            people=self._tracker.people,
            frame_rate=self.frame_rate,
            model=self._model.config.name,
            model_path=self._model.folder,
            backend=self._model.backend,
            text_path=self._options.text_path(self.name),
            video_path=self._options.video_path(self.name) if self._video else None,
            skip_frames=self.skip_frames,
            refined_path=self._options.refined_path(self.name) if self._refined else None,
        )
