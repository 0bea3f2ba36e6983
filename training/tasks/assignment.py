"""Assignment of people to the cells of an anchor-free detector: SimOTA of YOLOX (arXiv 2107.08430)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.boxes import box_iou, intersection

CENTRE = 2.5  # strides between a box's centre and the middle of a cell in the box, for the cell to be a candidate
CANDIDATES = 10  # a person gets as many cells as the sum of this many largest IoUs
IOU_WEIGHT = 3.0  # weight of the IoU cost against the confidence cost
INSIDE = 0.5  # share of a predicted box within an ignored one from which it is ignored too


@dataclass(frozen=True)
class Assignment:
    """Training targets of the cells of one image.

    Attributes:
        cells: [P] int64, cells that a person is assigned to.
        people: [P] int64, which person, as an index of the boxes given.
        ious: [P] float32, IoU of the predicted box of each with the true one.
        counted: [M] bool, cells with a confidence loss.
    """

    cells: np.ndarray
    people: np.ndarray
    ious: np.ndarray
    counted: np.ndarray


def assign(
    boxes: np.ndarray,
    ignored: np.ndarray,
    predicted: np.ndarray,
    logits: np.ndarray,
    centres: np.ndarray,
    strides: np.ndarray,
) -> Assignment:
    """Assign the cells of one image to its people.

    Args:
        boxes: [N, 4] left, top, right, bottom of people and ignored regions, in pixels.
        ignored: [N] bool, which of them are ignored regions.
        predicted: [M, 4] box that each cell predicts at present.
        logits: [M] confidence of each, before the sigmoid.
        centres: [M, 2] x, y of each cell's middle, in pixels.
        strides: [M] stride of each cell's level, in pixels.
    """
    counted = np.ones(len(predicted), bool)
    if ignored.any():
        size = np.maximum(predicted[:, 2:] - predicted[:, :2], 1e-6).prod(axis=1)
        counted = ~((intersection(boxes[ignored][:, None], predicted) / size) > INSIDE).any(axis=0)
    people = np.flatnonzero(~ignored)
    near = _near(boxes[people], centres, strides)
    cells = np.flatnonzero(near.any(axis=0))
    if not len(cells):
        empty = np.zeros(0, np.int64)
        return Assignment(empty, empty, np.zeros(0, np.float32), counted)
    iou = box_iou(boxes[people], predicted[cells])
    confidence_cost = np.logaddexp(0, -logits[cells])  # -log of the sigmoid, without overflow
    cost = confidence_cost + IOU_WEIGHT * -np.log(iou + 1e-8) + 1e5 * ~near[:, cells]
    taken = np.zeros(cost.shape, bool)
    for person, (costs, ious) in enumerate(zip(cost, iou)):
        best = np.sort(ious)[-CANDIDATES:]
        count = int(np.clip(best.sum(), 1, len(cells)))
        taken[person, np.argpartition(costs, count - 1)[:count]] = True
    taken &= near[:, cells]
    disputed = taken.sum(axis=0) > 1
    taken[:, disputed] = False
    taken[cost[:, disputed].argmin(axis=0), np.flatnonzero(disputed)] = True
    person, cell = np.nonzero(taken)
    counted[cells[cell]] = True
    return Assignment(cells[cell], people[person], iou[person, cell].astype(np.float32), counted)


def _near(boxes: np.ndarray, centres: np.ndarray, strides: np.ndarray) -> np.ndarray:
    """Return [N, M] bool: whether the middle of a cell is in a box and near its centre."""
    x, y = centres.T
    left, top, right, bottom = (side[:, None] for side in boxes.T)
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    radius = CENTRE * strides
    return inside & (np.abs(x - (left + right) / 2) < radius) & (np.abs(y - (top + bottom) / 2) < radius) | (
        # a box smaller than a cell may contain the middle of none
        (np.abs(x - (left + right) / 2) < strides / 2) & (np.abs(y - (top + bottom) / 2) < strides / 2)
    )
