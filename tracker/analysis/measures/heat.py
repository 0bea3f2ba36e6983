"""Where people stand and walk: maps of person-seconds, of people, and of directions, over a grid of the picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..trajectories import FOOT, HEIGHT, MS, STEP, TRACK, Movement, X

CELLS = 640  # most cells along the longer side of the picture
SPREAD = 0.25  # of the box's height: standard deviation of the place of somebody
COARSE = 16  # cells a side of the squares in which the mean direction is taken
PLACE = 8  # cells a side of the squares in which people are counted
_LEVELS = 8  # classes of heights, each twice the one before
_LOWEST = 16.0  # pixels, of the first of them
# columns of what is kept of a point
_TRACK, _X, _FOOT, _STEP, _MS, _COLUMN, _ROW, _LEVEL = range(8)


class _Sums:
    """Sums of whole numbers at places of which few are used."""

    def __init__(self) -> None:
        self._places, self._values = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._tidy = 0  # the first so many places are different ones

    def add(self, places: np.ndarray, values: np.ndarray) -> None:
        self._places, self._values = np.append(self._places, places), np.append(self._values, values)
        if len(self._places) > 2 * self._tidy + 10_000:
            used, at = np.unique(self._places, return_inverse=True)
            sums = np.zeros(len(used), np.int64)
            np.add.at(sums, at, self._values)
            self._places, self._values, self._tidy = used, sums, len(used)

    def dense(self, size: int) -> np.ndarray:
        """Return the sums [size] of all places."""
        made = np.zeros(size, np.int64)
        np.add.at(made, self._places, self._values)
        return made


class HeatMap:
    """Sums up how long people stand where, as the points come, and spreads it at the end.

    Args:
        size: width and height of the picture, pixels.
        interval: length of the intervals that have a map of the time each, seconds; 0 for none.

    Attributes:
        cell: width and height of a cell, pixels.
        shape: rows and columns.
    """

    def __init__(self, size: tuple[int, int], interval: float = 0.0) -> None:
        width, height = size
        self.cell = max(1, -(-max(width, height) // CELLS))
        self.shape = -(-height // self.cell), -(-width // self.cell)
        self._cells = self.shape[0] * self.shape[1]
        self._time = np.zeros((_LEVELS, self._cells), np.int64)  # milliseconds
        self._places = -(-self.shape[0] // PLACE), -(-self.shape[1] // PLACE)
        self._people = np.zeros(self._places, np.int32)
        self._flow_shape = tuple(-(-side // COARSE) for side in self.shape)
        self._flow = np.zeros((3, self._flow_shape[0] * self._flow_shape[1]), np.int64)  # x, y, in hundredths; points
        # Of each track the last point, whose time inside is not known yet; and the places where it was counted.
        self._last = np.zeros((0, _LEVEL + 1))
        self._most = np.array([self.shape[1], self.shape[0], _LEVELS]) - 1  # column, row and class of height
        self._visited: dict[int, set[int]] = {}
        self._neighbours: dict[int, frozenset[int]] = {}
        self._square: dict[int, int] = {}  # where each track was last
        self._interval = round(1000 * interval)
        self._parts: dict[int, _Sums] = {}  # the time spent, by the number of the interval
        self._next_part = 0

    def update(self, movement: Movement) -> None:
        """Take a portion of points."""
        points = movement.points
        if len(points):
            fresh = np.empty((len(points), _LEVEL + 1))
            fresh[:, : _MS + 1] = points[:, [TRACK, X, FOOT, STEP, MS]]
            fresh[:, _COLUMN:] = self._place(points)
            rows = np.concatenate([self._last, fresh])
            rows = rows[np.argsort(rows[:, _TRACK], kind="stable")]
            follows = np.zeros(len(rows), bool)
            follows[:-1] = rows[1:, _TRACK] == rows[:-1, _TRACK]
            at = follows.nonzero()[0]
            self._add(rows[at], rows[at + 1])
            self._visit(fresh)
            self._last = rows[~follows]
        if len(movement.ended):
            ended = movement.ended[:, 0]
            self._last = self._last[~np.isin(self._last[:, _TRACK], ended)]
            for track in ended.astype(int).tolist():
                self._visited.pop(track, None)
                self._square.pop(track, None)

    def time(self) -> np.ndarray:
        """Return the person-seconds in each cell, [rows, columns] float32; their sum is the time of all in sight."""
        return self._spread(self._time / 1000)

    def parts(self, horizon: float, end: float | None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number of every interval that is over and was not yielded before, and its map, as `time` is.

        Args:
            horizon: all time spent before this one, milliseconds, has been given.
            end: time of the last frame, milliseconds, once the recording is over, else None.
        """
        last = horizon if end is None else end + self._interval
        while self._interval and last >= (self._next_part + 1) * self._interval:
            part = self._parts.pop(self._next_part, None)
            time = np.zeros(self._time.size) if part is None else part.dense(self._time.size)
            yield self._next_part, self._spread(time.reshape(self._time.shape) / 1000)
            self._next_part += 1

    def people(self) -> np.ndarray:
        """Return how many people came by each cell, [rows, columns] float32.

        Each counts once in every square of `PLACE` cells that they were in or beside; neighbouring squares are blended.
        """
        import cv2

        counts = self._people.astype(np.float64).repeat(PLACE, axis=0).repeat(PLACE, axis=1)
        counts = counts[: self.shape[0], : self.shape[1]]
        return cv2.GaussianBlur(counts, (0, 0), PLACE / 2, borderType=cv2.BORDER_REPLICATE).astype(np.float32)

    def flow(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean motion and the number of points of each square of `COARSE` cells.

        Returns:
            [rows, columns, 2] float32 pixels from one point to the next, to the right and down; [rows, columns] int64.
        """
        x, y, count = self._flow.reshape(3, *self._flow_shape)
        return (np.stack([x, y], axis=-1) / 100 / np.maximum(count, 1)[..., None]).astype(np.float32), count

    def _place(self, points: np.ndarray) -> np.ndarray:
        """Return column, row, and class of height of points, [N, 3]; those outside of the picture are at its border."""
        place = np.empty((len(points), 3))
        place[:, :2] = points[:, [X, FOOT]] // self.cell
        place[:, 2] = np.rint(np.log2(np.maximum(points[:, HEIGHT], 1) / _LOWEST))
        return np.minimum(np.maximum(place, 0), self._most)  # for a few points np.clip takes several times as long

    def _add(self, rows: np.ndarray, following: np.ndarray) -> None:
        column, row, level = rows[:, _COLUMN:].astype(int).T
        cell, spent = row * self.shape[1] + column, following[:, _STEP].astype(np.int64)
        np.add.at(self._time, (level, cell), spent)
        if self._interval:
            number = (rows[:, _MS] // self._interval).astype(int)
            for part in np.unique(number).tolist():
                here = number == part
                self._parts.setdefault(part, _Sums()).add((level * self._cells + cell)[here], spent[here])
        square = row // COARSE * self._flow_shape[1] + column // COARSE
        for sums, values in zip(self._flow, (*np.rint(100 * (following - rows)[:, [_X, _FOOT]]).T, np.ones(len(rows)))):
            np.add.at(sums, square, values.astype(np.int64))

    def _visit(self, fresh: np.ndarray) -> None:
        """Count each person once in each square where their foot was, and in those around it."""
        column, row = fresh[:, [_COLUMN, _ROW]].astype(int).T
        squares: list[int] = []
        columns = self._places[1]
        place = row // PLACE * columns + column // PLACE
        changed = np.ones(len(fresh), bool)
        changed[1:] = (place[1:] != place[:-1]) | (fresh[1:, _TRACK] != fresh[:-1, _TRACK])
        for track, where in zip(fresh[changed, _TRACK].astype(int).tolist(), place[changed].tolist()):
            if self._square.get(track) == where:
                continue
            self._square[track] = where
            visited = self._visited.setdefault(track, set())
            new = self._around(where) - visited
            visited |= new
            squares += new
        if squares:
            np.add.at(self._people.reshape(-1), squares, 1)

    def _around(self, square: int) -> frozenset[int]:
        """Return a square and those beside it, by number."""
        known = self._neighbours.get(square)
        if known is None:
            rows, columns = self._places
            row, column = divmod(square, columns)
            known = self._neighbours[square] = frozenset(
                y * columns + x
                for y in range(max(row - 1, 0), min(row + 2, rows))
                for x in range(max(column - 1, 0), min(column + 2, columns))
            )
        return known

    def _spread(self, levels: np.ndarray) -> np.ndarray:
        import cv2

        total = np.zeros(self.shape, np.float64)
        for level, values in enumerate(levels):
            if values.any():
                sigma = SPREAD * _LOWEST * 2.0**level / self.cell
                # reflected at the border, so that nothing is lost
                total += cv2.GaussianBlur(values.reshape(self.shape), (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        return total.astype(np.float32)


def draw_heat(
    values: np.ndarray,
    size: tuple[int, int],
    unit: str,
    title: str,
    background: np.ndarray | None = None,
) -> np.ndarray:
    """Draw a map with a colour bar.

    Colours go by the logarithm of the values up to their 99th percentile, so that one who stands for long does not
    drown all others.

    Args:
        values: [rows, columns].
        size: width and height of the picture, pixels.
        unit: of the values.
        title: text above the bar, such as the period.
        background: [H, W, 3] uint8 BGR picture of this size; None for grey.

    Returns:
        [H, W + bar, 3] uint8 BGR.
    """
    import cv2

    width, height = size
    large = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    used = values[values > 1e-4 * max(float(values.max(initial=0)), 1e-9)]
    top = float(np.percentile(used, 99)) if len(used) else 1.0
    least = top / 100
    rank = np.clip(np.log1p(large / least) / np.log1p(top / least), 0, 1)
    colours = cv2.applyColorMap(np.rint(255 * rank).astype(np.uint8), cv2.COLORMAP_TURBO)
    if background is None:
        background = np.full((height, width, 3), 64, np.uint8)
    opacity = np.where(rank > 0.02, 0.5, 0.0)[..., None] if len(used) else 0.0
    picture = np.rint(background * (1 - opacity) + colours * opacity).astype(np.uint8)

    scale = max(0.4, (width + height) / 2 * 0.0006)
    bar_width = round(150 * scale / 0.4)
    bar = np.full((height, bar_width, 3), 255, np.uint8)
    line = round(20 * scale / 0.4)
    for number, text in enumerate((title, unit)):
        cv2.putText(bar, text, (6, line * (number + 1) - 4), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
    upper, lower = 3 * line, height - line
    steps = np.linspace(255, 0, max(lower - upper, 2)).astype(np.uint8)[:, None]
    ramp = cv2.applyColorMap(np.repeat(steps, line, axis=1), cv2.COLORMAP_TURBO)
    if lower - upper >= 2:
        bar[upper:lower, 6 : 6 + line] = ramp[: lower - upper]
        for part in (0.0, 0.25, 0.5, 0.75, 1.0):
            value = least * np.expm1(part * np.log1p(top / least)) if len(used) else 0.0
            at = int(lower - part * (lower - upper))
            place = (12 + line, min(at + 5, height - 2))
            cv2.putText(bar, f"{value:.3g}", place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([picture, bar], axis=1)


def draw_flow(
    motion: np.ndarray, count: np.ndarray, size: tuple[int, int], cell: int, background: np.ndarray | None = None
) -> np.ndarray:
    """Draw an arrow of the mean direction into each square in which people walk.

    Args:
        motion: [rows, columns, 2] as `HeatMap.flow` returns it.
        count: [rows, columns] number of points.
        size: width and height of the picture, pixels.
        cell: of the map, pixels.
        background: [H, W, 3] uint8 BGR picture of this size; None for grey.

    Returns:
        [H, W, 3] uint8 BGR.
    """
    import cv2

    picture = np.full((size[1], size[0], 3), 64, np.uint8) if background is None else background // 2
    side = COARSE * cell
    speed = np.linalg.norm(motion, axis=-1)
    usual = float(np.percentile(speed[count > 0], 90)) if count.any() else 1.0
    for row, column in zip(*np.nonzero(count)):
        x, y = (column + 0.5) * side, (row + 0.5) * side
        dx, dy = motion[row, column] / max(speed[row, column], usual, 1e-9) * 0.45 * side
        start, end = (round(x - dx), round(y - dy)), (round(x + dx), round(y + dy))
        cv2.arrowedLine(picture, start, end, (0, 220, 255), max(1, side // 16), cv2.LINE_AA, tipLength=0.35)
    return picture
