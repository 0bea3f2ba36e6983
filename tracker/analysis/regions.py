"""Which people of a frame are looked at: those whose foot is where a scene says."""

from __future__ import annotations

import numpy as np

from .geometry import Polygons
from .scene import Scene
from .trajectories import HEIGHT, LEFT, TOP, WIDTH


class Regions:
    """The regions of a scene that people are left out of.

    Args:
        scene: has them.
        size: width and height of the picture, pixels.
    """

    def __init__(self, scene: Scene, size: tuple[int, int]) -> None:
        self._ignore = Polygons([np.array(polygon) * size for polygon in scene.ignore])
        self._only = Polygons([np.array(polygon) * size for polygon in scene.only])
        self._mask = scene.mask
        self._size = size

    def __bool__(self) -> bool:
        return bool(self._ignore.count or self._only.count or self._mask is not None)

    def of(self, observations: np.ndarray) -> np.ndarray:
        """Return the observations, [N, 8] as for `Trajectories.update`, of those who are looked at."""
        if not len(observations) or not self:
            return observations
        x = observations[:, LEFT] + observations[:, WIDTH] / 2
        return observations[self.keep(x, observations[:, TOP] + observations[:, HEIGHT])]

    def keep(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return [N] bool: whether feet at x [N] and y [N], in pixels, are looked at."""
        kept = ~self._ignore.contain(x, y).any(axis=1)
        if self._only.count:
            kept &= self._only.contain(x, y).any(axis=1)
        if self._mask is not None:
            rows, columns = self._mask.shape
            # a foot beyond the border of the picture counts as at it
            column = np.clip(x / self._size[0] * columns, 0, columns - 1).astype(int)
            row = np.clip(y / self._size[1] * rows, 0, rows - 1).astype(int)
            kept &= self._mask[row, column]
        return kept
