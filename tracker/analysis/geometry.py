"""Points, segments and polygons in the picture: x to the right, y down, pixels."""

from __future__ import annotations

import numpy as np

ON_BORDER = 1e-6  # pixels: nearer to the border of a polygon than this is on it


def cross(ax: np.ndarray, ay: np.ndarray, bx: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Return the cross product of two vectors: positive where b points to the right of a, as the picture shows it."""
    return ax * by - ay * bx


def cuts_itself(polygon: np.ndarray) -> bool:
    """Return whether two sides of a polygon [N, 2] that are not neighbours meet, or neighbours lie on each other."""
    count = len(polygon)
    start, end = polygon, np.roll(polygon, -1, axis=0)
    side = end - start
    if not side.any(axis=1).all() or abs(np.sum(cross(*start.T, *end.T))) < 1e-12 * np.ptp(polygon) ** 2:
        return True  # a side of no length, or no area
    for first in range(count):
        for second in range(first + 1, count):
            if second - first in (1, count - 1):
                here, there = (first, second) if second - first == 1 else (second, first)
                straight = cross(*side[here], *side[there]) == 0
                if straight and side[here] @ side[there] < 0:
                    return True
            elif _meet(start[first], end[first], start[second], end[second]):
                return True
    return False


def _meet(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    """Return whether the segments ab and cd have a point in common."""

    def turn(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        return float(np.sign(cross(*(q - p), *(r - p))))

    def between(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> bool:
        return bool((np.minimum(p, q) <= r).all() and (r <= np.maximum(p, q)).all())

    turns = turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)
    if turns[0] != turns[1] and turns[2] != turns[3]:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(where == 0 and between(*points) for where, points in zip(turns, ends))


def middle_and_aside(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the point half way along a line, and the direction to its right, of length 1.

    Args:
        points: [N, 2] of the line, pixels.
    """
    sides = np.diff(points, axis=0)
    lengths = np.linalg.norm(sides, axis=1)
    rest = lengths.sum() / 2 - np.concatenate([[0], lengths.cumsum()[:-1]])
    at = int(np.flatnonzero(rest >= 0)[-1])
    along = sides[at] / lengths[at]
    return points[at] + along * rest[at], np.array([-along[1], along[0]])


class Segments:
    """The segments of several lines, measured all at once.

    Args:
        lines: [N, 2] points of each line, pixels.
    """

    def __init__(self, lines: list[np.ndarray]) -> None:
        self.starts = np.concatenate([line[:-1] for line in lines]).reshape(-1, 2)
        self.sides = np.concatenate([np.diff(line, axis=0) for line in lines]).reshape(-1, 2)
        self.first = np.cumsum([0, *(len(line) - 1 for line in lines)])[:-1]  # first segment of each line
        self.line_of = np.repeat(np.arange(len(lines)), [len(line) - 1 for line in lines])
        self._square = (self.sides**2).sum(axis=1)
        self._length = np.sqrt(self._square)
        self._straight = len(self.line_of) == len(lines)

    def measure(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how far points are from each line and on which side of it.

        Args:
            x: [N, 1] pixels.
            y: [N, S] pixels, for each segment.

        Returns:
            [N, L] distance in pixels, and [N, L] side: positive to the right of the line, 0 straight ahead or behind.
        """
        dx, dy = x - self.starts[:, 0], y - self.starts[:, 1]
        along = (dx * self.sides[:, 0] + dy * self.sides[:, 1]) / self._square
        along = np.minimum(np.maximum(along, 0), 1)  # for a few points np.clip takes several times as long
        turn = cross(self.sides[:, 0], self.sides[:, 1], dx, dy)
        distance = np.sqrt((dx - along * self.sides[:, 0]) ** 2 + (dy - along * self.sides[:, 1]) ** 2)
        if self._straight:
            return distance, turn
        # At a bend both segments are equally far; the one that the point is farther aside of tells the side.
        rank = distance - 1e-6 * np.abs(turn) / self._length
        nearest = [
            first + rank[:, first:last].argmin(axis=1)
            for first, last in zip(self.first, [*self.first[1:], len(self.line_of)])
        ]
        chosen = np.stack(nearest, axis=1)
        return np.take_along_axis(distance, chosen, axis=1), np.take_along_axis(turn, chosen, axis=1)

    def cuts(self, line: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return where ways cut lines.

        Args:
            line: [N] number of the line that each way is compared with.
            begin: [N, 2] pixels.
            end: [N, 2] pixels.

        Returns:
            [N] the part of the way, 0 to 1, at which it first cuts the line; nan where it does not. A way that meets
            an end of the line cuts it.
        """
        way = (end - begin)[:, None]
        before, after = begin[:, None] - self.starts, end[:, None] - self.starts
        turn_before = cross(self.sides[:, 0], self.sides[:, 1], before[..., 0], before[..., 1])
        turn_after = cross(self.sides[:, 0], self.sides[:, 1], after[..., 0], after[..., 1])
        turn_start = cross(way[..., 0], way[..., 1], -before[..., 0], -before[..., 1])
        rest = self.sides - before
        turn_end = cross(way[..., 0], way[..., 1], rest[..., 0], rest[..., 1])
        meet = (turn_before * turn_after <= 0) & (turn_start * turn_end <= 0) & (turn_before != turn_after)
        meet &= self.line_of == line[:, None]
        part = turn_before / np.where(meet, turn_before - turn_after, 1)
        first = np.where(meet, part, np.inf).min(axis=1, initial=np.inf)
        return np.where(np.isfinite(first), first, np.nan)


class Polygons:
    """Several polygons, asked all at once which points they hold.

    Args:
        polygons: [N, 2] corners of each, pixels.
    """

    def __init__(self, polygons: list[np.ndarray]) -> None:
        self.count = len(polygons)
        most = max(map(len, polygons), default=0)
        # Padding repeats the last corner: a side of no length is neither crossed nor touched but at that corner.
        padded = [np.concatenate([p, np.repeat(p[:1], most - len(p), axis=0)]) for p in polygons]
        self._corners = np.array(padded).reshape(self.count, most, 2)
        self._next = np.roll(self._corners, -1, axis=1)
        self._low = np.array([p.min(axis=0) - ON_BORDER for p in polygons]).reshape(-1, 2)
        self._high = np.array([p.max(axis=0) + ON_BORDER for p in polygons]).reshape(-1, 2)

    def contain(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return whether polygons hold points; their borders belong to them.

        Args:
            x: [N] pixels.
            y: [N] pixels.

        Returns:
            [N, P] bool.
        """
        px, py = x[:, None], y[:, None]
        inside = (px >= self._low[:, 0]) & (px <= self._high[:, 0])
        inside &= (py >= self._low[:, 1]) & (py <= self._high[:, 1])
        point, polygon = inside.nonzero()
        if len(point):
            inside[point, polygon] = self._hold(polygon, x[point][:, None], y[point][:, None])
        return inside

    def _hold(self, polygon: np.ndarray, px: np.ndarray, py: np.ndarray) -> np.ndarray:
        a, b = self._corners[polygon], self._next[polygon]
        ax, ay, bx, by = a[..., 0], a[..., 1], b[..., 0], b[..., 1]
        turn = cross(bx - ax, by - ay, px - ax, py - ay)
        spans = (ay > py) != (by > py)
        # The ray to the right crosses a side that spans its height where the point is on the side's left.
        crossed = (spans & ((turn > 0) == (by < ay)) & (turn != 0)).sum(axis=1) % 2 == 1
        length = np.abs(bx - ax) + np.abs(by - ay)
        touch = np.abs(turn) <= ON_BORDER * length
        touch &= (px >= np.minimum(ax, bx) - ON_BORDER) & (px <= np.maximum(ax, bx) + ON_BORDER)
        touch &= (py >= np.minimum(ay, by) - ON_BORDER) & (py <= np.maximum(ay, by) + ON_BORDER)
        return crossed | (touch & (length > 0)).any(axis=1)
