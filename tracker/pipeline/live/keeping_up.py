"""What a run does to keep up with its source, and how well it does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ...settings.groups.live import LiveOptions
from ...sources import Source
from ...structures import Frame
from .lag import Lag
from .pace import Pace


@dataclass
class KeepingUp:
    """How a run keeps up.

    Attributes:
        options: how old a frame may be when it is tracked.
        source: the source of the run where it is live; None where frames wait until they are asked for.
        pace: chooses which frames are tracked; None for what skip_frames says.
        lag: times from the arrival of frames to their results.
        dropped: frames left out because the run was busy with older ones.
        people: number of people in sight in the last frame.
    """

    options: LiveOptions = field(default_factory=LiveOptions)
    source: Source | None = None
    pace: Pace | None = None
    lag: Lag = field(default_factory=Lag)
    dropped: int = 0
    people: int = 0

    def is_late(self, frame: Frame) -> bool:
        """Return whether a frame is too old to be tracked; it then counts as dropped."""
        if frame.arrived is None or time.monotonic() - frame.arrived <= self.options.max_lag:
            return False
        self.dropped += 1
        return True

    def tracked(self, frame: Frame, people: int) -> None:
        """Note that the result of a frame is known.

        Args:
            frame: the frame.
            people: number of people in sight.
        """
        self.people = people
        if frame.arrived is not None:
            self.lag.add(time.monotonic() - frame.arrived)
        if self.pace:
            self.pace.finished()

    def spent(self, stage: str, seconds: float) -> None:
        """Note how long a stage took for a frame."""
        if self.pace:
            self.pace.spent(stage, seconds)

    @property
    def all_dropped(self) -> int:
        """Frames left out because something was busy with older ones, those that the source left out included."""
        return self.dropped + (self.source.dropped if self.source else 0)

    def figures(self) -> dict[str, Any]:
        """Return what is told of it beside the result; nothing where nothing had to be kept up with."""
        told: dict[str, Any] = {}
        if self.source:
            told |= {"lag_p50": self.lag.share(0.5), "lag_p95": self.lag.share(0.95)}
            told |= {"dropped": self.all_dropped, "reconnects": self.source.reconnects}
        if self.pace:
            told["realtime_skip"] = self.pace.skip_frames
        return told

    def status(self) -> dict[str, Any]:
        """Return how a live source is doing: live or lost, and the figures so far."""
        lost = self.source is not None and self.source.lost
        return {"state": "lost" if lost else "live", "people_now": 0 if lost else self.people, **self.figures()}
