"""Visits summed up by intervals: how many came and went, how many were inside; and crowds."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..rows import ZoneCount
from ..scene import Line, Zone
from ..trajectories import CLOSING, FRAME
from .crossings import IN, Crossed
from .visits import DROPPED, ENTERED, LEFT, ZoneEvent

CROWDED = 2000  # milliseconds with too many inside, until it is an event


@dataclass
class _Room:
    """What is known of a zone.

    Attributes:
        changes: (milliseconds, +1 or -1, dwell or None), sorted, of the intervals to come.
        inside: people inside at the beginning of the next interval.
        net: those who came in by its doors less those who went out, until then.
    """

    changes: list[tuple[float, int, float]] = field(default_factory=list)
    passed: list[tuple[float, int]] = field(default_factory=list)
    inside: int = 0
    net: int = 0


class ZoneIntervals:
    """Counts the visits to each zone by intervals, empty ones too.

    Args:
        zones: by name.
        lines: by name.
        interval: seconds.
    """

    def __init__(self, zones: Mapping[str, Zone], lines: Mapping[str, Line], interval: float) -> None:
        self._zones = zones
        self._interval = round(1000 * interval)
        self._rooms = [_Room() for _ in zones]
        self._next = 0
        numbers = {name: number for number, name in enumerate(lines)}
        self._doors: dict[int, list[int]] = {}  # the zones that a line leads into
        for number, zone in enumerate(zones.values()):
            for name in zone.doors:
                self._doors.setdefault(numbers[name], []).append(number)

    def update(self, events: Iterable[ZoneEvent], crossings: Iterable[Crossed], horizon: float) -> list[ZoneCount]:
        """Count visits.

        Args:
            events: in the order of their keys.
            crossings: likewise.
            horizon: milliseconds; all that happened before it has been given.

        Returns:
            The rows of the intervals that are over by then.
        """
        for event in events:
            room = self._rooms[event.zone]
            if event.kind == ENTERED:
                bisect.insort(room.changes, (event.ms, 1, 0.0))
            elif event.kind in (LEFT, DROPPED) and not event.is_open:
                dwell = event.ms - event.stay.first if event.kind == LEFT else np.inf
                bisect.insort(room.changes, (max(event.ms, event.stay.began or 0.0), -1, dwell))
        for crossed in crossings:
            if not crossed.half:
                for zone in self._doors.get(crossed.line, ()):
                    bisect.insort(self._rooms[zone].passed, (crossed.ms, 1 if crossed.direction == IN else -1))
        rows: list[ZoneCount] = []
        while self._zones and horizon >= (self._next + 1) * self._interval:
            rows += self._rows(self._interval)
        return rows

    def close(self, end: float) -> list[ZoneCount]:
        """Return the rows of the intervals that are left.

        Args:
            end: time of the last frame, milliseconds; the means of the last interval go up to it.
        """
        rows = self.update((), (), end // self._interval * self._interval)
        return rows + (self._rows(end - self._next * self._interval) if self._zones else [])

    def _rows(self, length: float) -> list[ZoneCount]:
        begin = self._next * self._interval
        self._next += 1
        end = self._next * self._interval
        rows = []
        for (name, zone), room in zip(self._zones.items(), self._rooms):
            now = bisect.bisect_left(room.changes, (end,))
            changes, room.changes = room.changes[:now], room.changes[now:]
            passed = bisect.bisect_left(room.passed, (end,))
            room.net += sum(step for _, step in room.passed[:passed])
            del room.passed[:passed]
            inside, most, total, at = room.inside, room.inside, 0.0, float(begin)
            dwells = []
            for ms, step, dwell in changes:
                total += inside * (ms - at)
                inside, at = inside + step, ms
                most = max(most, inside)
                if step < 0 and dwell < np.inf:
                    dwells.append(dwell / 1000)
            total += inside * (begin + length - at)
            room.inside = inside
            mean = total / length if length > 0 else float(inside)
            exits = len(dwells)
            wait = mean * length / 1000 / exits if zone.queue and exits else None
            rows.append(
                ZoneCount(
                    begin / 1000,
                    end / 1000,
                    name,
                    sum(step > 0 for _, step, _ in changes),
                    exits,
                    mean,
                    most,
                    float(np.mean(dwells)) if dwells else None,
                    float(np.median(dwells)) if dwells else None,
                    float(np.percentile(dwells, 90)) if dwells else None,
                    exits if zone.queue else None,
                    wait,
                    room.net if zone.doors else None,
                    room.net - inside if zone.doors else None,
                )
            )
        return rows


@dataclass(frozen=True)
class Crowd:
    """Too many people in a zone.

    Attributes:
        key: when it could be known first, and the kind of that key.
        zone: number of the zone.
        ms: when, milliseconds.
        frame: number of the frame in which they became too many.
        people: how many.
    """

    key: tuple[float, int]
    zone: int
    ms: float
    frame: int
    people: int


class CrowdWatch:
    """Tells when a zone has been too full for two seconds, once for each time that it gets so.

    Args:
        zones: by name.
    """

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        self._limits = [zone.crowd for zone in zones.values()]
        self.inside = [0] * len(self._limits)
        self._since: list[tuple[float, int] | None] = [None] * len(self._limits)

    def update(self, events: Iterable[ZoneEvent], now: float) -> list[Crowd]:
        """Return the crowds that are known by now.

        Args:
            events: in the order of their keys.
            now: milliseconds.
        """
        crowds = []
        for event in events:
            if event.is_open:  # it goes on beyond the recording
                continue
            crowds += self._tell(event.key[0])
            zone = event.zone
            if event.kind == ENTERED:
                self.inside[zone] += 1
                if self.inside[zone] == self._limits[zone] + 1 and self._limits[zone] and event.point is not None:
                    self._since[zone] = event.key[0], int(event.point[FRAME])
            elif event.kind in (LEFT, DROPPED):
                self.inside[zone] -= 1
                if self.inside[zone] <= self._limits[zone]:
                    self._since[zone] = None
        return crowds + self._tell(now)

    def _tell(self, now: float) -> list[Crowd]:
        crowds = []
        for zone, since in enumerate(self._since):
            if since and since[0] + CROWDED < now:
                at = since[0] + CROWDED
                crowds.append(Crowd((at, CLOSING), zone, at, since[1], self.inside[zone]))
                self._since[zone] = None
        return sorted(crowds, key=lambda crowd: (crowd.key, crowd.zone))
