"""From boxes, frame by frame, to the ways of people: one point a person and frame, smoothed over three frames.

All that is asked of tracks is computed from these points. They come in portions, of one frame while a video runs and
of thousands of lines from a text, and nothing that is made of them depends on how they are cut: a point is given on
once it is settled, and everything is told in the order of the time at which it could be known first, its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import SourceError

# columns of observations: time in milliseconds, then those of the MOT text
OBSERVATION = ("ms", "frame", "id", "left", "top", "width", "height", "score")
MS, FRAME, ID, LEFT, TOP, WIDTH, HEIGHT, SCORE = range(8)
# further columns of points: the smoothed place of the box, across, and of its lower side, middle and upper side; the
# time since the point before, -1 for the first; which track it is of; and when it could be known
X, FOOT, CENTRE, HEAD, STEP, TRACK, KEY, KIND = range(8, 16)
COLUMNS = 16

SETTLED = 500  # milliseconds: no frame later than this smooths a point
ON_TIME, LATE, CLOSING = 0, 1, 2  # kinds of keys: by a frame; by the lack of one; by the lack of one inside


@dataclass(frozen=True)
class Movement:
    """What a portion of observations settled.

    Attributes:
        points: [N, `COLUMNS`], those of a track in one piece and in order of time.
        ended: [M, 3] track, id and key, of the tracks whose person was out of sight for longer than the memory.
        horizon: all points before this time are known, milliseconds; infinity once the recording is over.
        end: time of its last frame once it is over, else None.
    """

    points: np.ndarray
    ended: np.ndarray
    horizon: float
    end: float | None = None

    def without(self, identities: Sequence[int]) -> Movement:
        """Return what is settled of all others."""
        if not identities:
            return self
        points = self.points[~np.isin(self.points[:, ID], identities)]
        return replace(self, points=points, ended=self.ended[~np.isin(self.ended[:, 1], identities)])


def runs(changes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where runs of rows that belong together begin and end.

    Args:
        changes: [N - 1] whether a row begins a run, of all but the first.

    Returns:
        [M] number of the first row of each run, and [M] of the last.
    """
    before = changes.nonzero()[0]
    first, last = np.zeros(len(before) + 1, np.int64), np.full(len(before) + 1, len(changes))
    first[1:], last[:-1] = before + 1, before
    return first, last


class Trajectories:
    """Smooths the tracks of a recording and cuts them where somebody was out of sight for too long.

    The place of a box is the median of its own and those of the frames before and after, for x and y by themselves. At
    the ends of a track, and beside a gap of more than half a second, it is its own.

    Args:
        memory: longest time out of sight within a track, seconds.
    """

    def __init__(self, memory: float) -> None:
        self._memory = round(1000 * memory)
        self._tails = np.zeros((0, COLUMNS))  # the last points of each track: one not settled yet, and one before
        self._tracks = 0

    def update(self, observations: np.ndarray, now: float) -> Movement:
        """Take the next observations.

        Args:
            observations: [N, 8] by the columns of `OBSERVATION`, of whole frames, later than all before; an id at most
                once a frame.
            now: time of the last frame, with people or without, milliseconds.

        Returns:
            What is settled by now.

        Raises:
            SourceError: an id is twice in a frame.
        """
        rows = np.empty((len(self._tails) + len(observations), COLUMNS))
        rows[: len(self._tails)] = self._tails
        fresh = rows[len(self._tails) :]
        fresh[:, :8] = observations
        fresh[:, X] = observations[:, LEFT] + observations[:, WIDTH] / 2
        fresh[:, FOOT] = observations[:, TOP] + observations[:, HEIGHT]
        fresh[:, CENTRE] = observations[:, TOP] + observations[:, HEIGHT] / 2
        fresh[:, HEAD] = observations[:, TOP]
        fresh[:, TRACK] = -1
        fresh[:, KEY] = np.nan
        return self._settle(rows[np.lexsort((rows[:, MS], rows[:, ID]))], now)

    def close(self, end: float) -> Movement:
        """Settle what is left: the recording is over. The tracks that it cut off end with a key of infinity.

        Args:
            end: time of its last frame, milliseconds.
        """
        movement = self._settle(self._tails, np.inf)
        movement.ended[:, 2] = np.inf
        return replace(movement, end=end)

    def _settle(self, rows: np.ndarray, now: float) -> Movement:
        count = len(rows)
        if not count:
            return Movement(rows, np.zeros((0, 3)), now - SETTLED)
        ms = rows[:, MS]
        step = np.full(count + 1, np.inf)  # step[i]: from the row before i
        same = rows[1:, ID] == rows[:-1, ID]
        step[1:-1] = np.where(same, np.diff(ms), np.inf)
        if not step.all():
            row = rows[int(step.argmin())]
            raise SourceError(f"id {row[ID]:.0f} is twice in frame {row[FRAME]:.0f}")
        begins = step[:-1] > self._memory
        arrived = rows[:, TRACK] < 0
        rows[arrived, STEP] = np.where(begins, -1, step[:-1])[arrived]
        self._number(rows, begins)
        known = ~np.isnan(rows[:, KEY])  # given on before
        at = np.arange(count)
        before = at - (step[:-1] <= SETTLED)
        after = at + (step[1:] <= SETTLED)
        settled = ~known & ((after > at) | (ms + SETTLED < now))
        last = step[1:] > self._memory
        over = last & (ms + self._memory < now)

        points = rows[settled]
        now_at, earlier, later = at[settled], before[settled], after[settled]
        places = rows[:, X : HEAD + 1]
        low, middle, high = places[earlier], places[now_at], places[later]
        points[:, X : HEAD + 1] = np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), middle))
        points[:, KIND] = np.where(later > now_at, ON_TIME, LATE)
        points[:, KEY] = np.where(later > now_at, ms[later], ms[now_at] + SETTLED)

        # Kept as they are, unsmoothed: the last row of a track, and the one before it where it smooths that.
        rows[settled, KEY] = points[:, KEY]
        keep = last & ~over
        keep[:-1] |= keep[1:] & ~begins[1:] & (step[1:-1] <= SETTLED)
        self._tails = rows[keep]
        ended = np.stack([rows[over, TRACK], rows[over, ID], ms[over] + self._memory], axis=1)
        return Movement(points, ended, now - SETTLED)

    def _number(self, rows: np.ndarray, begins: np.ndarray) -> None:
        """Give every row the number of its track."""
        firsts = begins.nonzero()[0]
        numbers = rows[firsts, TRACK]
        unknown = numbers < 0
        new = int(unknown.sum())
        numbers[unknown] = np.arange(self._tracks, self._tracks + new)
        self._tracks += new
        rows[:, TRACK] = numbers[np.cumsum(begins) - 1]
