"""What each person did second by second: where they were on average, and how fast, by a straight line through it.

Ways, speeds and things that never move are computed from these, so that the jitter of single boxes matters little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..floor.plane import Floor
from ..trajectories import FOOT, FRAME, HEIGHT, ID, KEY, KIND, LATE, MS, SCORE, STEP, TRACK, Movement, X, runs

SECOND = 1000  # milliseconds
CUT = 2.0  # pixels from the lower border of the picture: a box that ends there does not show the foot

# columns of the sums of one person in one second; whole numbers, so that they are the same in any order
TRACK_, SECOND_, ID_ = 0, 1, 2
COUNT, TIME, TIME2, X_, Y_, HEIGHT_, SCORE_, STEP_ = range(3, 11)  # hundredths of a pixel, ten-thousandths of a score
ON_FLOOR, F_TIME, F_TIME2, F_X, F_Y, F_XT, F_YT = range(11, 18)  # of the points whose place is known, millimetres
SUMS = slice(COUNT, F_YT + 1)
FIRST_X, FIRST_Y, FIRST_FX, FIRST_FY, FIRST_MS = range(18, 23)
LAST_X, LAST_Y, LAST_FX, LAST_FY, LAST_MS, LAST_FRAME = range(23, 29)
_WIDTH = 29


@dataclass(frozen=True)
class Seconds:
    """The seconds of people that are over.

    Attributes:
        rows: [N, 29] sums of a track in a second, those of a track in one piece and in order of time.
        keys: [N, 2] when each could be known first, and the kind of that key.
        ended: [M, 3] as in `Movement`.
    """

    rows: np.ndarray
    keys: np.ndarray
    ended: np.ndarray


class SecondSums:
    """Sums up points by seconds.

    Args:
        height: of the picture, pixels.
        floor: tells places in metres; None where there is no plane.
    """

    def __init__(self, height: int, floor: Floor | None = None) -> None:
        self._height = height
        self._floor = floor
        self._open = np.zeros((0, _WIDTH))

    def update(self, movement: Movement) -> Seconds:
        """Take a portion of points, and return the seconds that it ends."""
        fresh, keys = self._sum(movement.points)
        # a second that goes on: what is known of it, then what is new; else the new one ends the one before
        rows = np.concatenate([self._open, fresh])
        keys = np.concatenate([np.full((len(self._open), 2), np.nan), keys])
        order = np.argsort(rows[:, TRACK_], kind="stable")
        rows, keys = rows[order], keys[order]
        same = (rows[1:, TRACK_] == rows[:-1, TRACK_]) & (rows[1:, SECOND_] == rows[:-1, SECOND_])
        if same.any():
            into = same.nonzero()[0]
            rows[into, SUMS] += rows[into + 1, SUMS]
            rows[into, LAST_X:] = rows[into + 1, LAST_X:]
            kept = np.ones(len(rows), bool)
            kept[1:] = ~same
            rows, keys = rows[kept], keys[kept]
        over = np.zeros(len(rows), bool)
        over[:-1] = rows[1:, TRACK_] == rows[:-1, TRACK_]
        known = np.full((len(rows), 2), np.nan)
        known[:-1] = keys[1:]
        if len(movement.ended):
            ended = np.isin(rows[:, TRACK_], movement.ended[:, 0]) & ~over
            key_of = dict(zip(movement.ended[:, 0].tolist(), movement.ended[:, 2].tolist()))
            known[ended] = [(key_of[track], LATE) for track in rows[ended, TRACK_].tolist()]
            over |= ended
        self._open = rows[~over]
        return Seconds(rows[over], known[over], movement.ended)

    def _sum(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums [M, 29] of points, and the keys [M, 2] of the first point of each sum."""
        count = len(points)
        if not count:
            return np.zeros((0, _WIDTH)), np.zeros((0, 2))
        second = points[:, MS] // SECOND
        first, last = runs((points[1:, TRACK] != points[:-1, TRACK]) | (second[1:] != second[:-1]))
        values = np.zeros((count, F_YT + 1 - COUNT))
        time = points[:, MS] - second * SECOND
        values[:, COUNT - COUNT] = 1
        values[:, TIME - COUNT] = time
        values[:, TIME2 - COUNT] = time * time
        values[:, X_ - COUNT] = np.rint(100 * points[:, X])
        values[:, Y_ - COUNT] = np.rint(100 * points[:, FOOT])
        values[:, HEIGHT_ - COUNT] = np.rint(100 * points[:, HEIGHT])
        values[:, SCORE_ - COUNT] = np.rint(10_000 * points[:, SCORE])
        values[:, STEP_ - COUNT] = np.maximum(points[:, STEP], 0)
        place = np.full((count, 2), np.nan)
        if self._floor:
            place = self._floor.metres(points[:, [X, FOOT]])
            place[(points[:, FOOT] >= self._height - CUT) | (np.abs(place) > 1e6).any(axis=1)] = np.nan
            known = ~np.isnan(place[:, 0])
            x, y = np.rint(1000 * np.where(known[:, None], place, 0)).T
            for column, value in (
                (ON_FLOOR, 1),
                (F_TIME, time),
                (F_TIME2, time * time),
                (F_X, x),
                (F_Y, y),
                (F_XT, x * time),
                (F_YT, y * time),
            ):
                values[:, column - COUNT] = known * value
        rows = np.empty((len(first), _WIDTH))
        rows[:, TRACK_] = points[first, TRACK]
        rows[:, SECOND_] = second[first]
        rows[:, ID_] = points[first, ID]
        rows[:, SUMS] = np.add.reduceat(values, first)
        for at, column in ((first, FIRST_X), (last, LAST_X)):
            rows[:, column : column + 2] = points[at][:, [X, FOOT]]
            rows[:, column + 2 : column + 4] = place[at]
            rows[:, column + 4] = points[at, MS]
        rows[:, LAST_FRAME] = points[last, FRAME]
        return rows, points[first][:, [KEY, KIND]]


def slope(count: np.ndarray, t: np.ndarray, t2: np.ndarray, v: np.ndarray, vt: np.ndarray) -> np.ndarray:
    """Return the slope of the straight line of least squares through points, from their sums; nan for one point.

    Args:
        count: [N] number of points.
        t: [N] sum of their times.
        t2: [N] sum of the squares of these.
        v: [N] sum of the values.
        vt: [N] sum of value times time.

    Returns:
        [N] change of the value in a unit of time.
    """
    spread = count * t2 - t * t
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, (count * vt - v * t) / np.where(spread > 0, spread, 1), np.nan)
