"""What happens in a scene, in memory that does not grow: who crosses lines and who is in zones, told as events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .events import EventList
from .measures.crossings import Crossed, CrossingCounter
from .measures.visits import VisitLog
from .measures.zone_counts import CrowdWatch
from .recording import Recording
from .regions import Regions
from .scene import Scene
from .trajectories import Movement, Trajectories


@dataclass(frozen=True)
class Happened:
    """What a portion of frames settled.

    Attributes:
        crossed: crossings of lines, and halves of such.
        events: all that happened, as `EventList` makes it.
    """

    crossed: list[Crossed]
    events: list[dict[str, Any]]


class SceneWatch:
    """Finds what happens in a scene; it does not know of things that never move (``still``).

    Args:
        scene: lines, zones and regions.
        recording: name, start and size of the picture.
        staff: identities that nothing is told of.
    """

    def __init__(self, scene: Scene, recording: Recording, staff: Sequence[int] = ()) -> None:
        self._staff = staff
        self._regions = Regions(scene, recording.size)
        self._trajectories = Trajectories(scene.memory)
        self._crossings = CrossingCounter(scene.lines, recording.size)
        self._visits = VisitLog(scene.zones, recording.size)
        self._crowds = CrowdWatch(scene.zones)
        self._events = EventList(scene, recording)
        self._now = 0.0

    def update(self, observations: np.ndarray, now: float) -> Happened:
        """Take the next frames; the arguments are those of `SceneAnalysis.update`."""
        self._now = now
        return self._take(self._trajectories.update(self._regions.of(observations), now))

    def close(self) -> Happened:
        """Return what is left; who is in sight at the end has not ended."""
        return self._take(self._trajectories.close(self._now))

    def _take(self, movement: Movement) -> Happened:
        movement = movement.without(self._staff)
        crossed, visits = self._crossings.update(movement), self._visits.update(movement, {})
        crowds = self._crowds.update(visits, self._now)
        return Happened(crossed, self._events.of(movement, {}, crossed, visits, crowds))
