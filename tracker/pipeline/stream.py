"""Frames that are handed over one by one, as those of one sequence."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import OptionError
from ..settings.checks import LARGEST, check_number, shown
from ..sources.images import to_bgr8
from ..structures import Frame, FrameTracks
from .interrupts import StopRequest, ending_in_order
from .result import TrackingResult
from .sequence import SequenceRun

_MISSING: Any = object()


class StreamTracker:
    """Tracks images handed over one by one or in lists, as frames of one sequence.

    As a context manager it closes the files at the end of the block, also when that is left by Ctrl-C, SIGTERM or
    SIGHUP. These wait until the current frame is finished.

    Args:
        run: the run of this sequence, which has had no frame yet.
    """

    def __init__(self, run: SequenceRun) -> None:
        self._run = run
        self._count = 0
        self._time = self._start = 0.0
        self._open = True
        self._signals = ending_in_order()

    def predict(
        self, images: Iterable[np.ndarray] | np.ndarray, times: Iterable[float] | float | None = None
    ) -> list[FrameTracks]:
        """Track the next images.

        Args:
            images: BGR arrays [H, W, 3] in order of time, or one such array; grey, with alpha, uint8 or uint16.
            times: of each image, seconds from any beginning (such as `time.time` returns), so that images that are
                missing leave a gap; one number for one array. None for one frame after the other, by the stream's frame
                rate.

        Returns:
            The people in sight, one entry an image.

        Raises:
            OptionError: an image is not such an array, or a time is missing or not later than the one before. The
                images before it are tracked.
            RuntimeError: the stream is closed.
        """
        if not self._open:
            raise RuntimeError("this stream is closed: call stream_mode(...) again")
        if isinstance(images, np.ndarray) and images.ndim < 4:
            images, times = [images], times if times is None or isinstance(times, Iterable) else [times]
        if not isinstance(images, Iterable) or isinstance(images, (str, bytes)):
            raise OptionError(f"images must be a list of arrays, not {type(images).__name__}")
        if times is None:
            return [self._track(to_bgr8(image), None) for image in images]
        if not isinstance(times, Iterable):
            raise OptionError(f"times must be a list of seconds, one for each image, not {shown(times)}")
        tracked: list[FrameTracks] = []
        for image, time in itertools.zip_longest(images, times, fillvalue=_MISSING):
            if image is _MISSING or time is _MISSING:
                missing = "images" if image is _MISSING else "times"
                raise OptionError(f"each image needs one time, but after {len(tracked)} there are no more {missing}")
            tracked.append(self._track(to_bgr8(image), time))
        return tracked

    def _track(self, image: np.ndarray, time: float | None) -> FrameTracks:
        if time is None:
            time = self._time + 1 / self._run.info.frame_rate if self._count else 0.0
        else:
            time = check_number("the time of an image", time, -LARGEST)
            if self._count and time <= self._time:
                raise OptionError(f"images must come in order of time: {time} s follows {self._time} s")
        if not self._count:
            self._start = time
        with StopRequest():
            tracks = self._run.process(Frame(self._count, time - self._start, image))
            self._time = time
            self._count += 1
        return FrameTracks(self._count, tracks.ids, tracks.boxes, tracks.scores)

    def result(self) -> TrackingResult:
        """Return the result so far, with the MOT text, or once the stream is closed with all files."""
        return self._run.result()

    def close(self) -> None:
        """Finish the files, as leaving the ``with`` block does. A second call does nothing."""
        self._open = False
        with StopRequest():
            self._run.close()

    def __enter__(self) -> StreamTracker:
        self._signals.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._open = False
        try:
            with StopRequest():
                self._run.__exit__(kind)
        finally:
            self._signals.__exit__()
