"""A tracked recording as the writers of all formats take it, and tracks thinned to the frames that matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..sinks.mot_text import FRAME, HEIGHT, ID, LEFT, SCORE

LABEL = "person"
TOLERANCE = 1.0  # pixels by which a side may be off where it is interpolated between keyframes


@dataclass(frozen=True)
class Recording:
    """Tracks of a recording.

    Attributes:
        name: of the sequence.
        table: [N, 7] frame (from 1), id, left, top, width, height, score; sorted by frame and id, both at most once.
        size: width and height of the picture, pixels.
        frame_rate: frames per second.
        first: number of the first frame.
        last: number of the last frame.
        step: every so many frames one was tracked, from the first on.
        tolerance: pixels by which a side may be off where it is interpolated between keyframes.
    """

    name: str
    table: np.ndarray
    size: tuple[int, int]
    frame_rate: float
    first: int
    last: int
    step: int = 1
    tolerance: float = TOLERANCE

    @property
    def people(self) -> int:
        """Number of identities."""
        return len(np.unique(self.table[:, ID]))

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number of every tracked frame, and its rows, of those without people too."""
        numbers = np.arange(self.first, self.last + 1, self.step)
        starts = np.searchsorted(self.table[:, FRAME], numbers)
        ends = np.searchsorted(self.table[:, FRAME], numbers, side="right")
        for number, start, end in zip(numbers.tolist(), starts.tolist(), ends.tolist()):
            yield number, self.table[start:end]

    def clipped(self, rows: np.ndarray) -> np.ndarray:
        """Return rows with their boxes cut off at the border of the picture; those wholly outside are left out."""
        low = np.clip(rows[:, LEFT : LEFT + 2], 0, self.size)
        high = np.clip(rows[:, LEFT : LEFT + 2] + rows[:, LEFT + 2 : HEIGHT + 1], 0, self.size)
        inside = (high > low).all(axis=1)
        return np.column_stack([rows[:, :LEFT], low, high - low, rows[:, SCORE:]])[inside]

    def tracks(self) -> Iterator[tuple[int, list[Segment]]]:
        """Yield every identity with its segments, by the first frame of each."""
        order = np.lexsort((self.table[:, FRAME], self.table[:, ID]))
        rows = self.table[order]
        parts = np.split(rows, np.flatnonzero(np.diff(rows[:, ID])) + 1) if len(rows) else []
        for part in sorted(parts, key=lambda one: (one[0, FRAME], one[0, ID])):
            cuts = np.flatnonzero(np.diff(part[:, FRAME]) > self.step) + 1
            yield int(part[0, ID]), [thinned(one, self.tolerance) for one in np.split(part, cuts)]


@dataclass(frozen=True)
class Segment:
    """Somebody in sight without a gap: between two keyframes the sides of the box move in a straight line.

    Attributes:
        frames: [K] numbers of the keyframes, the first and the last frame included.
        boxes: [K, 4] left, top, right, bottom.
    """

    frames: np.ndarray
    boxes: np.ndarray


def thinned(rows: np.ndarray, tolerance: float) -> Segment:
    """Leave out the frames that the others tell of (Ramer 1972; Douglas and Peucker 1973, here along time).

    Args:
        rows: [N, 7] of one identity, in order of frames.
        tolerance: pixels by which a side may be off in a frame left out.
    """
    frames, boxes = rows[:, FRAME].astype(int), rows[:, LEFT : HEIGHT + 1].copy()
    boxes[:, 2:] += boxes[:, :2]
    keep = np.zeros(len(rows), bool)
    keep[[0, -1]] = True
    spans = [(0, len(rows) - 1)]
    while spans:
        begin, end = spans.pop()
        if end - begin < 2:
            continue
        share = ((frames[begin : end + 1] - frames[begin]) / (frames[end] - frames[begin]))[:, None]
        straight = boxes[begin] + share * (boxes[end] - boxes[begin])
        off = np.abs(boxes[begin : end + 1] - straight).max(axis=1)
        worst = int(off.argmax())
        if off[worst] > tolerance:
            keep[begin + worst] = True
            spans += [(begin, begin + worst), (begin + worst, end)]
    return Segment(frames[keep], boxes[keep])
