"""Visits to zones: who was inside, from when to when.

A stay begins with the first point inside and goes on while the person is outside or out of sight no longer than a
grace. Once they have been inside for half a second it is a visit, whose length is from the first point inside to the
last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..geometry import Polygons
from ..scene import Zone
from ..trajectories import CLOSING, FOOT, ID, KEY, KIND, MS, SETTLED, STEP, TRACK, Movement, X

INERTIA = 500  # milliseconds inside, until a stay is a visit
GRACE = 1500  # milliseconds outside or out of sight, until it is over

ENTERED, LEFT, LOITERING, DROPPED = "entered", "left", "loitering", "dropped"

Still = Mapping[int, tuple[float, int, float, int]]  # by track: from which key on, its time, and the id of the thing


@dataclass
class Stay:
    """Somebody in a zone.

    Attributes:
        id: of the person.
        first: first time inside, milliseconds.
        last: last time inside, milliseconds.
        inside: time inside so far, milliseconds.
        is_inside: whether the last point is inside.
        began: when it became a visit, milliseconds; None before.
        told: how often loitering was told.
    """

    id: int
    first: float
    last: float
    inside: float = 0.0
    is_inside: bool = True
    began: float | None = None
    told: int = 0


@dataclass(frozen=True)
class ZoneEvent:
    """Something that happened in a zone.

    Attributes:
        kind: `ENTERED`, `LEFT`, `LOITERING`, or `DROPPED` where the person turns out to be a thing.
        key: when it could be known first, and the kind of that key.
        zone: number of the zone.
        ms: when, milliseconds.
        stay: of whom.
        point: the point that it was known by; None for the lack of one.
        is_open: of a visit that is over because the recording is.
    """

    kind: str
    key: tuple[float, int]
    zone: int
    ms: float
    stay: Stay
    point: np.ndarray | None = field(default=None, repr=False)
    is_open: bool = False

    @property
    def order(self) -> tuple:
        """What events are told in the order of."""
        return (*self.key, self.stay.id, self.zone, self.ms)


class VisitLog:
    """Finds the visits to all zones of a scene.

    Args:
        zones: by name.
        size: width and height of the picture, pixels.
    """

    def __init__(self, zones: Mapping[str, Zone], size: tuple[int, int]) -> None:
        self.names = list(zones)
        self._zones = list(zones.values())
        self._polygons = Polygons([np.array(zone.points) * size for zone in self._zones])
        self._stays: dict[tuple[int, int], Stay] = {}  # by zone and track

    def update(self, movement: Movement, still: Still) -> list[ZoneEvent]:
        """Return what a portion of points settles, in the order of the keys.

        Args:
            movement: the points.
            still: tracks of things, which visit nothing.
        """
        if not self._zones:
            return []
        events: list[ZoneEvent] = []
        if len(movement.points):
            self._take(movement.points, still, events)
        over = movement.horizon - GRACE
        for place in [place for place, stay in self._stays.items() if stay.last < over or place[1] in still]:
            stay, thing = self._stays[place], still.get(place[1])
            if thing and thing[:2] <= _closing_key(stay):
                del self._stays[place]
                if stay.began is not None:
                    events.append(ZoneEvent(DROPPED, thing[:2], place[0], thing[2], stay))
            elif stay.last < over:
                is_open = movement.end is not None and stay.last + GRACE >= movement.end
                self._finish(place, (np.inf, CLOSING) if is_open else _closing_key(stay), events)
        return sorted(events, key=lambda event: event.order)

    def _take(self, points: np.ndarray, still: Still, events: list[ZoneEvent]) -> None:
        tracks = points[:, TRACK]
        inside = self._polygons.contain(points[:, X], points[:, FOOT])
        if still:
            things = [still.get(int(track), (np.inf,))[:2] for track in tracks.tolist()]
            inside &= np.array([tuple(p) < at for p, at in zip(points[:, [KEY, KIND]].tolist(), things)])[:, None]
        # where a run of points inside begins or ends
        new = np.empty(len(points), bool)
        new[0] = True
        new[1:] = tracks[1:] != tracks[:-1]
        gap = points[:, STEP] > GRACE
        earlier = np.zeros_like(inside)
        earlier[1:] = inside[:-1]
        begins = inside & (~earlier | (new | gap)[:, None])
        later = np.zeros_like(inside)
        later[:-1] = begins[1:] | ~inside[1:]
        later[-1] = True
        later[:-1] |= new[1:, None]
        zone, first = begins.T.nonzero()
        last = (inside & later).T.nonzero()[1]
        changes = list(zip(zone.tolist(), first.tolist(), last.tolist()))
        # the first point outside after one inside, in this portion or the one before
        outside = ~inside & (earlier & ~new[:, None])
        changes += [(z, a, -1) for z, a in np.argwhere(outside.T).tolist()]
        if self._stays:
            at = new.nonzero()[0]
            heads = dict(zip(tracks[new].tolist(), zip(at.tolist(), inside[at].tolist())))
            for (z, track), stay in self._stays.items():
                head = heads.get(track)
                if head and stay.is_inside and not head[1][z]:
                    changes.append((z, head[0], -1))
        track_of, time_of = tracks.tolist(), points[:, MS].tolist()
        for z, a, b in sorted(changes):
            if b < 0:
                self._step_out(z, points[a], events)
            elif not self._goes_on(z, track_of[a], time_of[a], time_of[b]):
                self._step_in(z, points[a : b + 1], events)

    def _goes_on(self, zone: int, track: int, first: float, last: float) -> bool:
        """Go on with a visit by points inside, where nothing else comes of them; else return False."""
        stay = self._stays.get((zone, track))
        if stay is None or stay.began is None or not stay.is_inside or first - stay.last > GRACE:
            return False
        loitering = 1000 * self._zones[zone].loitering
        if loitering and stay.told < 2 and last >= max(stay.first + loitering * (stay.told + 1), stay.began):
            return False
        stay.inside += last - stay.last
        stay.last = last
        return True

    def _step_in(self, zone: int, points: np.ndarray, events: list[ZoneEvent]) -> None:
        """Go on with a stay, or begin one, by successive points inside."""
        place, times = (zone, int(points[0, TRACK])), points[:, MS]
        stay = self._stays.get(place)
        if stay and times[0] - stay.last > GRACE:
            self._finish(place, min(_closing_key(stay), _key(points[0])), events)
            stay = None
        if stay is None:
            stay = self._stays[place] = Stay(int(points[0, ID]), times[0], times[0])
        elif stay.is_inside:
            stay.inside += times[0] - stay.last
        self._begin(zone, stay, stay.inside + times - times[0], points, events)
        loitering = 1000 * self._zones[zone].loitering
        while loitering and stay.told < 2 and stay.began is not None:  # at the threshold, and at twice of it
            at = int(np.searchsorted(times, max(stay.first + loitering * (stay.told + 1), stay.began)))
            if at == len(times):
                break
            stay.told += 1
            events.append(ZoneEvent(LOITERING, _key(points[at]), zone, times[at], stay, points[at]))
        stay.inside += times[-1] - times[0]
        stay.last, stay.is_inside = times[-1], True

    def _step_out(self, zone: int, point: np.ndarray, events: list[ZoneEvent]) -> None:
        """Go on with a stay by the first point outside: until then the person was inside."""
        stay = self._stays.get((zone, int(point[TRACK])))
        if stay is None:
            return
        if point[MS] - stay.last <= GRACE:
            stay.inside += point[MS] - stay.last
            self._begin(zone, stay, np.array([stay.inside]), point[None], events)
        stay.is_inside = False

    def _begin(self, zone: int, stay: Stay, inside: np.ndarray, points: np.ndarray, events: list[ZoneEvent]) -> None:
        """Make a visit of a stay at the first of some points by which it was inside for long enough."""
        if stay.began is None and inside[-1] >= INERTIA:
            at = int(np.searchsorted(inside, INERTIA))
            stay.began = float(points[at, MS])
            events.append(ZoneEvent(ENTERED, _key(points[at]), zone, stay.began, stay, points[at]))

    def _finish(self, place: tuple[int, int], key: tuple[float, int], events: list[ZoneEvent]) -> None:
        stay = self._stays.pop(place)
        if stay.began is not None:
            events.append(ZoneEvent(LEFT, key, place[0], stay.last, stay, None, key[0] == np.inf))


def _key(point: np.ndarray) -> tuple[float, int]:
    return float(point[KEY]), int(point[KIND])


def _closing_key(stay: Stay) -> tuple[float, int]:
    return stay.last + GRACE + SETTLED, CLOSING
