"""The numbers and times of frames across losses: they go on by the clock."""

from __future__ import annotations

from dataclasses import replace

from ...structures import Frame

# The time stamps of a camera may run at another speed than this machine's clock. What they are off by is made up for
# slowly: a share of it with each frame, as long as it is more than what the network delays a frame by.
_MOST_OFF, _SHARE = 0.25, 0.002

_LEAST_STEP = 0.001  # seconds between two frames


class Dating:
    """Gives the frames of one connection after the other the numbers and times of one sequence.

    Within a connection they go by its own, and from one connection to the next by the clock of this machine, a number
    for every period of the frame rate. Numbers and times always increase.

    Args:
        frame_rate: usual frames per second.

    Attributes:
        arrived: when the last frame came, by `time.monotonic`.
        time: that of the last frame.
    """

    def __init__(self, frame_rate: float) -> None:
        self.arrived = self.time = 0.0
        self._period = 1 / frame_rate
        self._origin: float | None = None  # of the clock
        self._first = self._index = 0
        self._offset, self._base = 0.0, 0  # from the connection's times and numbers to these
        self._begins = True

    def begin(self) -> None:
        """Begin a new connection."""
        self._begins = True

    def at(self, now: float) -> float:
        """Return the time of the sequence at a time of the clock, not before the last frame."""
        return self.time if self._origin is None else max(now - self._origin, self.time)

    def date(self, frame: Frame, now: float) -> Frame:
        """Return the next frame with its number and time in the sequence.

        Args:
            frame: as the connection has it.
            now: by `time.monotonic`, for frames that do not tell when they arrived.
        """
        arrived = now if frame.arrived is None else frame.arrived
        if self._origin is None:
            self._origin = arrived - frame.time
            time, index = frame.time, frame.index
            self._first = index
        elif self._begins:
            time = max(arrived - self._origin, self.time + self._period)
            index = max(self._first + round(time / self._period), self._index + 1)
            self._offset, self._base = time - frame.time, index - frame.index
        else:
            off = arrived - self._origin - (frame.time + self._offset)
            if abs(off) > _MOST_OFF:
                self._offset += _SHARE * (off - _MOST_OFF if off > 0 else off + _MOST_OFF)
            time = max(frame.time + self._offset, self.time + _LEAST_STEP)
            index = max(frame.index + self._base, self._index + 1)
        self._begins = False
        self.arrived, self.time, self._index = arrived, time, index
        return replace(frame, index=index, time=time, arrived=arrived)
