"""Places where numbers may be wrong, each with the edit that would correct it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..rows import Suspect
from ..trajectories import (
    FOOT,
    FRAME,
    HEIGHT,
    ID,
    KEY,
    KIND,
    LATE,
    LEFT,
    MS,
    SETTLED,
    STEP,
    TOP,
    TRACK,
    WIDTH,
    Movement,
    X,
    runs,
)

FOUND, JUMPED, SHORT = "found", "jumped", "short"
BRIEF = 1000.0  # milliseconds: who is seen for less, amid the picture, may be nobody
AWAY = 10_000.0  # milliseconds for which somebody lost may be found again
RUN = 1.0, 1.0  # heights, and heights a second: how far away from where they were lost
LEAP = 0.5, 2.5  # likewise: who goes farther from one frame to the next has jumped
UNSEEN = 250.0  # milliseconds: over longer gaps nothing is a jump
ALIKE = 1.5  # how many times as tall somebody found may be
EDGE = 0.25  # of the box's height: nearer to the border people come and go


@dataclass
class _Seen:
    """Where somebody was; times in milliseconds, places in pixels."""

    id: int
    ms: float
    x: float
    foot: float
    height: float
    frame: int
    amid: bool
    first: float


class SuspectLog:
    """Finds them as the tracks come: somebody lost and found under another number, a jump, somebody seen for a moment.

    Args:
        size: width and height of the picture, pixels.
        memory: of the tracks, seconds.
    """

    def __init__(self, size: tuple[int, int], memory: float) -> None:
        self._size = size
        self._memory = 1000 * memory
        self._last: dict[int, _Seen] = {}  # by track
        self._lost: list[_Seen] = []
        self._new: list[_Seen] = []  # who may be somebody lost, once all are known who were lost by then

    def update(self, movement: Movement) -> list[Suspect]:
        """Return what a portion of points settles, in the order in which it could be known."""
        made: list[tuple[tuple[float, int, int], Suspect]] = []
        if len(movement.points):
            self._look(movement.points, made)
        for track, _, key in movement.ended.tolist():
            seen = self._last.pop(int(track))
            if key == np.inf or not seen.amid:
                continue
            self._lost.append(seen)
            if seen.ms - seen.first < BRIEF:
                edit = f"drop: [{seen.id}]"
                made.append(((key, LATE, seen.id), Suspect(seen.first / 1000, seen.frame, SHORT, seen.id, None, edit)))
        known = [seen for seen in self._new if seen.ms + self._memory < movement.horizon]
        self._new = [seen for seen in self._new if seen.ms + self._memory >= movement.horizon]
        for seen in sorted(known, key=lambda one: (one.ms, one.id)):
            self._find(seen, made)
        return [suspect for _, suspect in sorted(made, key=lambda item: item[0])]

    def _look(self, points: np.ndarray, made: list) -> None:
        width, height = self._size
        edge = EDGE * points[:, HEIGHT]
        amid = (points[:, X] > edge) & (points[:, X] < width - edge) & (points[:, FOOT] < height - edge)
        amid &= (points[:, TOP] > 0) & (points[:, LEFT] > 0) & (points[:, LEFT] + points[:, WIDTH] < width)
        at, ends = runs(points[1:, TRACK] != points[:-1, TRACK])
        tracks = points[at, TRACK].astype(int).tolist()
        known = [self._last.get(track) for track in tracks]
        way = np.empty(len(points))  # from the point before
        way[1:] = np.hypot(points[1:, X] - points[:-1, X], points[1:, FOOT] - points[:-1, FOOT])
        before = np.array([(seen.x, seen.foot) if seen else (np.nan, np.nan) for seen in known])
        way[at] = np.hypot(*(points[at][:, [X, FOOT]] - before).T)
        seconds = points[:, STEP] / 1000
        jumped = (points[:, STEP] > 0) & (points[:, STEP] <= UNSEEN)
        jumped &= way > points[:, HEIGHT] * (LEAP[0] + LEAP[1] * seconds)
        for point in points[jumped]:
            identity, frame = int(point[ID]), int(point[FRAME])
            edit = f"split: [{{id: {identity}, frame: {frame}}}]"
            suspect = Suspect(point[MS] / 1000, frame, JUMPED, identity, None, edit)
            made.append(((point[KEY], int(point[KIND]), identity), suspect))
        for point, inside in zip(points[points[:, STEP] < 0], amid[points[:, STEP] < 0].tolist()):
            if inside and point[MS] > 0:
                self._new.append(_seen(point, inside, point[MS]))
        begins = points[at, MS].tolist()
        for track, seen, begin, point, inside in zip(tracks, known, begins, points[ends], amid[ends].tolist()):
            self._last[track] = _seen(point, inside, seen.first if seen else begin)

    def _find(self, seen: _Seen, made: list) -> None:
        """Look for somebody lost who may have been found under another number, the nearest of them."""
        self._lost = [one for one in self._lost if seen.ms - one.ms <= AWAY + self._memory + SETTLED]
        best, least = None, 1.0
        for lost in self._lost:
            away = seen.ms - lost.ms
            if not 0 < away <= AWAY or lost.id == seen.id:
                continue
            tall = max(seen.height, lost.height) / min(seen.height, lost.height)
            far = float(np.hypot(seen.x - lost.x, seen.foot - lost.foot)) / lost.height
            share = far / (RUN[0] + RUN[1] * away / 1000)
            if tall <= ALIKE and share <= least:
                best, least = lost, share
        if best:
            self._lost.remove(best)
            edit = f"merge: [[{best.id}, {seen.id}]]"
            suspect = Suspect(seen.ms / 1000, seen.frame, FOUND, seen.id, best.id, edit)
            made.append(((seen.ms + self._memory + SETTLED, LATE, seen.id), suspect))


def _seen(point: np.ndarray, amid: bool, first: float) -> _Seen:
    row = point.tolist()
    return _Seen(int(row[ID]), row[MS], row[X], row[FOOT], row[HEIGHT], int(row[FRAME]), amid, first)
