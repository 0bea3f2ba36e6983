"""Where one segment ends and the next begins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from .names import segment_stamp

_ROUNDING = 1e-6  # seconds: time stamps are sums of fractions


@dataclass(frozen=True)
class SegmentPlan:
    """Where segments begin.

    Attributes:
        length: of a segment, seconds; None where only a new size of the picture begins one.
        start: clock time of the first frame; None where it is not known.
        by_clock: whether segments begin at multiples of their length on the clock, counted from midnight; else at
            multiples of the source's own seconds.
        camera: name of the camera, for events.
    """

    length: float | None = None
    start: datetime | None = None
    by_clock: bool = False

    def number(self, seconds: float) -> int:
        """Return the number of the segment that a frame belongs to.

        Args:
            seconds: of the source.
        """
        if self.length is None:
            return 0
        if self.by_clock and self.start is not None:
            since_midnight = self.start.replace(tzinfo=None) - datetime.min
            seconds += since_midnight.total_seconds()
        return math.floor((seconds + _ROUNDING) / self.length)

    def stamp(self, seconds: float) -> str:
        """Return what the name of a segment ends with that begins with a frame at these seconds of the source."""
        return segment_stamp(seconds, self.start)
