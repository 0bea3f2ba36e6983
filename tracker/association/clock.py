"""The time of a tracker: how long ago a track was seen, and whose memory a pause outlasts."""

from __future__ import annotations

import math

import numpy as np

from ..errors import OptionError

LONGEST_STEP = 1.0  # seconds between two frames that do not count as a pause, however short the memory is

TIME_JITTER = 0.1  # frame periods by which a step may miss whole periods: time stamps are rounded, often to 1 ms


def frame_periods(seconds: float, frame_rate: float) -> float:
    """Return the time between two frames in frame periods, steps of whole periods exactly.

    Args:
        seconds: the time; what is not above 0 counts as one period.
        frame_rate: frames per second.
    """
    periods = seconds * frame_rate
    if not periods > 0:
        return 1.0
    whole = round(periods)
    return float(whole) if whole and abs(periods - whole) <= TIME_JITTER else periods


class Clock:
    """Time in frame periods (1 / frame_rate) of the frames that a tracker took.

    Args:
        frame_rate: frames per second of the sequence.
        memory: longest gap in frame periods after which a track may be found again.

    Attributes:
        now: time of this frame; the first is 1.
        last: time of the frame before, 0 at the first.
        elapsed: time between the two.
        begins: whether no track can be left from the frames before: at the first frame and after a long pause.
    """

    def __init__(self, frame_rate: float, memory: float) -> None:
        self.now = self.last = self.elapsed = 0.0
        self.begins = True
        self._memory = memory
        self._longest_step = max(1.0, LONGEST_STEP * frame_rate)  # in frame periods, as all other times

    def advance(self, elapsed: float) -> None:
        """Go on to the next frame.

        Args:
            elapsed: time since the last frame in frame periods, above 0; the first frame has none, and it is ignored.

        Raises:
            OptionError: it is not a positive number.
        """
        if not 0 < elapsed < math.inf:
            raise OptionError(f"elapsed must be a positive number of frame periods, not {elapsed!r}")
        self.begins = not self.now or elapsed > max(self._memory, self._longest_step)
        self.elapsed = elapsed if self.now else 1.0
        self.last, self.now = self.now, self.now + self.elapsed

    def remembers(self, seen: np.ndarray) -> np.ndarray:
        """Return which tracks may be found again in this frame.

        Those whose memory is not over, and, unless this frame comes after a pause, those of the frame before.

        Args:
            seen: [N] time of the last detection of each track.

        Returns:
            [N] bool.
        """
        remembered = self.now - seen <= self._memory
        if self.elapsed <= self._longest_step:
            remembered |= seen == self.last
        return remembered
