"""Box formats and the overlap of boxes, all in pixels of one image, x to the right and y down.

ltrb: left, top, right, bottom. ltwh: left, top, width, height. xyah: centre x, centre y, width / height, height.
"""

from __future__ import annotations

import numpy as np


def ltrb_to_ltwh(boxes: np.ndarray) -> np.ndarray:
    """Convert [N, 4] left, top, right, bottom to [N, 4] left, top, width, height."""
    boxes = np.asarray(boxes).copy()
    boxes[:, 2:] -= boxes[:, :2]
    return boxes


def ltwh_to_ltrb(boxes: np.ndarray) -> np.ndarray:
    """Convert [N, 4] left, top, width, height to [N, 4] left, top, right, bottom."""
    boxes = np.asarray(boxes).copy()
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def ltwh_to_xyah(boxes: np.ndarray) -> np.ndarray:
    """Convert [N, 4] left, top, width, height to [N, 4] centre x, centre y, width / height, height."""
    boxes = np.asarray(boxes).copy()
    boxes[:, :2] += boxes[:, 2:] / 2
    boxes[:, 2] /= boxes[:, 3]
    return boxes


def xyah_to_ltwh(boxes: np.ndarray) -> np.ndarray:
    """Convert [N, 4] centre x, centre y, width / height, height to [N, 4] left, top, width, height."""
    boxes = np.asarray(boxes).copy()
    boxes[:, 2] *= boxes[:, 3]
    boxes[:, :2] -= boxes[:, 2:] / 2
    return boxes


def intersection(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Return the area that boxes have in common.

    Args:
        boxes_a: [..., 4] left, top, right, bottom in pixels.
        boxes_b: [..., 4] likewise, of a shape that broadcasts with that of boxes_a: [P, 4] and [P, 4] for pairs,
            [N, 1, 4] and [M, 4] for each with each.

    Returns:
        [...] in square pixels; 0 for boxes that only touch.
    """
    sides = np.minimum(boxes_a[..., 2:], boxes_b[..., 2:]) - np.maximum(boxes_a[..., :2], boxes_b[..., :2])
    np.maximum(sides, 0, out=sides)
    return sides[..., 0] * sides[..., 1]


def paired_iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Return the intersection over union (IoU) of pairs of boxes.

    Args:
        boxes_a: [P, 4] left, top, right, bottom in pixels; any shape [..., 4] that broadcasts with boxes_b is taken.
        boxes_b: [P, 4] likewise.

    Returns:
        [P], 0 to 1; 0 for two boxes without area.
    """
    shared = intersection(boxes_a, boxes_b)
    union = _area(boxes_a) + _area(boxes_b) - shared
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)


def box_iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Return the intersection over union (IoU) of each box of one set with each of another.

    Args:
        boxes_a: [N, 4] left, top, right, bottom in pixels.
        boxes_b: [M, 4] likewise.

    Returns:
        [N, M], 0 to 1; 0 for two boxes without area.
    """
    return paired_iou(boxes_a[:, None], boxes_b)


def overlapping(boxes_a: np.ndarray, boxes_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the pairs of boxes that have some area in common.

    In a crowd most pairs have none, so that what is computed for these pairs alone costs little.

    Args:
        boxes_a: [N, 4] left, top, right, bottom in pixels.
        boxes_b: [M, 4] likewise.

    Returns:
        [P] indices into boxes_a, ascending, and [P] indices into boxes_b.
    """
    # Comparing float32 moves half the memory.
    left_a, top_a, right_a, bottom_a = boxes_a.T.astype(np.float32)[..., None]
    left_b, top_b, right_b, bottom_b = boxes_b.T.astype(np.float32)
    apart = left_a >= right_b
    apart |= right_a <= left_b
    apart |= top_a >= bottom_b
    apart |= bottom_a <= top_b
    # Several times as fast as nonzero of a matrix.
    return np.divmod((~apart).ravel().nonzero()[0], max(len(boxes_b), 1))


def jde_iou_distance(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Return 1 - IoU of each box of one set with each of another, as JDE and PaddleDetection compute it.

    A box includes its last pixel (width = right - left + 1), so the value differs a little from 1 - `box_iou`. It is
    for code that must agree with theirs; use `box_iou` elsewhere.

    Args:
        boxes_a: [N, 4] left, top, right, bottom in pixels.
        boxes_b: [M, 4] likewise.

    Returns:
        [N, M] float32, 0 to 1.
    """
    a = np.asarray(boxes_a, dtype=np.float32).reshape(-1, 4)
    b = np.asarray(boxes_b, dtype=np.float32).reshape(-1, 4)
    one = np.float32(1)
    # The order of the additions is theirs too: every bit counts for boxes that are equally far.
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0]) + one
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1]) + one
    area_a = (a[:, 2] - a[:, 0] + one) * (a[:, 3] - a[:, 1] + one)
    area_b = (b[:, 2] - b[:, 0] + one) * (b[:, 3] - b[:, 1] + one)
    shared = np.where((width > 0) & (height > 0), width * height, np.float32(0))
    iou = np.divide(shared, area_a[:, None] + area_b[None, :] - shared, out=np.zeros_like(shared), where=shared > 0)
    return one - iou


def _area(boxes: np.ndarray) -> np.ndarray:
    sides = boxes[..., 2:] - boxes[..., :2]
    return sides[..., 0] * sides[..., 1]
