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


def iou_distance(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """1 - IoU of two sets of boxes.

    A box covers its last pixel too (width = right - left + 1), as in JDE's own code, so that results stay equal.

    Args:
        boxes_a: [N, 4] left, top, right, bottom in pixels.
        boxes_b: [M, 4] likewise.

    Returns:
        [N, M] float32.
    """
    a = np.asarray(boxes_a, dtype=np.float32).reshape(-1, 4)
    b = np.asarray(boxes_b, dtype=np.float32).reshape(-1, 4)
    one = np.float32(1)
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0]) + one
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1]) + one
    area_a = (a[:, 2] - a[:, 0] + one) * (a[:, 3] - a[:, 1] + one)
    area_b = (b[:, 2] - b[:, 0] + one) * (b[:, 3] - b[:, 1] + one)
    overlap = np.where((width > 0) & (height > 0), width * height, np.float32(0))
    iou = np.divide(overlap, area_a[:, None] + area_b[None, :] - overlap, out=np.zeros_like(overlap), where=overlap > 0)
    return one - iou


def overlapping(boxes_a: np.ndarray, boxes_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows [P] and columns [P] of the pairs of boxes [N, 4] and [M, 4] (left, top, right, bottom) that share any area.

    Of many people few are close to each other: what follows has to look at these pairs alone.
    """
    left_a, top_a, right_a, bottom_a = boxes_a.T.astype(np.float32)[..., None]  # half the memory to go through
    left_b, top_b, right_b, bottom_b = boxes_b.T.astype(np.float32)
    apart = left_a >= right_b
    apart |= right_a <= left_b
    apart |= top_a >= bottom_b
    apart |= bottom_a <= top_b
    # several times as fast as nonzero of a matrix
    return np.divmod((~apart).ravel().nonzero()[0], max(len(boxes_b), 1))


def intersection(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """[P] area in square pixels that two boxes share, of pairs [P, 4] and [P, 4] (left, top, right, bottom)."""
    sides = np.minimum(boxes_a[:, 2:], boxes_b[:, 2:]) - np.maximum(boxes_a[:, :2], boxes_b[:, :2])
    np.maximum(sides, 0, out=sides)
    return sides[:, 0] * sides[:, 1]


def iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """[P] IoU of pairs of boxes [P, 4] and [P, 4] (left, top, right, bottom) of positive size."""
    shared = intersection(boxes_a, boxes_b)
    size_a, size_b = boxes_a[:, 2:] - boxes_a[:, :2], boxes_b[:, 2:] - boxes_b[:, :2]
    return shared / (size_a[:, 0] * size_a[:, 1] + size_b[:, 0] * size_b[:, 1] - shared)
