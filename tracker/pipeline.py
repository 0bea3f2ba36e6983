"""The loop: source, detector, tracker, sinks; and the one place where errors and interrupts end it in order."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .associations import make_camera_motion, make_tracker
from .config import check_flag, check_number
from .draw import draw_tracks
from .errors import OptionError, OutputError
from .frame import Frame
from .images import to_bgr8
from .interrupts import StopRequest
from .model import Detector, Model
from .refine import AppearanceLog, refine_file
from .results import FrameTracks, MotWriter, TrackingResult, Tracks
from .sources import Source
from .timing import StageTimes
from .tracker_config import TrackerConfig
from .video import VideoWriter

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
    """

    def __init__(
        self,
        name: str,
        frame_rate: float,
        model: Model,
        detector: Detector,
        config: TrackerConfig,
        options: OutputOptions,
    ) -> None:
        self.name = name
        self.frame_rate = frame_rate
        self.times = StageTimes()
        self._model = model
        self._detector = detector
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

    def step(self, frame: Frame, source: Source | None = None) -> Tracks:
        """Track the next frame and write it.

        Args:
            frame: with a higher index than the one before.
            source: of the frame, for its sound.

        Raises:
            OutputError: a file cannot be written; the frames before are safe.
        """
        if self._text is None:
            self._open(source)
        detections = self._detector(frame.image, self.times)
        camera = None
        if self._camera:
            with self.times.stage("camera"):
                camera = self._camera.estimate(frame.image, detections.boxes)
        with self.times.stage("track"):
            tracks = self._tracker.update(detections, camera)
        with self.times.stage("text"):
            self._text.write(frame.index + 1, tracks)
        if self._looks:
            self._looks.add(tracks)
        self._frames += 1
        self._last_frame = frame.index + 1
        if self._video:
            with self.times.stage("draw"):
                picture = draw_tracks(
                    frame.image, tracks.ids, tracks.boxes, tracks.scores, self._options.draw_threshold
                )
            with self.times.stage("encode"):
                self._video.write(picture, frame.time, frame.audio)
        return tracks

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
                refine_file(self._text.path, target, self._looks, self.frame_rate, self._config.refine)
            self._refined = True
        self._ended = time.perf_counter()

    def result(self, skipped: int = 0) -> TrackingResult:
        """What the run made, once it is closed."""
        return TrackingResult(
            name=self.name,
            frames=self._frames,
            skipped=skipped,
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
            refined_path=self._options.refined_path(self.name) if self._refined else None,
        )


def track_source(source: Source, run: SequenceRun, progress: bool | None = None) -> TrackingResult:
    """Track a source to its end, or to Ctrl-C or SIGTERM.

    Args:
        source: is closed afterwards.
        run: not begun yet; is closed afterwards.
        progress: show a bar on stderr; None for when that is a terminal.

    Raises:
        TrackingError: as the source, the model or the outputs do. The files hold all frames before it.
        KeyboardInterrupt: Ctrl-C; the files are complete to the last finished frame.
        SystemExit: 143 after SIGTERM, likewise.
    """
    # StopRequest is the outermost: it speaks up when everything below it is closed
    with StopRequest() as stop, _bar(source, run.backend, progress) as bar, source:
        with run:
            for frame in _timed(source, run.times):
                run.step(frame, source)
                bar.update()
                if stop.received:
                    break
        if source.skipped:
            logger.warning("%d corrupt frames of %s were skipped", source.skipped, source.name)
        result = run.result(source.skipped)
        if stop.received:
            logger.info("stopped on request\n%s", result)  # the way a camera's run ends: nobody gets it returned
        return result


def _bar(source: Source, backend: str, progress: bool | None) -> tqdm:
    if progress is None:
        progress = sys.stderr.isatty()
    title = f"{source.name} ({backend})"
    return tqdm(total=source.frame_count, desc=title, unit=" frames", disable=not progress, dynamic_ncols=True)


def _timed(source: Source, times: StageTimes) -> Iterator[Frame]:
    frames = iter(source)
    while True:
        with times.stage("read"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


class StreamTracker:
    """Tracks images handed over one by one or in lists, as frames of one sequence.

    Args:
        run: not begun yet.
    """

    def __init__(self, run: SequenceRun) -> None:
        self._run = run
        self._count = 0
        self._open = True

    def predict(self, images: Iterable[np.ndarray] | np.ndarray) -> list[FrameTracks]:
        """Track the next images.

        Args:
            images: BGR arrays [H, W, 3] in order of time, or one such array; grey and alpha, uint8 and uint16 do too.

        Returns:
            The people in sight, one entry an image.

        Raises:
            OptionError: an image is no such array; those before it are tracked.
            RuntimeError: the stream is closed.
        """
        if not self._open:
            raise RuntimeError("this stream is closed: call stream_mode(...) again")
        if isinstance(images, np.ndarray) and images.ndim < 4:
            images = [images]
        if not isinstance(images, Iterable) or isinstance(images, (str, bytes)):
            raise OptionError(f"images must be a list of arrays, not {type(images).__name__}")
        return [self._track(to_bgr8(image)) for image in images]

    def _track(self, image: np.ndarray) -> FrameTracks:
        seconds = self._count / self._run.frame_rate
        tracks = self._run.step(Frame(self._count, seconds, image))
        self._count += 1
        return FrameTracks(self._count, tracks.ids, tracks.boxes, tracks.scores)

    def result(self) -> TrackingResult:
        """What was made; its files are complete once the stream is closed."""
        return self._run.result()

    def close(self) -> None:
        """Finish the files, as leaving the ``with`` block does; twice does no harm."""
        self._open = False
        self._run.close()

    def __enter__(self) -> StreamTracker:
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._run.__exit__(*error)
