"""How old results are when they are known: shares of a distribution, in memory that does not grow."""

from __future__ import annotations

import math

import numpy as np

_LEAST, _MOST = 0.001, 1000.0  # seconds
_STEP = math.log(1.02)  # between two bounds: shares are told to 2 %
_BINS = math.ceil(math.log(_MOST / _LEAST) / _STEP) + 1


class Lag:
    """The times from the arrival of frames to their results."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)

    def add(self, seconds: float) -> None:
        """Note the lag of a frame; what is below a millisecond counts as one."""
        place = math.log(min(max(seconds, _LEAST), _MOST) / _LEAST) / _STEP
        self._counts[min(round(place), _BINS - 1)] += 1

    def share(self, part: float) -> float | None:
        """Return the seconds that a part of the frames did not take longer than, to 2 %; None without frames.

        Args:
            part: from 0 to 1, such as .5 for the median.
        """
        total = int(self._counts.sum())
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), max(1, math.ceil(part * total))))
        return round(_LEAST * math.exp(place * _STEP), 4)
