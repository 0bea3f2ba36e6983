"""One row a person: when they were seen, how far they went, how fast; and things that never move."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..rows import FloorPoint, Person
from . import seconds as s

MOVED = 0.05  # of the height: who is no farther than this from where they stood has not moved


@dataclass
class _Way:
    """The way of one track, as far as it is known.

    Attributes:
        id: of the person.
        middle: mean place in the last second, and where the track was seen last; then the same on the floor, metres.
        anchor: place, pixels, that the person has not left for long.
        since: time since when, milliseconds.
    """

    id: int
    middle: tuple[float, float] | None = None
    last: tuple[float, float] = (0.0, 0.0)
    floor_middle: tuple[float, float] | None = None
    floor_last: tuple[float, float] | None = None
    anchor: tuple[float, float] | None = None
    since: float = 0.0


@dataclass
class _Sums:
    """Sums of one identity; times in milliseconds, scores in ten-thousandths."""

    __slots__ = ("first", "frames", "last", "path", "path_m", "score", "time")

    first: float
    last: float
    time: float
    frames: float
    score: float
    path: float
    path_m: float


@dataclass(frozen=True)
class PeopleStep:
    """What a portion of seconds tells.

    Attributes:
        gone: people out of sight for longer than the memory, in the order of their keys.
        floor: places on the floor, likewise.
        still: tracks that are things: key, kind of the key, time in milliseconds, and id.
    """

    gone: list[Person] = field(default_factory=list)
    floor: list[FloorPoint] = field(default_factory=list)
    still: dict[int, tuple[float, int, float, int]] = field(default_factory=dict)


class PeopleLog:
    """Keeps a few numbers for every identity.

    The way of somebody is the line through their first place, their mean places second by second, and their last one.

    Args:
        still: who has not moved for this long is a thing, seconds; 0 for nobody.
        on_floor: whether places are known in metres.
        picture: gives the best picture of an identity, as a path; None for none.
    """

    def __init__(self, still: float, on_floor: bool, picture: Callable[[int], str | None] = lambda _: None) -> None:
        self._still = 1000 * still
        self._on_floor = on_floor
        self._picture = picture
        self._ways: dict[int, _Way] = {}
        self._people: dict[int, _Sums] = {}

    def __len__(self) -> int:
        return len(self._people)

    def update(self, seconds: s.Seconds) -> PeopleStep:
        """Take the seconds that are over."""
        rows, step = seconds.rows, PeopleStep()
        floor = self._floor_points(seconds) if self._on_floor else []
        step.floor.extend(point for _, point in sorted(floor, key=lambda item: (item[0], item[1].id)))
        happened = [(*key, 0, row[s.ID_], row) for row, key in zip(rows.tolist(), seconds.keys.tolist())]
        happened += [(key, s.LATE, 1, identity, [track]) for track, identity, key in seconds.ended.tolist()]
        for key, kind, is_end, identity, row in sorted(happened):
            if not is_end:
                self._walk(row, (key, int(kind)), step)
                continue
            self._end(int(row[0]))
            if key < np.inf:
                step.gone.append(self.person(int(identity)))
        return step

    def person(self, identity: int) -> Person:
        """Return the row of an identity."""
        sums = self._people[identity]
        time = sums.time / 1000
        path_m = sums.path_m if self._on_floor else None
        return Person(
            identity,
            sums.first / 1000,
            sums.last / 1000,
            time,
            int(sums.frames),
            sums.score / sums.frames / 10_000,
            sums.path,
            path_m,
            None if path_m is None or not time else path_m / time,
            self._picture(identity),
        )

    def everybody(self) -> list[Person]:
        """Return the rows of all, in the order in which they were first seen."""
        order = sorted(self._people, key=lambda identity: (self._people[identity].first, identity))
        return [self.person(identity) for identity in order]

    def _walk(self, row: list[float], key: tuple[float, int], step: PeopleStep) -> None:
        """Add a second of somebody."""
        track, identity, count = int(row[s.TRACK_]), int(row[s.ID_]), row[s.COUNT]
        middle = (row[s.X_] / count / 100, row[s.Y_] / count / 100)
        sums = self._people.get(identity)
        if sums is None:
            sums = self._people[identity] = _Sums(row[s.FIRST_MS], 0, 0, 0, 0, 0, 0)
        sums.last = row[s.LAST_MS]
        sums.time += row[s.STEP_]
        sums.frames += count
        sums.score += row[s.SCORE_]
        way = self._ways.get(track)
        if way is None:
            way = self._ways[track] = _Way(identity)
        sums.path += math.dist(way.middle or (row[s.FIRST_X], row[s.FIRST_Y]), middle)
        way.middle, way.last = middle, (row[s.LAST_X], row[s.LAST_Y])
        known = row[s.ON_FLOOR]
        if known:
            place = (row[s.F_X] / known / 1000, row[s.F_Y] / known / 1000)
            first = (row[s.FIRST_FX], row[s.FIRST_FY])
            before = way.floor_middle or (place if math.isnan(first[0]) else first)
            sums.path_m += math.dist(before, place)
            last = (row[s.LAST_FX], row[s.LAST_FY])
            way.floor_middle, way.floor_last = place, None if math.isnan(last[0]) else last
        if way.anchor is None or math.dist(way.anchor, middle) > MOVED * row[s.HEIGHT_] / count / 100:
            way.anchor, way.since = middle, row[s.FIRST_MS]
        elif self._still and row[s.LAST_MS] - way.since >= self._still and key[0] < np.inf:
            step.still.setdefault(track, (*key, key[0], identity))

    def _end(self, track: int) -> None:
        way = self._ways.pop(track, None)
        if way is None or way.middle is None:
            return
        self._people[way.id].path += math.dist(way.middle, way.last)
        if way.floor_middle and way.floor_last:
            self._people[way.id].path_m += math.dist(way.floor_middle, way.floor_last)

    def _floor_points(self, seconds: s.Seconds) -> list[tuple[tuple[float, float], FloorPoint]]:
        rows = seconds.rows
        sums = rows[:, s.ON_FLOOR], rows[:, s.F_TIME], rows[:, s.F_TIME2]
        speeds = [s.slope(*sums, rows[:, at], rows[:, by_time]) for at, by_time in ((s.F_X, s.F_XT), (s.F_Y, s.F_YT))]
        made = []
        for row, key, vx, vy in zip(rows.tolist(), seconds.keys.tolist(), *speeds):
            known = row[s.ON_FLOOR]
            if known > 1:
                place = row[s.F_X] / known / 1000, row[s.F_Y] / known / 1000
                at = row[s.SECOND_] + row[s.F_TIME] / known / 1000
                point = FloorPoint(at, int(row[s.LAST_FRAME]), int(row[s.ID_]), *place, float(vx), float(vy))
                made.append(((key[0], key[1]), point))
        return made
