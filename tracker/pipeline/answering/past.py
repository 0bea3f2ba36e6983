"""What was seen just before a segment of a run, so that whoever crosses a line at its beginning is counted once."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from ...analysis.trajectories import FRAME, HEIGHT, LEFT, MS

LENGTH = 60_000  # milliseconds that are remembered


class Past:
    """Hands the last minute of a run from the answers to one segment on to those to the next.

    Attributes:
        holder: whose segment is being written; for any other the run goes on without it.
    """

    def __init__(self) -> None:
        self.holder: object = None
        self._rows: deque[tuple[float, tuple[int, int], np.ndarray]] = deque()
        self._lock = threading.Lock()

    def add(self, observations: np.ndarray, base: float, size: tuple[int, int]) -> None:
        """Remember a frame.

        Args:
            observations: [N, 8] as for `SceneAnalysis.update`; their times count from base.
            base: when the segment began, milliseconds of the run.
            size: width and height of the picture.
        """
        if not len(observations):
            return
        with self._lock:
            now = base + observations[0, MS]
            self._rows.append((base, size, observations))
            while self._rows[0][0] + self._rows[0][2][0, MS] < now - LENGTH:
                self._rows.popleft()

    def before(self, base: float, size: tuple[int, int]) -> np.ndarray:
        """Return what was seen before a segment.

        Args:
            base: when it begins, milliseconds of the run.
            size: width and height of its pictures, to which the boxes are scaled.

        Returns:
            [N, 8] with times from base on, all below 0; every frame has number 1.
        """
        with self._lock:
            seen = list(self._rows)
        made = [np.zeros((0, 8))]
        for began, (width, height), observations in seen:
            rows = observations.copy()
            rows[:, MS] += began - base
            rows[:, FRAME] = 1
            rows[:, LEFT : HEIGHT + 1] *= [size[0] / width, size[1] / height] * 2
            made.append(rows[rows[:, MS] < 0])
        return np.concatenate(made)
