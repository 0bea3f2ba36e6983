"""Crossings of lines, counted so that neither jitter nor a way around the end counts.

The anchor of a box is on a side of a line once it is farther from it than a band, a tenth of the box's height and at
least three pixels; within the band it stays on the side it had. Somebody crosses when the side changes and the way from
the last point on the old side to the first one on the new side cuts the line itself. Back and forth are two crossings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..geometry import Segments
from ..scene import ANCHORS, Line
from ..trajectories import (
    CENTRE,
    FOOT,
    HEAD,
    HEIGHT,
    ID,
    KEY,
    KIND,
    LATE,
    MS,
    SCORE,
    SETTLED,
    STEP,
    TRACK,
    Movement,
    X,
    runs,
)

BAND, LEAST_BAND = 0.1, 3.0  # of the box's height; pixels
SEEN = 250.0  # milliseconds out of sight that leave a crossing as certain as none
NEAR = 0.5  # of the box's height: a track that begins or ends so near to a line may have crossed it
IN, OUT = 0, 1  # directions
BEGINS, ENDS = 1, 2  # halves of a crossing
ANCHOR_COLUMN = dict(zip(ANCHORS, (FOOT, CENTRE, HEAD)))

# columns of the points kept for every line and track: the last one on a side, and the farthest distance on that side
_SIDE, _X, _Y, _SCORE, _DISTANCE, _BAND, _REACH, _MS, _ID, _ROW, _NEAR = range(11)


@dataclass(frozen=True)
class Crossed:
    """A crossing, or half of one.

    Attributes:
        key: when it could be known first, and the kind of that key.
        line: number of the line.
        direction: `IN` or `OUT`.
        ms: when, milliseconds.
        id: of the person.
        half: 0 for a whole crossing; else a track that `BEGINS` or `ENDS` at the line, so that one may be missed.
        point: [`COLUMNS`] the first point on the new side; None for half a crossing.
        x: where the way cuts the line, pixels.
        y: likewise.
        certainty: 0 to 1.
    """

    key: tuple[float, int]
    line: int
    direction: int
    ms: float
    id: int
    half: int = 0
    point: np.ndarray | None = None
    x: float = 0.0
    y: float = 0.0
    certainty: float = 0.0

    @property
    def order(self) -> tuple:
        """What crossings are told in the order of."""
        return (*self.key, self.id, self.line, self.half, self.direction)


class CrossingCounter:
    """Finds the crossings of all lines of a scene.

    Args:
        lines: by name.
        size: width and height of the picture, pixels.
    """

    def __init__(self, lines: Mapping[str, Line], size: tuple[int, int]) -> None:
        self.names = list(lines)
        self.places = [np.array(line.points) * size for line in lines.values()]
        self._segments = Segments(self.places) if lines else None
        columns = [ANCHOR_COLUMN[line.anchor] for line in lines.values()]
        self._anchor_of_line = np.array(columns, int)
        if self._segments:
            self._anchor = self._anchor_of_line[self._segments.line_of]
        self._codes = np.zeros(0, np.int64)  # track and line of the points kept
        self._kept = np.zeros((0, _NEAR + 1))

    def update(self, movement: Movement) -> list[Crossed]:
        """Return the crossings, and halves of such, that a portion of points settles, in the order of their keys."""
        if self._segments is None:
            return []
        halves: list[Crossed] = []
        crossings: list[Crossed] = []
        if len(movement.points):
            halves, crossings = self._take(movement.points)
        halves += self._end(movement.ended)
        return sorted([*crossings, *halves], key=lambda crossed: crossed.order)

    def _take(self, points: np.ndarray) -> tuple[list[Crossed], list[Crossed]]:
        assert self._segments is not None
        count = len(self.names)
        distance, turn = self._segments.measure(points[:, X : X + 1], points[:, self._anchor])
        band = np.maximum(BAND * points[:, HEIGHT], LEAST_BAND)
        row, line = ((distance > band[:, None]) & (turn != 0)).nonzero()
        if not len(row):
            return [], []
        order = np.argsort(line * len(points) + row) if count > 1 else slice(None)
        row, line = row[order], line[order]

        fresh = np.empty((len(row), _NEAR + 1))
        fresh[:, _SIDE] = np.sign(turn[row, line])
        fresh[:, _X] = points[row, X]
        fresh[:, _Y] = points[row, self._anchor_of_line[line]]
        fresh[:, _SCORE] = points[row, SCORE]
        fresh[:, _DISTANCE] = fresh[:, _REACH] = distance[row, line]
        fresh[:, _BAND] = band[row]
        fresh[:, _MS] = points[row, MS]
        fresh[:, _ID] = points[row, ID]
        fresh[:, _ROW] = row
        fresh[:, _NEAR] = NEAR * points[row, HEIGHT]
        # what is known of a line and track, then what is new of it, side after side
        codes = np.concatenate([self._codes, points[row, TRACK].astype(np.int64) * count + line])
        entries = np.concatenate([self._kept, fresh])
        order = np.argsort(codes, kind="stable")
        codes, entries = codes[order], entries[order]
        others = codes[1:] != codes[:-1]
        first, last = runs(others | (entries[1:, _SIDE] != entries[:-1, _SIDE]))
        begins, ends = np.ones(len(first), bool), np.ones(len(first), bool)  # the runs of a line and track
        begins[1:] = ends[:-1] = others[last[:-1]]
        reach = np.maximum.reduceat(entries[:, _REACH], first)
        changes = (~begins).nonzero()[0]  # runs on a side that follow one on the other
        crossings = []
        if len(changes):
            made = (entries[last[changes - 1]], entries[first[changes]], reach[changes - 1], codes[first[changes]])
            crossings = self._cross(points, *made)
        new = begins & (order[first] >= len(self._codes))
        halves = [
            self._half(entries[at], int(codes[at] % count), BEGINS, tuple(points[int(entries[at, _ROW]), [KEY, KIND]]))
            for at in first[new]
            if entries[at, _MS] > 0 and _is_near(entries[at])  # in the very first frame everybody is new
        ]
        self._codes, self._kept = codes[last[ends]], entries[last[ends]]
        self._kept[:, _REACH] = reach[ends]
        return halves, crossings

    def _cross(
        self, points: np.ndarray, before: np.ndarray, after: np.ndarray, reach: np.ndarray, codes: np.ndarray
    ) -> list[Crossed]:
        """Return which of the ways from one side to another are crossings."""
        assert self._segments is not None
        line = codes % len(self.names)
        part = self._segments.cuts(line, before[:, [_X, _Y]], after[:, [_X, _Y]])
        made = []
        for at in np.flatnonzero(~np.isnan(part)):
            x, y = before[at, [_X, _Y]] + part[at] * (after[at, [_X, _Y]] - before[at, [_X, _Y]])
            point = points[int(after[at, _ROW])]
            ends = self.places[line[at]][[0, -1]]
            doubts = (
                min(before[at, _SCORE], after[at, _SCORE]),
                reach[at] / before[at, _BAND],
                point[STEP],
                math.dist(before[at, [_X, _Y]], after[at, [_X, _Y]]) / point[HEIGHT],
                min(math.dist((x, y), end) for end in ends.tolist()) / point[HEIGHT],
            )
            made.append(
                Crossed(
                    (point[KEY], int(point[KIND])),
                    int(line[at]),
                    IN if after[at, _SIDE] > 0 else OUT,
                    point[MS],
                    int(point[ID]),
                    0,
                    point,
                    x,
                    y,
                    certainty(*doubts),
                )
            )
        return made

    def _end(self, ended: np.ndarray) -> list[Crossed]:
        """Forget tracks that ended, and return those that did so at a line."""
        if not len(ended) or not len(self._codes):
            return []
        count = len(self.names)
        gone = np.isin(self._codes // count, ended[:, 0].astype(np.int64))
        keys = dict(zip(ended[:, 0].astype(np.int64).tolist(), ended[:, 2].tolist()))
        halves = []
        for code, entry in zip(self._codes[gone].tolist(), self._kept[gone]):
            key = keys[code // count]
            if np.isfinite(key) and _is_near(entry):
                halves.append(self._half(entry, code % count, ENDS, (key, LATE)))
        self._codes, self._kept = self._codes[~gone], self._kept[~gone]
        return halves

    def _half(self, entry: np.ndarray, line: int, half: int, key: tuple) -> Crossed:
        """Return half a crossing: who begins on a side may have crossed to it, who ends on one may cross from it."""
        direction = IN if (entry[_SIDE] > 0) == (half == BEGINS) else OUT
        # the end of a track is known late: it counts as then, so that no interval need wait for it
        ms = entry[_MS] if half == BEGINS else key[0] - SETTLED
        return Crossed((key[0], int(key[1])), line, direction, ms, int(entry[_ID]), half)


def _is_near(entry: np.ndarray) -> bool:
    return bool(entry[_DISTANCE] < entry[_NEAR])


def certainty(score: float, reach: float, gap: float, jump: float, end: float) -> float:
    """Return how likely a crossing is a real one, 0 to 1.

    It is a logistic function of what makes crossings doubtful, fitted to those of four labelled sequences over lines
    drawn at random (`tools/answers/eval_crossings.py --certainty` compares it with what was real). Without any doubt
    it is .98.

    Args:
        score: lower one of the detections before and after, 0 to 1; doubtful below .8.
        reach: farthest distance from the line on the old side, in widths of the band; doubtful below 5.
        gap: time out of sight in between, milliseconds; doubtful above `SEEN`.
        jump: way between the two points, in heights of the box; doubtful above a half.
        end: distance of the nearer end of the line from where it was cut, in heights of the box; doubtful below .2.
    """
    doubt = 2.0 * min(max((5 - reach) / 4, 0.0), 1.0)
    doubt += 2.4 * min(max(gap - SEEN, 0.0) / 1000, 2.0)
    doubt += 1.8 * min(max(jump - 0.5, 0.0), 1.5)
    doubt += 2.5 * min(max(0.8 - score, 0.0), 0.5)
    doubt += 2.2 * min(max(1 - end / 0.2, 0.0), 1.0)
    return 1 / (1 + math.exp(doubt - 3.7))
