"""Which sight of somebody tells what they look like: whole, large enough, and alone."""

from __future__ import annotations

import numpy as np

from ..boxes import intersection, ltwh_to_ltrb

LEAST_HEIGHT, LEAST_WIDTH = 40.0, 14.0  # pixels
FULL_HEIGHT = 128.0  # pixels: who is taller is large enough
MOST_COVERED = 0.3  # part of a box that another one may cover


def sight_qualities(boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return how well each person of a frame is seen.

    Args:
        boxes: [N, 4] left, top, width, height in pixels.
        scores: [N] of the detections, 0 to 1.
        size: width and height of the picture; None where nobody is taken for cut off by its border.

    Returns:
        [N] 0 to 1: the score, times the height up to `FULL_HEIGHT`, times the part of the box that no other covers; 0
        for who is too small, too much covered, or cut off by the border.
    """
    corners = ltwh_to_ltrb(boxes)
    area = np.maximum(boxes[:, 2] * boxes[:, 3], 1e-9)
    covered = intersection(corners[:, None], corners) / area[:, None]
    np.fill_diagonal(covered, 0)
    most_covered = covered.max(axis=1, initial=0)
    good = (boxes[:, 3] >= LEAST_HEIGHT) & (boxes[:, 2] >= LEAST_WIDTH) & (most_covered <= MOST_COVERED)
    if size is not None:
        good &= (corners[:, :2] > 0).all(axis=1) & (corners[:, 2:] < size).all(axis=1)
    return np.where(good, scores * np.minimum(1, boxes[:, 3] / FULL_HEIGHT) * (1 - most_covered), 0)
