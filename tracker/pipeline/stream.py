"""Frames that are handed over one by one, as those of one sequence."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import OptionError
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
        seconds = self._count / self._run.info.frame_rate
        tracks = self._run.process(Frame(self._count, seconds, image))
        self._count += 1
        return FrameTracks(self._count, tracks.ids, tracks.boxes, tracks.scores)

    def result(self) -> TrackingResult:
        """Return what was made so far; files are part of it once the stream is closed."""
        return self._run.result()

    def close(self) -> None:
        """Finish the files, as leaving the ``with`` block does; again does nothing."""
        self._open = False
        self._run.close()

    def __enter__(self) -> StreamTracker:
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._run.__exit__(*error)
