"""From the picture to the floor: metres by a homography through places whose position is known."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ...errors import OptionError
from ..geometry import cross
from ..scene import Plane

PERSON = 1.70  # metres: how tall everybody is taken to be where the floor is guessed
POOR = 0.3  # metres of error from which the fit is told to be poor


class Floor:
    """Maps points of the picture to the floor.

    Args:
        plane: the places that are known.
        size: width and height of the picture, pixels.

    Attributes:
        known: [N, 2] metres of the places that are known.
        guessed: whether nobody measured them.
        error: root of the mean squared error at the places that are known, metres; 0 for four of them.

    Raises:
        OptionError: The places do not tell the floor: three of four lie on a line, in the picture or on the floor.
    """

    def __init__(self, plane: Plane, size: tuple[int, int]) -> None:
        import cv2

        points, metres = np.array(plane.points) * size, np.array(plane.metres, np.float64)
        matrix = None
        if _tells_a_plane(points) and _tells_a_plane(metres):
            matrix, _ = cv2.findHomography(points, metres, 0)
        if matrix is None or not np.isfinite(matrix).all():
            raise OptionError("plane: its points do not tell the floor: give four or more, no three of them in a line")
        weights = np.column_stack([points, np.ones(len(points))]) @ matrix[2]
        self.known, self.guessed = metres, plane.guessed
        self._matrix = matrix * np.sign(weights[0])
        if not (weights * weights[0] > 0).all():
            raise OptionError("plane: points and metres are not in the same order: the floor would be folded")
        self.error = float(np.sqrt(((self.metres(points) - metres) ** 2).sum(axis=1).mean()))

    def __str__(self) -> str:
        if self.guessed:
            return f"the plane is a guess: everybody is taken to be {PERSON:.2f} m tall"
        return f"the plane fits its points to {self.error:.2f} m"

    def metres(self, points: np.ndarray) -> np.ndarray:
        """Return where points [N, 2] in pixels are on the floor, [N, 2] metres; nan at the horizon and beyond."""
        x, y = points[:, 0], points[:, 1]
        rows = [row[0] * x + row[1] * y + row[2] for row in self._matrix]
        with np.errstate(divide="ignore", invalid="ignore"):
            made = np.stack([rows[0] / rows[2], rows[1] / rows[2]], axis=1)
        made[~(rows[2] > 1e-9)] = np.nan
        return made


def _tells_a_plane(points: np.ndarray) -> bool:
    """Return whether four of the points [N, 2], no three of them in a line, can be found among the first eight."""

    def is_triangle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> bool:
        return bool(abs(cross(*(b - a), *(c - a))) > 1e-6 * np.ptp(points) ** 2)

    return any(all(is_triangle(*three) for three in combinations(four, 3)) for four in combinations(points[:8], 4))
