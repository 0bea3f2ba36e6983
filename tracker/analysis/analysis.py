"""All answers to a scene at once: tracks in, a portion of frames at a time, rows out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .events import EventList
from .floor.plan import FloorPlan
from .floor.plane import POOR, Floor
from .measures.counts import CountIntervals
from .measures.crossings import IN, OUT, Crossed, CrossingCounter
from .measures.health import HealthLog
from .measures.heat import HeatMap
from .measures.people import PeopleLog
from .measures.seconds import SecondSums
from .measures.suspects import SuspectLog
from .measures.visits import GRACE, LEFT, VisitLog, ZoneEvent
from .measures.zone_counts import CrowdWatch, ZoneIntervals
from .recording import Recording
from .regions import Regions
from .rows import Count, Crossing, FloorPoint, Person, Range, Suspect, Visit, ZoneCount
from .scene import Scene
from .trajectories import FRAME, HEIGHT, SCORE, Movement, Trajectories


@dataclass
class Step:
    """The rows that a portion of frames settles, each list in the order in which they could be known.

    Attributes:
        crossings: see `rows`, like the others.
        counts: of the intervals that are over.
        ranges: likewise.
        visits: that ended.
        zone_counts: of the intervals that are over.
        people: who went out of sight.
        floor: places on the floor.
        heat_parts: numbers of the intervals for heat maps that are over, and their maps.
        suspects: places where numbers may be wrong.
        events: all that happened, as mappings of plain values.
    """

    crossings: list[Crossing] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    zone_counts: list[ZoneCount] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    floor: list[FloorPoint] = field(default_factory=list)
    heat_parts: list[tuple[int, np.ndarray]] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


class SceneAnalysis:
    """Answers what a scene asks of the tracks of one recording.

        analysis = SceneAnalysis(scene, recording)
        step = analysis.update(observations, now)     # again and again
        step = analysis.close()

    The rows are the same however the frames are cut into portions, and frames without people may be left out. Memory
    grows with the number of identities, by some hundred bytes each, and not with the length of the recording.

    Args:
        scene: what is asked.
        recording: size of the picture, frame rate and the like.
        picture: gives the best picture of an identity, as a path for `Person.picture`.
        staff: identities that are told of, but counted nowhere.

    Attributes:
        scene: as given.
        recording: as given.
        staff: as given.
        floor: tells places in metres; None without a plane.
        plan: the plan of that floor; None without a plane.
        heat: where people stood.
        crossings: counts the lines, by number in the order of the scene.
        people: all identities so far.
        health: how well the camera suits its task.

    Raises:
        OptionError: the plane of the scene tells no floor.
    """

    def __init__(
        self,
        scene: Scene,
        recording: Recording,
        picture: Callable[[int], str | None] = lambda _: None,
        staff: Sequence[int] = (),
    ) -> None:
        self.scene, self.recording, self.staff = scene, recording, sorted(staff)
        size = recording.size
        self.floor = Floor(scene.plane, size) if scene.plane else None
        self.plan = FloorPlan(self.floor) if self.floor else None
        self.regions = Regions(scene, size)
        self.heat, self.health = HeatMap(size, recording.heat_interval), HealthLog(size)
        self.crossings = CrossingCounter(scene.lines, size)
        self.counts = CountIntervals(scene.lines, recording.interval)
        self.people = PeopleLog(scene.still, self.floor is not None, picture)
        self.crowds = CrowdWatch(scene.zones)
        self.things: set[int] = set()
        self.end = 0.0  # milliseconds
        self._lines, self._zones = list(scene.lines.items()), list(scene.zones)
        self._trajectories = Trajectories(scene.memory)
        self._seconds = SecondSums(size[1], self.floor)
        self._suspects = SuspectLog(size, scene.memory)
        self._visits = VisitLog(scene.zones, size)
        self._zone_counts = ZoneIntervals(scene.zones, scene.lines, recording.interval)
        self._still: dict[int, tuple[float, int, float, int]] = {}
        self._events = EventList(scene, recording)
        self._points, self._heights = 0, 0  # pixels, in hundredths: whole numbers add up to the same in any order

    def update(self, observations: np.ndarray, now: float, crossed: list[Crossed] | None = None) -> Step:
        """Take the next frames.

        Args:
            observations: [N, 8] milliseconds, frame, id, left, top, width, height, score; whole frames, later than all
                before; an id at most once a frame.
            now: time of the last of them, or of a later frame without people, milliseconds.
            crossed: the crossings that these frames settle, where the recording is a segment of a run, which knows what
                was before; None to find them.

        Returns:
            The rows that are settled by it.
        """
        self.end = max(self.end, now)
        return self._take(self._trajectories.update(self.regions.of(observations), now), crossed)

    def close(self, crossed: list[Crossed] | None = None) -> Step:
        """Return what is left once the recording is over.

        Args:
            crossed: as for `update`.
        """
        return self._take(self._trajectories.close(self.end), crossed)

    @property
    def totals(self) -> list[tuple[str, str, int, int, int]]:
        """Line, name of the direction, count so far, and the range that it likely lies in."""
        made = []
        for number, (name, line) in enumerate(self._lines):
            for direction, word in ((IN, line.in_name), (OUT, line.out_name)):
                tally = self.counts.totals[number, direction]
                made.append((name, word, tally.count, *tally.range()))
        return made

    @property
    def plane_error(self) -> float | None:
        """How well the plane fits its points, metres; None without one, or for a guess."""
        return None if self.floor is None or self.floor.guessed else round(self.floor.error, 4)

    @property
    def people_counted(self) -> int:
        """Number of identities so far, without staff."""
        return sum(person.id not in self.staff for person in self.people.everybody())

    def warnings(self) -> list[str]:
        """Return what may be wrong with the scene, a sentence each."""
        made = []
        if self._points:
            half = self._heights / self._points / 200
            width, height = self.recording.size
            for name, place in zip(self.crossings.names, self.crossings.places):
                x, y = place.T
                if min(x.max(), y.max(), (width - x).max(), (height - y).max()) < half:
                    made.append(
                        f"line {name} is nearer to the border than half a box ({half:.0f} pixels): people are seen on "
                        "one side of it only for moments, or never; move it inwards"
                    )
        if self.floor and self.floor.guessed:
            made.append(f"{self.floor}; ways and speeds may be off by a third")
        elif self.floor and self.floor.error > POOR:
            made.append(f"the plane fits its points only to {self.floor.error:.2f} m: check points and metres")
        return made

    def _take(self, movement: Movement, crossed: list[Crossed] | None) -> Step:
        points, step = movement.points, Step()
        counted = movement.without(self.staff)
        if crossed is None:
            crossed = self.crossings.update(counted)
        self._points += len(points)
        self._heights += int(np.rint(100 * points[:, HEIGHT]).sum())
        self.health.update(movement)
        step.suspects = self._suspects.update(movement)
        self.heat.update(counted)
        people = self.people.update(self._seconds.update(movement))
        new_things = {track: thing for track, thing in people.still.items() if track not in self._still}
        self._still |= new_things
        self.things |= {thing[3] for thing in new_things.values()}
        events = self._visits.update(counted, self._still)
        crowds = self.crowds.update(events, self.end)
        self._count(movement, crossed, events, step)
        step.people, step.floor = people.gone, people.floor
        if self.plan:
            self.plan.update(people.floor)
        step.crossings = [self._crossing(one) for one in crossed if not one.half]
        step.visits = [self._visit(event) for event in events if event.kind == LEFT]
        step.events = self._events.of(movement, new_things, crossed, events, crowds)
        for track in movement.ended[:, 0].astype(int).tolist():
            self._still.pop(track, None)
        return step

    def _count(self, movement: Movement, crossed: list[Crossed], events: list[ZoneEvent], step: Step) -> None:
        """Add to the counts, and take the rows of the intervals that are over."""
        horizon = movement.horizon if movement.end is None else -np.inf
        step.counts, step.ranges = self.counts.update(crossed, horizon)
        step.zone_counts = self._zone_counts.update(events, crossed, horizon - GRACE)
        # the time until somebody appears again is spent where they were seen before
        over = movement.horizon - 1000 * self.scene.memory if movement.end is None else np.inf
        step.heat_parts = list(self.heat.parts(over, movement.end))
        if movement.end is not None:
            counts, ranges = self.counts.close(movement.end)
            step.counts += counts
            step.ranges += ranges
            step.zone_counts += self._zone_counts.close(movement.end)

    def _crossing(self, crossed: Crossed) -> Crossing:
        assert crossed.point is not None
        name, line = self._lines[crossed.line]
        seconds = crossed.ms / 1000
        return Crossing(
            self.recording.clock_time(seconds),
            seconds,
            int(crossed.point[FRAME]),
            name,
            line.in_name if crossed.direction == IN else line.out_name,
            crossed.id,
            float(crossed.x),
            float(crossed.y),
            float(crossed.point[SCORE]),
            float(crossed.certainty),
        )

    def _visit(self, event: ZoneEvent) -> Visit:
        first, last = event.stay.first / 1000, event.stay.last / 1000
        return Visit(self._zones[event.zone], event.stay.id, first, last, last - first, int(event.is_open))
