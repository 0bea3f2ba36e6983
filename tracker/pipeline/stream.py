"""Frames that are handed over one by one, as those of one sequence."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from ..errors import OptionError
from ..settings.checks import check_number
from ..sources.images import to_bgr8
from ..structures import Frame, FrameTracks
from .result import TrackingResult
from .sequence import SequenceRun


class StreamTracker:
    """Tracks images handed over one by one or in lists, as frames of one sequence.

    Args:
        run: not begun yet.
    """

    def __init__(self, run: SequenceRun) -> None:
        self._run = run
        self._count = 0
        self._time = 0.0
        self._open = True

    def predict(
        self, images: Iterable[np.ndarray] | np.ndarray, times: Iterable[float] | None = None
    ) -> list[FrameTracks]:
        """Track the next images.

        Args:
            images: BGR arrays [H, W, 3] in order of time, or one such array; grey and alpha, uint8 and uint16 do too.
            times: of each image, seconds from any beginning, so that images that are missing leave a gap; None for one
                frame after the other, by the stream's frame rate.

        Returns:
            The people in sight, one entry an image.

        Raises:
            OptionError: an image is no such array, or a time not later than the one before; the images before it are
                tracked.
            RuntimeError: the stream is closed.
        """
        if not self._open:
            raise RuntimeError("this stream is closed: call stream_mode(...) again")
        if isinstance(images, np.ndarray) and images.ndim < 4:
            images = [images]
        if not isinstance(images, Iterable) or isinstance(images, (str, bytes)):
            raise OptionError(f"images must be a list of arrays, not {type(images).__name__}")
        stamps: Iterable[float | None] = itertools.repeat(None) if times is None else times
        return [self._track(to_bgr8(image), time) for image, time in zip(images, stamps)]

    def _track(self, image: np.ndarray, time: float | None) -> FrameTracks:
        if time is None:
            time = self._time + 1 / self._run.info.frame_rate if self._count else 0.0
        else:
            time = check_number("the time of an image", time, 0)
            if self._count and time <= self._time:
                raise OptionError(f"images must come in order of time: {time:g} s follows {self._time:g} s")
        tracks = self._run.process(Frame(self._count, time, image))
        self._time = time
        self._count += 1
        return FrameTracks(self._count, tracks.ids, tracks.boxes, tracks.scores)

    def result(self) -> TrackingResult:
        """Return what was made so far: the text, which can be read already, and once the stream is closed all files."""
        return self._run.result()

    def close(self) -> None:
        """Finish the files, as leaving the ``with`` block does; again does nothing."""
        self._open = False
        self._run.close()

    def __enter__(self) -> StreamTracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._open = False
        self._run.__exit__(kind)
