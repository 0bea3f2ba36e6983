"""Events of a whole run, beside answers that begin anew with every segment, or without answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from ...analysis.events import EventList
from ...analysis.measures.crossings import CrossingCounter
from ...analysis.measures.visits import VisitLog
from ...analysis.measures.zone_counts import CrowdWatch
from ...analysis.recording import Recording
from ...analysis.regions import Regions
from ...analysis.scene import Scene
from ...analysis.trajectories import HEIGHT, LEFT, TOP, WIDTH, Movement, Trajectories
from ...delivery.hub import Tell
from ...sinks.records.times import Clock
from ...structures import Frame, SequenceInfo, Tracks
from ..answers import observe


class EventSink:
    """Tells what happens in a run: who appeared, who was out of sight for good, and what they did in the scene.

    Its memory does not grow with the number of people, so that it does not know of things that never move (``still``).

    Args:
        tell: called with each event.
        start: clock time of the first frame; None where it is not known.
        scene: lines, zones and regions; None for none.
    """

    name = "events"

    def __init__(self, tell: Tell, start: datetime | None = None, scene: Scene | None = None) -> None:
        self._tell = tell
        self._start = start
        self._scene = scene or Scene()

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence."""
        scene, self._size, self._now = self._scene, info.size, 0.0
        self._clock = Clock(info.frame_rate)
        self._regions = Regions(scene, info.size)
        self._trajectories = Trajectories(scene.memory)
        self._crossings = CrossingCounter(scene.lines, info.size)
        self._visits = VisitLog(scene.zones, info.size)
        self._crowds = CrowdWatch(scene.zones)
        recording = Recording(info.name, info.size, info.frame_rate, info.skip_frames, self._start)
        self._events = EventList(scene, recording)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Tell what a frame shows."""
        height, width = frame.image.shape[:2]
        if (width, height) != self._size:  # a camera came back with another one
            scale = [self._size[0] / width, self._size[1] / height] * 2
            tracks = replace(tracks, boxes=tracks.boxes * np.array(scale))
        rows, now = observe(self._clock, frame, tracks)
        if len(rows) and self._regions:
            feet = rows[:, LEFT] + rows[:, WIDTH] / 2, rows[:, TOP] + rows[:, HEIGHT]
            rows = rows[self._regions.keep(*feet)]
        self._now = now
        self._tell_of(self._trajectories.update(rows, now))

    def close(self) -> dict[str, Path]:
        """Tell what is left; who is in sight at the end has not ended."""
        self._tell_of(self._trajectories.close(self._now))
        return {}

    def _tell_of(self, movement: Movement) -> None:
        crossed, visits = self._crossings.update(movement), self._visits.update(movement, {})
        crowds = self._crowds.update(visits, self._now)
        for event in self._events.of(movement, {}, crossed, visits, crowds):
            self._tell(event)
