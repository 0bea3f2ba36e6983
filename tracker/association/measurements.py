"""The detections of a frame in the forms an association needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..boxes import intersection, overlapping
from ..structures import Detections
from .matching import normalised


@dataclass(frozen=True)
class Measurements:
    """The detections of a frame in the forms the association needs.

    Attributes:
        ltrb: [M, 4] float64 corners.
        xywh: [M, 4] centre, width, height.
        scores: [M].
        embeddings: [M, D] float32, L2-normalised.
        covered: [M] largest share of a box that is covered by one in front of it: one that stands lower.
    """

    ltrb: np.ndarray
    xywh: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    covered: np.ndarray

    @classmethod
    def of(cls, detections: Detections, threshold: float) -> Measurements:
        ltrb = detections.boxes.astype(np.float64)
        keep = (detections.scores > threshold) & np.isfinite(ltrb).all(axis=1) & (ltrb[:, 2:] > ltrb[:, :2]).all(axis=1)
        ltrb = ltrb[keep]
        return cls(
            ltrb=ltrb,
            xywh=np.concatenate([(ltrb[:, :2] + ltrb[:, 2:]) / 2, ltrb[:, 2:] - ltrb[:, :2]], axis=1),
            scores=detections.scores[keep].astype(np.float64),
            embeddings=normalised(detections.embeddings[keep].astype(np.float32, copy=False)),
            covered=_covered(ltrb),
        )


def _covered(boxes: np.ndarray) -> np.ndarray:
    behind, front = overlapping(boxes, boxes)
    lower = boxes[front, 3] > boxes[behind, 3]
    behind, front = behind[lower], front[lower]
    area = (boxes[behind, 2] - boxes[behind, 0]) * (boxes[behind, 3] - boxes[behind, 1])
    share = intersection(boxes[behind], boxes[front]) / area
    covered = np.zeros(len(boxes))
    order = np.argsort(share)  # of several writes to one place the last, and so the largest, stays
    covered[behind[order]] = share[order]
    return covered
