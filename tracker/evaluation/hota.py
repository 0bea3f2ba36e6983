"""HOTA, the Higher Order Tracking Accuracy (Luiten et al., IJCV 2020), from the overlaps of one video's boxes.

For every localisation threshold α, with TP(α) the matched pairs of boxes whose IoU is at least α:

    DetA(α) = |TP| / (|TP| + |FN| + |FP|)
    A(c)    = |TPA(c)| / (|TPA(c)| + |FNA(c)| + |FPA(c)|)        for the identities that the pair c joins
    AssA(α) = Σ A(c) / |TP|                                      over every c of TP
    HOTA(α) = √(DetA(α) · AssA(α))

HOTA, DetA and AssA are the means over α. As in TrackEval, the benchmark's own evaluation, a frame is matched once, by
the largest sum of global alignment x IoU, and that matching serves every threshold: the scores compare with published
ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

THRESHOLDS = np.arange(1, 20) * 0.05  # α: .05, .10 ... .95
TOLERANCE = 1e-9  # rounding must not decide whether an IoU reaches a threshold that it equals


class Overlaps(NamedTuple):
    """The boxes of one frame and how they overlap.

    Attributes:
        gt_ids: [G] int64 identities of the true boxes, each once.
        result_ids: [R] int64 identities of the result's boxes, each once.
        iou: [G, R] float64 in [0, 1].
    """

    gt_ids: np.ndarray
    result_ids: np.ndarray
    iou: np.ndarray


@dataclass(frozen=True)
class HotaCounts:
    """The counts that HOTA is computed from; those of several videos can be added up.

    Attributes:
        gt_boxes: number of true boxes, |TP| + |FN|.
        result_boxes: number of result boxes, |TP| + |FP|.
        true_positives: [19] float64, |TP| at each threshold.
        association: [19] float64, Σ A(c) at each threshold.
    """

    gt_boxes: int
    result_boxes: int
    true_positives: np.ndarray
    association: np.ndarray

    def __add__(self, other: HotaCounts) -> HotaCounts:
        return HotaCounts(
            self.gt_boxes + other.gt_boxes,
            self.result_boxes + other.result_boxes,
            self.true_positives + other.true_positives,
            self.association + other.association,
        )

    def scores(self) -> dict[str, float]:
        """Return HOTA, DetA and AssA, each in [0, 1]; without any box they are 0."""
        union = self.gt_boxes + self.result_boxes - self.true_positives
        detection = self.true_positives / np.maximum(union, 1)
        association = self.association / np.maximum(self.true_positives, 1)
        hota = np.sqrt(detection * association)
        return {"HOTA": float(hota.mean()), "DetA": float(detection.mean()), "AssA": float(association.mean())}


def count_hota(frames: Sequence[Overlaps]) -> HotaCounts:
    """Match every frame and count true positives and associations at each threshold.

    Args:
        frames: the frames of one video, in any order; an identity is the same person in all of them.
    """
    gt_rows, gt_sizes = _number([frame.gt_ids for frame in frames])
    result_rows, result_sizes = _number([frame.result_ids for frame in frames])

    # Global alignment of two identities: the Jaccard index of their tracks, in which a frame counts by the IoU of their
    # boxes relative to the IoU of either with all other boxes.
    shared = np.zeros((len(gt_sizes), len(result_sizes)))
    for frame, g, r in zip(frames, gt_rows, result_rows):
        total = frame.iou.sum(axis=1, keepdims=True) + frame.iou.sum(axis=0) - frame.iou
        shared[np.ix_(g, r)] += np.divide(frame.iou, total, out=np.zeros_like(frame.iou), where=total > 0)
    alignment = shared / (gt_sizes[:, None] + result_sizes - shared)

    pairs, ious = [np.zeros((2, 0), int)], [np.zeros(0)]
    for frame, g, r in zip(frames, gt_rows, result_rows):
        rows, columns = linear_sum_assignment(alignment[np.ix_(g, r)] * frame.iou, maximize=True)
        pairs.append(np.stack([g[rows], r[columns]]))
        ious.append(frame.iou[rows, columns])

    (g, r), pair_of_match = np.unique(np.concatenate(pairs, axis=1), axis=1, return_inverse=True)
    hits = np.concatenate(ious)[:, None] >= THRESHOLDS - TOLERANCE  # [matches, 19]
    tpa = np.zeros((len(g), len(THRESHOLDS)))  # |TPA| of each pair of identities
    np.add.at(tpa, pair_of_match.ravel(), hits)
    a = tpa / ((gt_sizes[g] + result_sizes[r])[:, None] - tpa)  # |TPA| + |FNA| + |FPA| = both lengths - |TPA|
    return HotaCounts(int(gt_sizes.sum()), int(result_sizes.sum()), tpa.sum(axis=0), (tpa * a).sum(axis=0))


def _number(ids_of_frames: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Renumber identities from 0; return the new numbers of each frame, and the number of boxes of each identity."""
    joined = np.concatenate([np.zeros(0, np.int64), *ids_of_frames])
    _, numbers, sizes = np.unique(joined, return_inverse=True, return_counts=True)
    ends = np.cumsum([len(ids) for ids in ids_of_frames])
    return np.split(numbers, ends)[:-1], sizes
