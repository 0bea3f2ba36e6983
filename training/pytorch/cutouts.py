"""People cut out of frames along their outline, to paste them in front of others."""

from __future__ import annotations

import cv2
import numpy as np

from tracker.boxes import box_iou, intersection

HEIGHT = 220  # pixels that a higher person is scaled down to
LEAST_HEIGHT = 90  # of a box that a person is cut out of, pixels
WIDEST = 0.7  # width to height of a box with one standing person
ALONE = 0.05  # share of a box that others may cover
MARGIN = (0.15, 0.06)  # of background on each side, as a part of width and height
LEAST_IOU = 0.72  # of the box of the outline with that of the person: below, something else was cut out
FILLED = (0.35, 0.8)  # share of the box that a person's outline fills


def eligible(image: np.ndarray, boxes: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Return the indices [E] of the people who stand whole and alone, and are large enough to be cut out.

    Args:
        image: [H, W, 3] uint8.
        boxes: [N, 4] left, top, right, bottom in pixels.
        ignored: [N] bool, boxes that are no people.
    """
    height, width = image.shape[:2]
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    good = ~ignored & (sides[:, 1] >= LEAST_HEIGHT) & (sides[:, 1] <= height * 0.98)
    good &= (sides[:, 0] / sides[:, 1] <= WIDEST) & (boxes[:, 0] >= 2) & (boxes[:, 2] <= width - 2)
    return np.flatnonzero(good & (covered_by_others(boxes) <= ALONE))


def covered_by_others(boxes: np.ndarray) -> np.ndarray:
    """Return the largest share of each box [N, 4] that any one other box covers: [N]."""
    area = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6).prod(axis=1)
    covered = intersection(boxes[:, None], boxes) / area[:, None]
    np.fill_diagonal(covered, 0)
    return covered.max(axis=1, initial=0)


def cut_out(image: np.ndarray, box: np.ndarray, height: int = HEIGHT) -> tuple[np.ndarray, np.ndarray] | None:
    """Cut a person out by GrabCut (Rother et al., 2004), which is told where a standing person's trunk must be.

    Args:
        image: [H, W, 3] uint8 BGR.
        box: [4] left, top, right, bottom in pixels.
        height: Pixels that the crop of a higher person is scaled down to.

    Returns:
        [h, w, 3] uint8 BGR, at most ``height`` high, and [h, w] float32, 1 where the person is and soft at the outline;
        None where the outline cannot be a person's.
    """
    size = box[2:] - box[:2]
    limits = np.array([image.shape[1], image.shape[0]])
    left, top = np.maximum(box[:2] - size * MARGIN, 0).astype(int)
    right, bottom = np.minimum(box[2:] + size * MARGIN, limits).astype(int)
    crop = image[top:bottom, left:right]
    scale = min(1, height / len(crop))
    crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    inner = ((box - [left, top, left, top]) * scale).astype(int)
    marks = _marks(crop.shape[:2], inner)
    try:
        cv2.grabCut(crop, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # no colours to tell apart
        return None
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(np.uint8((marks & 1) == 1))
    if count < 2:
        return None
    person = labels == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax()
    rows, columns = np.flatnonzero(person.any(axis=1)), np.flatnonzero(person.any(axis=0))
    outline = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    filled = person.sum() / max((inner[2:] - inner[:2]).prod(), 1)
    if box_iou(outline[None].astype(float), inner[None].astype(float))[0, 0] < LEAST_IOU:
        return None
    if not FILLED[0] < filled < FILLED[1]:
        return None
    inside = np.s_[outline[1] : outline[3], outline[0] : outline[2]]
    return crop[inside].copy(), cv2.GaussianBlur(person[inside].astype(np.float32), (3, 3), 0)


def _marks(shape: tuple[int, int], box: np.ndarray) -> np.ndarray:
    """Return what GrabCut begins with: sure background, a box, a body in it that is likely, and a sure trunk."""
    left, top, right, bottom = box.tolist()
    width, height, middle = right - left, bottom - top, (left + right) // 2
    marks = np.full(shape, cv2.GC_BGD, np.uint8)
    marks[top:bottom, left:right] = cv2.GC_PR_BGD
    body, trunk = (int(width * 0.3), int(height * 0.47)), (int(width * 0.12), int(height * 0.3))
    cv2.ellipse(marks, (middle, (top + bottom) // 2), body, 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.ellipse(marks, (middle, top + int(height * 0.4)), trunk, 0, 0, 360, cv2.GC_FGD, -1)
    return marks
