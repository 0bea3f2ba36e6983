"""How well a camera suits its task, told without labels: people too small, cut off, and lost in plain sight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..trajectories import FOOT, HEIGHT, LEFT, MS, STEP, TOP, TRACK, WIDTH, Movement, X, runs

SMALL = 60  # pixels: who is lower is mostly found by luck
EDGE = 0.25  # of the box's height: who begins or ends farther from every border does so amid the picture
BEGINNING = 1000  # milliseconds in which tracks begin because the recording does


class Health(NamedTuple):
    """What was counted of a recording.

    Attributes:
        boxes: boxes in all.
        small: of them, those lower than `SMALL` pixels.
        cut_off: of them, those that the border cuts off.
        begun_amid: tracks that began amid the picture.
        ended_amid: tracks that ended there.
        switches: the numbers that people likely lost for another at most, the lesser of these two.
    """

    boxes: int
    small: int
    cut_off: int
    begun_amid: int
    ended_amid: int
    switches: int


class HealthLog:
    """Counts as the tracks come.

    Args:
        size: width and height of the picture, pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._boxes = self._small = self._cut_off = self._begun = self._ended = 0
        self._amid: dict[int, bool] = {}  # of each track, whether it was seen last amid the picture

    def update(self, movement: Movement) -> None:
        """Take a portion of points."""
        points = movement.points
        width, height = self._size
        if len(points):
            left, top = points[:, LEFT], points[:, TOP]
            right, bottom = left + points[:, WIDTH], top + points[:, HEIGHT]
            self._boxes += len(points)
            self._small += int((points[:, HEIGHT] < SMALL).sum())
            self._cut_off += int(((left <= 0) | (top <= 0) | (right >= width) | (bottom >= height)).sum())
            edge = EDGE * points[:, HEIGHT]
            x, foot = points[:, X], points[:, FOOT]
            amid = (x > edge) & (x < width - edge) & (foot < height - edge) & (top > 0)
            self._begun += int((amid & (points[:, STEP] < 0) & (points[:, MS] >= BEGINNING)).sum())
            _, last = runs(points[1:, TRACK] != points[:-1, TRACK])
            self._amid |= zip(points[last, TRACK].astype(int).tolist(), amid[last].tolist())
        for track, key in movement.ended[:, [0, 2]].tolist():
            self._ended += self._amid.pop(int(track), False) and key < np.inf

    def result(self) -> Health:
        """Return what was counted so far."""
        switches = min(self._begun, self._ended)
        return Health(self._boxes, self._small, self._cut_off, self._begun, self._ended, switches)
