"""What happens in a scene, in memory that does not grow: who crosses lines and who is in zones, told as events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ...analysis.events import EventList
from ...analysis.measures.crossings import Crossed, CrossingCounter
from ...analysis.measures.visits import VisitLog
from ...analysis.measures.zone_counts import CrowdWatch
from ...analysis.recording import Recording
from ...analysis.regions import Regions
from ...analysis.scene import Scene
from ...analysis.trajectories import Movement, Trajectories
from ...sinks.records.times import Clock
from ...structures import Frame, SequenceInfo, Tracks


def observe(clock: Clock, frame: Frame, tracks: Tracks) -> tuple[np.ndarray, float]:
    """Return the tracks of a frame as the MOT text has them, rounded as it rounds, and the frame's time.

    Args:
        clock: tells the time of frames.
        frame: the frame.
        tracks: the people in sight.

    Returns:
        [N, 8] milliseconds, frame, id, left, top, width, height, score; and milliseconds.
    """
    number = frame.index + 1
    now, _ = clock.tell(number, frame.time)
    rows = [
        (now, number, identity, *(float(f"{side:.2f}") for side in box), float(f"{score:.4f}"))
        for identity, box, score in zip(tracks.ids.tolist(), tracks.boxes.tolist(), tracks.scores.tolist())
    ]
    return np.array(rows, np.float64).reshape(-1, 8), float(now)


@dataclass(frozen=True)
class Happened:
    """What a frame settled.

    Attributes:
        crossed: crossings of lines, and halves of such.
        events: all that happened, as `EventList` makes it.
    """

    crossed: list[Crossed]
    events: list[dict[str, Any]]


class SceneWatch:
    """Finds what happens in a scene while a run goes on; it does not know of things that never move (``still``).

    Args:
        scene: lines, zones and regions.
        info: of the run.
        start: clock time of its first frame; None where it is not known.
        staff: identities that nothing is told of.
    """

    def __init__(
        self, scene: Scene, info: SequenceInfo, start: datetime | None = None, staff: Sequence[int] = ()
    ) -> None:
        self._info, self._start, self._staff = info, start, staff
        self._clock = Clock(info.frame_rate)
        self._now = 0.0
        self._trajectories = Trajectories(scene.memory)
        self._memory = scene.memory
        self.change(scene)

    def change(self, scene: Scene) -> None:
        """Go on with another scene: its counts begin now, and who is in sight does not appear once more."""
        info = self._info
        recording = Recording(info.name, info.size, info.frame_rate, info.skip_frames, self._start)
        self._regions = Regions(scene, info.size)
        if scene.memory != self._memory:
            self._trajectories, self._memory = Trajectories(scene.memory), scene.memory
        self._crossings = CrossingCounter(scene.lines, info.size)
        self._visits = VisitLog(scene.zones, info.size)
        self._crowds = CrowdWatch(scene.zones)
        self._events = EventList(scene, recording)

    def update(self, frame: Frame, tracks: Tracks) -> Happened:
        """Take the next frame.

        Args:
            frame: of the run.
            tracks: the people in sight, in pixels of its first frame.
        """
        observations, self._now = observe(self._clock, frame, tracks)
        return self._take(self._trajectories.update(self._regions.of(observations), self._now))

    def close(self) -> Happened:
        """Return what is left; who is in sight at the end has not ended."""
        return self._take(self._trajectories.close(self._now))

    def _take(self, movement: Movement) -> Happened:
        movement = movement.without(self._staff)
        crossed, visits = self._crossings.update(movement), self._visits.update(movement, {})
        crowds = self._crowds.update(visits, self._now)
        return Happened(crossed, self._events.of(movement, {}, crossed, visits, crowds))
