"""The detections of a frame in the forms that the trackers need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..boxes import ltrb_to_ltwh, ltwh_to_ltrb, ltwh_to_xyah
from ..structures import Detections
from .matching import normalised


@dataclass(frozen=True)
class FusedMeasurements:
    """The detections of a frame as `FusedTracker` needs them.

    Attributes:
        ltrb: [M, 4] float64 left, top, right, bottom in pixels of the original image.
        xywh: [M, 4] float64 centre x, centre y, width, height.
        scores: [M] float64.
        embeddings: [M, D] float32, L2-normalised.
    """

    ltrb: np.ndarray
    xywh: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray

    @classmethod
    def of(cls, detections: Detections, threshold: float) -> FusedMeasurements:
        """Convert the detections that score above the threshold; boxes that are not finite or empty are left out."""
        ltrb = detections.boxes.astype(np.float64)
        keep = (detections.scores > threshold) & np.isfinite(ltrb).all(axis=1) & (ltrb[:, 2:] > ltrb[:, :2]).all(axis=1)
        ltrb = ltrb[keep]
        return cls(
            ltrb=ltrb,
            xywh=np.concatenate([(ltrb[:, :2] + ltrb[:, 2:]) / 2, ltrb[:, 2:] - ltrb[:, :2]], axis=1),
            scores=detections.scores[keep].astype(np.float64),
            embeddings=normalised(detections.embeddings[keep].astype(np.float32, copy=False)),
        )


@dataclass(frozen=True)
class JDEMeasurements:
    """The confident detections of a frame as `JDETracker` needs them.

    Attributes:
        ltrb: [M, 4] float32 left, top, right, bottom in pixels of the original image.
        xyah: [M, 4] float32 centre x, centre y, aspect ratio (width / height), height.
        scores: [M] float64.
        embeddings: [M, D] float32, L2-normalised.
    """

    ltrb: np.ndarray
    xyah: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray

    @classmethod
    def of(cls, detections: Detections, threshold: float) -> JDEMeasurements:
        """Convert the detections that score above the threshold."""
        keep = detections.scores > threshold
        # a box without height has no aspect ratio: it could not be tracked
        keep &= detections.boxes[:, 3] > detections.boxes[:, 1]
        ltwh = ltrb_to_ltwh(detections.boxes[keep]).astype(np.float32)
        return cls(
            ltrb=ltwh_to_ltrb(ltwh),
            xyah=ltwh_to_xyah(ltwh),
            scores=detections.scores[keep].astype(np.float64),
            embeddings=normalised(detections.embeddings[keep].astype(np.float32)),
        )
