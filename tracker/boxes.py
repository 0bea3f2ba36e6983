"""Conversions between the box formats in use, all in pixels of one image, x to the right and y down.

ltrb: left, top, right, bottom. ltwh: left, top, width, height. xyah: centre x, centre y, width / height, height.
"""

from __future__ import annotations

import numpy as np


def ltrb_to_ltwh(boxes: np.ndarray) -> np.ndarray:
    """[N, 4] corners to [N, 4] left, top, width, height."""
    boxes = np.asarray(boxes).copy()
    boxes[:, 2:] -= boxes[:, :2]
    return boxes


def ltwh_to_ltrb(boxes: np.ndarray) -> np.ndarray:
    """[N, 4] left, top, width, height to [N, 4] corners."""
    boxes = np.asarray(boxes).copy()
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def ltwh_to_xyah(boxes: np.ndarray) -> np.ndarray:
    """[N, 4] left, top, width, height to [N, 4] centre, aspect ratio, height."""
    boxes = np.asarray(boxes).copy()
    boxes[:, :2] += boxes[:, 2:] / 2
    boxes[:, 2] /= boxes[:, 3]
    return boxes


def xyah_to_ltwh(boxes: np.ndarray) -> np.ndarray:
    """[N, 4] centre, aspect ratio, height to [N, 4] left, top, width, height."""
    boxes = np.asarray(boxes).copy()
    boxes[:, 2] *= boxes[:, 3]
    boxes[:, :2] -= boxes[:, 2:] / 2
    return boxes
