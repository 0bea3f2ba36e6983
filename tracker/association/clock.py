"""The time of a tracker: how long ago a track was seen, and whose memory a pause outlasts."""

from __future__ import annotations

import math

import numpy as np

from ..errors import OptionError

LONGEST_STEP = 1.0  # seconds between two frames that do not count as a pause, however short the memory is


class Clock:
    """Time in frame periods (1 / frame_rate) of the frames that a tracker took.

    Args:
        frame_rate: frames per second of the sequence.
        memory: frame periods for which a track out of sight is kept.

    Attributes:
        now: time of this frame; the first is 1.
        last: time of the frame before, 0 at the first.
        elapsed: time between the two.
        begins: whether no track can be left from the frames before: at the first frame and after a long pause.
    """

    def __init__(self, frame_rate: float, memory: float) -> None:
        self.now = self.last = self.elapsed = 0.0
        self.begins = True
        self._longest_step = max(1.0, LONGEST_STEP * frame_rate)
        self._longest_gap = max(memory, self._longest_step)  # after a pause

    def advance(self, elapsed: float) -> None:
        """Go on to the next frame.

        Args:
            elapsed: time since the last frame in frame periods, above 0; the first frame has none, and it is ignored.

        Raises:
            OptionError: it is not a positive number.
        """
        if not 0 < elapsed < math.inf:
            raise OptionError(f"elapsed must be a positive number of frame periods, not {elapsed!r}")
        self.begins = not self.now or elapsed > self._longest_gap
        self.elapsed = elapsed if self.now else 1.0
        self.last, self.now = self.now, self.now + self.elapsed

    def remembers(self, seen: np.ndarray) -> np.ndarray:
        """Return which tracks may still be looked for in this frame.

        A track that was kept at the last frame is looked for in this one, even if its memory ends between them; but
        not after a pause.

        Args:
            seen: [N] time of the last detection of each track.

        Returns:
            [N] bool.
        """
        if self.elapsed <= self._longest_step:
            return np.ones(len(seen), bool)
        return self.now - seen <= self._longest_gap
