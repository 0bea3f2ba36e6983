"""A plan of the floor, seen from above: where people were, in metres."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..rows import FloorPoint
from .plane import Floor

CELLS = 200  # along the longer side of the plan
CELL = 4  # pixels
MARGIN = 0.5  # of the longer side of the known places: how far beyond them the plan reaches
_EDGE = 40  # pixels around the plan, for the numbers
_PARTS = np.arange(-0.45, 0.5, 0.1)  # of a second around its middle, at which its way is counted


class FloorPlan:
    """Counts where people were on the floor, second by second, over a grid that does not grow.

    Args:
        floor: its known places tell what the plan shows.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        low, high = floor.known.min(axis=0), floor.known.max(axis=0)
        margin = MARGIN * float((high - low).max())
        self._low, size = low - margin, high - low + 2 * margin
        self._cell = float(size.max()) / CELLS  # metres
        self._counts = np.zeros(np.ceil(size / self._cell).astype(int)[::-1], np.int64)

    def update(self, points: Iterable[FloorPoint]) -> None:
        """Count the ways of some seconds; what is beyond the plan is left out."""
        rows = np.array([(point.x_m, point.y_m, point.vx, point.vy) for point in points]).reshape(-1, 4)
        ways = rows[:, None, :2] + _PARTS[:, None] * rows[:, None, 2:]
        places = (ways.reshape(-1, 2) - self._low) / self._cell
        column, row = places[((places >= 0) & (places < self._counts.shape[::-1])).all(axis=1)].astype(int).T
        np.add.at(self._counts, (row, column), 1)

    def draw(self) -> np.ndarray:
        """Draw the plan: x to the right and y down, a grid of metres, crosses at the known places.

        Darker is where people were for longer; the error of the fit is above.

        Returns:
            [H, W, 3] uint8 BGR.
        """
        import cv2

        counts = cv2.GaussianBlur(self._counts.astype(np.float64), (0, 0), 1)
        top = float(np.percentile(counts[counts > 1e-3], 99)) if (counts > 1e-3).any() else 1.0
        rank = np.rint(255 * np.clip(np.sqrt(counts / top), 0, 1)).astype(np.uint8)
        large = cv2.resize(rank, None, fx=CELL, fy=CELL, interpolation=cv2.INTER_LINEAR)
        plan = np.stack([255 - large // 8, 255 - large // 2, 255 - large], axis=-1)
        height, width = large.shape
        picture = np.full((height + 2 * _EDGE, width + 2 * _EDGE, 3), 255, np.uint8)
        picture[_EDGE : _EDGE + height, _EDGE : _EDGE + width] = plan
        scale = CELL / self._cell  # pixels a metre
        self._draw_grid(picture, scale)
        for x, y in np.rint((self._floor.known - self._low) * scale + _EDGE).astype(int).tolist():
            cv2.drawMarker(picture, (x, y), (0, 0, 200), cv2.MARKER_CROSS, 12, 2)
        _write(picture, f"metres; {self._floor}", (_EDGE, 15))
        return picture

    def _draw_grid(self, picture: np.ndarray, scale: float) -> None:
        import cv2

        height, width = (side - 2 * _EDGE for side in picture.shape[:2])
        step = _round_step(60 / scale)
        for axis, (length, across) in enumerate(((width, height), (height, width))):
            low = float(self._low[axis])
            for number in range(int(np.ceil(low / step)), int((low + length / scale) / step) + 1):
                at = round((number * step - low) * scale) + _EDGE
                ends = ((at, _EDGE), (at, _EDGE + across)), ((_EDGE, at), (_EDGE + across, at))
                cv2.line(picture, *ends[axis], (200, 200, 200), 1)
                place = (at - 8, _EDGE + across + 15) if axis == 0 else (4, at + 4)
                _write(picture, f"{number * step:g}", place)


def _round_step(least: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is not less."""
    power = 10.0 ** np.floor(np.log10(least))
    return next(float(part * power) for part in (1, 2, 5, 10) if part * power >= least * (1 - 1e-9))


def _write(picture: np.ndarray, text: str, place: tuple[int, int]) -> None:
    import cv2

    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
