"""What is known of a recording beside its tracks: its name, its picture and when it began."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import OptionError
from ..settings.checks import shown


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
        heat_interval: length of the intervals that have a heat map each, seconds; 0 for none.
    """

    name: str
    size: tuple[int, int]
    frame_rate: float
    skip_frames: int = 1
    start: datetime | None = None
    interval: float = 60.0
    heat_interval: float = 0.0

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
        # Python 3.10 does not know the Z of UTC
        start = text if isinstance(text, datetime) else datetime.fromisoformat(re.sub("Z$", "+00:00", text))
        return start if start.tzinfo else start.astimezone()
    except (TypeError, ValueError, OverflowError, OSError):
        raise OptionError(
            f"start must be a date and time such as 2026-11-27T09:00:00+01:00, not {shown(text)}"
        ) from None
