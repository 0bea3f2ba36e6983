"""How many frames to leave out so that the processor keeps up with the source."""

from __future__ import annotations

import math
import threading

_SHARE = 0.2  # of the newest measurement in the mean
_FEW = 3  # frames tracked before anything is chosen, and after each choice
_MARGIN, _EASE = 1.1, 1.35  # the processor must be so much faster than the source, and so much to track more frames
_PATIENCE = 50  # frames for which it must be, so that the choice does not go to and fro


class Pace:
    """Chooses which frames are tracked from the time that the stages of a run take.

    The stages overlap, so that the slowest one tells how long a frame takes. More frames are left out at once, fewer
    only after a while.

    Args:
        frame_rate: frames per second of the source.
        least: every N-th frame at most.

    Attributes:
        skip_frames: every N-th frame is tracked at present.
    """

    def __init__(self, frame_rate: float, least: int = 1) -> None:
        self.skip_frames = least
        self._frame_rate = frame_rate
        self._least = least
        self._next = 0  # index of the frame that is tracked next
        self._means: dict[str, float] = {}
        self._tracked = self._eased = 0
        self._lock = threading.Lock()

    def takes(self, index: int) -> bool:
        """Return whether a frame is tracked, the first always.

        Args:
            index: higher than that of the frame before.
        """
        if index < self._next:
            return False
        self._next = index + self.skip_frames
        return True

    def spent(self, stage: str, seconds: float) -> None:
        """Note how long a stage took for a frame that is tracked."""
        with self._lock:
            mean = self._means.get(stage, seconds)
            self._means[stage] = mean + _SHARE * (seconds - mean)

    def finished(self) -> None:
        """Note that a frame is tracked, and choose anew."""
        with self._lock:
            self._tracked += 1
            if self._tracked < _FEW:
                return
            periods = max(self._means.values(), default=0.0) * self._frame_rate
            needed = max(self._least, math.ceil(_MARGIN * periods))
            self._eased = self._eased + 1 if max(self._least, math.ceil(_EASE * periods)) < self.skip_frames else 0
            if needed > self.skip_frames or (needed < self.skip_frames and self._eased >= _PATIENCE):
                self.skip_frames, self._tracked, self._eased = needed, 0, 0
