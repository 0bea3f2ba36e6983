"""What is known of a recording beside its tracks: its name, its picture and its clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ..errors import OptionError
from ..settings.checks import shown

JITTER = 0.1  # frame periods by which a time stamp may be off without a mark of its own


@dataclass(frozen=True)
class Recording:
    """A recording whose tracks are analysed.

    Attributes:
        name: of the sequence.
        size: width and height of the picture, pixels.
        frame_rate: nominal frames per second.
        skip_frames: every N-th frame was tracked.
        start: clock time of the first frame; None where it is not known.
        interval: length of the intervals that are counted by, seconds.
    """

    name: str
    size: tuple[int, int]
    frame_rate: float
    skip_frames: int = 1
    start: datetime | None = None
    interval: float = 60.0

    @property
    def period(self) -> float:
        """Time from one tracked frame to the next, milliseconds."""
        return 1000 * self.skip_frames / self.frame_rate

    def clock_time(self, seconds: float) -> str | None:
        """Return a time of the source as ISO 8601 with milliseconds, or None where the start is not known."""
        if self.start is None:
            return None
        return (self.start + timedelta(milliseconds=round(1000 * seconds))).isoformat(timespec="milliseconds")


def read_start(text: str | datetime | None) -> datetime | None:
    """Return the clock time that a text in ISO 8601 states, such as ``2026-11-27T09:00:00+01:00``.

    A time without an offset is one of this machine's time zone.

    Raises:
        OptionError: It is no such text.
    """
    if text is None:
        return None
    try:
        start = text if isinstance(text, datetime) else datetime.fromisoformat(text)
        return start if start.tzinfo else start.astimezone()
    except (TypeError, ValueError, OverflowError, OSError):
        raise OptionError(
            f"start must be a date and time such as 2026-11-27T09:00:00+01:00, not {shown(text)}"
        ) from None


class Clock:
    """The time of every frame in whole milliseconds, as it can be told again without the video.

    Between two marks time goes by the frame rate. A mark is made wherever it does not, so that a constant rate has
    one only, and a pause has one after it.

    Args:
        frame_rate: frames per second.
        marks: frame and milliseconds, in order, of a recording that was made; () to make marks by `tell`.

    Attributes:
        marks: the marks, [N, 2] int64.
    """

    def __init__(self, frame_rate: float, marks: Iterable[tuple[int, int]] = ()) -> None:
        self._period = 1000 / frame_rate
        self.marks = np.array(list(marks), np.int64).reshape(-1, 2)
        self._last: tuple[int, int] | None = None

    def tell(self, frame: int, seconds: float) -> tuple[int, bool]:
        """Return the time of the next frame, and whether it is a mark, which must be kept to tell it again.

        Args:
            frame: its number.
            seconds: its time stamp.
        """
        if self._last is not None:
            mark, time = self._last
            expected = time + round((frame - mark) * self._period)
            if abs(1000 * seconds - expected) <= max(JITTER * self._period, 1):
                return expected, False
        self._last = frame, round(1000 * seconds)
        return self._last[1], True

    def at(self, frames: np.ndarray) -> np.ndarray:
        """Return the time [N] of frames [N], milliseconds; without a mark the first frame, number 1, has time 0."""
        if not len(self.marks):
            return np.rint((frames - 1) * self._period)
        mark, time = self.marks[np.maximum(np.searchsorted(self.marks[:, 0], frames, side="right") - 1, 0)].T
        return time + np.rint((frames - mark) * self._period)
