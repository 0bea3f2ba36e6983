"""A measurement of tracking: a file as fast as may be, or the same pictures as a camera would bring them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..predictor import Predictor
from ..sources.base import Source
from ..sources.opening import open_source
from ..structures import Frame, SequenceInfo, Tracks
from .clip import RATE

_WARM_UP = 0.5  # seconds: the first pictures of a camera wait for files to be opened


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        rate: frames tracked per second.
        kept: share, 0 to 1, of the frames of a camera that were tracked, of those that were to be; 1 for a file.
        people: most people tracked in one frame.
        video_bytes: bytes of annotated video for each second of it.
    """

    rate: float
    kept: float
    people: int
    video_bytes: float


class RepeatedClip(Source):
    """A video again and again, for some seconds from its first frame on.

    Args:
        clip: the video, which ends as it begins.
        seconds: how long.
        live: whether its frames come at their time, and are lost where nobody is ready for them, as a camera's.
    """

    def __init__(self, clip: Path, seconds: float, live: bool) -> None:
        super().__init__("the measurement", "doctor", RATE, live=live)
        self._clip, self._seconds = clip, seconds

    def _read(self) -> Iterator[Frame]:
        index, begin = 0, 0.0
        while True:
            with open_source(self._clip) as source:
                for frame in source:
                    begin = begin or time.monotonic()
                    if self.live:
                        time.sleep(max(0.0, begin + index / RATE - time.monotonic()))
                    now = time.monotonic()
                    if now > begin + self._seconds or self._halted:
                        return
                    yield replace(frame, index=index, time=index / RATE, arrived=now if self.live else None)
                    index += 1


class _Watch:
    """A sink that notes when which frame was done."""

    name = "watch"

    def __init__(self) -> None:
        self.done: list[tuple[float, int]] = []
        self.people = 0

    def open(self, info: SequenceInfo) -> None:
        pass

    def write(self, frame: Frame, tracks: Tracks) -> None:
        self.done.append((time.perf_counter(), frame.index))
        self.people = max(self.people, len(tracks.ids))

    def close(self) -> dict[str, Path]:
        return {}


@contextmanager
def _silence() -> Iterator[None]:
    """Keep from the user what a run warns of, such as frames that came too fast: here it is what is measured."""
    logger = logging.getLogger(__package__.rpartition(".")[0])
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def measure(predictor: Predictor, clip: Path, seconds: float, live: bool = False, skip_frames: int = 1) -> Speed:
    """Track a video as a plain run does, annotated video included.

    Args:
        predictor: tracks.
        clip: the video, see `RepeatedClip`.
        seconds: about how long; loading the model comes before.
        live: whether the frames come as from a camera.
        skip_frames: every N-th frame is tracked.

    Raises:
        TrackingError: as ``mot_predict``.
        KeyboardInterrupt: Ctrl-C; SystemExit for SIGTERM and SIGHUP. They have no result: its files are removed.
    """
    watch, source = _Watch(), RepeatedClip(clip, seconds, live)
    with TemporaryDirectory(prefix="doctor-") as folder, _silence():
        try:
            result = predictor.mot_predict(source, folder, sinks=[watch], skip_frames=skip_frames, progress=False)
        except (KeyboardInterrupt, SystemExit) as stop:
            raise type(stop)(*stop.args) from None
        size = result.video_path.stat().st_size if result.video_path else 0
    done = watch.done
    (begun, _), (ended, last) = done[0], done[-1]
    rate = (len(done) - 1) / (ended - begun) if len(done) > 1 else 1 / result.seconds
    warm = [index for _, index in done if index >= _WARM_UP * RATE] if live else []
    kept = (len(warm) - 1) * skip_frames / (last - warm[0]) if len(warm) > 1 else rate * skip_frames / RATE
    return Speed(rate, min(kept, 1.0) if live else 1.0, watch.people, size * RATE / (len(done) * skip_frames))
