"""A guess of the floor where nobody measured it: by how the height of people grows with the place of their feet."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...errors import OptionError
from ..scene import Plane
from .plane import PERSON

_ROWS, _HEIGHTS = 48, 256  # bins of the place of the foot, and of the height in pixels
_LEAST_BOXES = 20  # in a bin that tells
_LEAST_SPAN = 0.1  # of the picture's height, between the bins that tell
_HIGHEST = 100.0  # metres above the floor of a camera that tells people near from people far
_EDGE = 2.0  # pixels from the border: who is cut off has no height


def guess_plane(boxes: Iterable[np.ndarray], size: tuple[int, int]) -> Plane:
    """Guess the floor from people's boxes.

    With a camera that is held level, and a flat floor, the height of people in the picture is in proportion to the
    distance of their feet from the horizon. That tells the horizon and the camera's height; the angle of view, which
    boxes do not tell, is taken as 53 degrees across, so that lengths into the picture may well be off by a third.

    Args:
        boxes: portions [N, 4] of left, top, width, height, pixels.
        size: width and height of the picture, pixels.

    Returns:
        The plane, with metres to the right and towards the camera, marked as guessed.

    Raises:
        OptionError: the boxes do not tell it.
    """
    width, height = size
    counts = np.zeros((_ROWS, _HEIGHTS), np.int64)
    for portion in boxes:
        left, top, wide, high = portion.T
        foot = top + high
        whole = (left > _EDGE) & (top > _EDGE) & (left + wide < width - _EDGE) & (foot < height - _EDGE)
        row = (foot[whole] / height * _ROWS).astype(int)
        np.add.at(counts, (row, np.minimum(high[whole] / height * _HEIGHTS, _HEIGHTS - 1).astype(int)), 1)
    boxes_of_row = counts.sum(axis=1)
    rows = np.flatnonzero(boxes_of_row >= _LEAST_BOXES)
    if len(rows) < 3 or rows[-1] - rows[0] < _LEAST_SPAN * _ROWS:
        raise OptionError("plane: too few people at too few places to guess the floor by: give it in the scene")
    feet = (rows + 0.5) / _ROWS * height
    sums = counts[rows].cumsum(axis=1)
    middles = (sums < sums[:, -1:] / 2).sum(axis=1)  # bins of the medians
    growth, offset = np.polyfit(feet, (middles + 0.5) / _HEIGHTS * height, 1, w=np.sqrt(boxes_of_row[rows]))
    horizon = -offset / growth if growth > PERSON / _HIGHEST else np.inf
    far, near = max(feet[0], horizon + 0.02 * height), feet[-1]
    if not far < near:
        raise OptionError("plane: people are not larger the lower they stand: give the floor in the scene")
    ends = [(x, y) for y in (far, near) for x in (0.1 * width, 0.9 * width)]
    camera = PERSON / growth  # metres above the floor
    metres = [
        ((x - width / 2) * camera / (y - horizon), width * camera * (1 / (far - horizon) - 1 / (y - horizon)))
        for x, y in ends
    ]
    points = tuple((float(x / width), float(y / height)) for x, y in ends)
    return Plane(points, tuple((float(x), float(y)) for x, y in metres), guessed=True)
