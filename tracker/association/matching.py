"""Costs between tracks and detections, and the assignment that minimises them."""

from __future__ import annotations

from dataclasses import dataclass

import lap
import numpy as np

from . import kalman

MOTION_WEIGHT = 0.02  # share of the squared Mahalanobis distance in the fused cost; 1 - lambda of the JDE paper
UNIT = 1e-6  # float32 vectors this close to length 1 are as normalised as they can be


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Scale rows [N, D] to length 1; the same array comes back if they are.

    Zero rows stay. What is not finite counts as 0, for one broken vector must not spoil the running mean of a track.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
        if (np.abs(length - 1) < UNIT).all():
            return vectors
        if not np.isfinite(length).all():
            vectors = np.where(np.isfinite(vectors), vectors, 0)
            length = np.linalg.norm(vectors, axis=1)
    return vectors * (1 / np.where(length > 0, length, 1))[:, None]


def embedding_distance(tracks: np.ndarray, detections: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the Euclidean distance between L2-normalised embeddings, in [0, 2], of some pairs.

    Args:
        tracks: [N, D] embeddings.
        detections: [M, D] embeddings.
        rows: [P] index of the track of each pair.
        columns: [P] index of its detection.

    Returns:
        [P] float64.
    """
    if len(rows) <= 4 * (len(tracks) + len(detections)):
        difference = np.subtract(tracks[rows], detections[columns], dtype=np.float64)
        return np.sqrt(np.einsum("pd,pd->p", difference, difference))
    # In one dense crowd all pairs by a matrix product are cheaper: |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, where float64
    # keeps the cancellation below 1e-7.
    a, b = tracks.astype(np.float64), detections.astype(np.float64)
    squared = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("md,md->m", b, b)[None] - 2 * (a @ b.T)
    return np.sqrt(np.maximum(squared[rows, columns], 0.0))


def appearance_and_motion(
    tracks: np.ndarray, detections: np.ndarray, mean: np.ndarray, covariance: np.ndarray, measurement: np.ndarray
) -> np.ndarray:
    """Return the cost of pairs by appearance and motion, infinite outside the motion gate (JDE, section 3.4).

    Args:
        tracks: [N, D] embeddings.
        detections: [M, D] embeddings.
        mean: [N, 8] predicted states of the tracks.
        covariance: [N, 3, 4] their covariances, see ``kalman``.
        measurement: [M, 4] detected boxes (x, y, a, h).

    Returns:
        [N, M] float64.
    """
    rows, columns, motion = kalman.gate(mean, covariance, measurement)
    cost = np.full((len(mean), len(measurement)), np.inf)
    appearance = embedding_distance(tracks, detections, rows, columns)
    cost[rows, columns] = (1 - MOTION_WEIGHT) * appearance + MOTION_WEIGHT * motion
    return cost


def linear_assignment(cost: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair rows with columns at the least total cost, where leaving a row or a column unmatched costs limit / 2.

    Args:
        cost: [N, M]; infinity and NaN forbid a pair.
        limit: no pair costing more is made.

    Returns:
        Pairs [K, 2] in order of rows, the unmatched rows, and the unmatched columns, both ascending.
    """
    rows, columns = np.nonzero(cost < limit)
    shape = cost.shape[0], cost.shape[1]
    pairs = assign_pairs(rows, columns, cost[rows, columns], shape, limit)
    unmatched_rows, unmatched_columns = np.ones(shape[0], bool), np.ones(shape[1], bool)
    unmatched_rows[rows[pairs]] = unmatched_columns[columns[pairs]] = False
    matched = np.stack([rows[pairs], columns[pairs]], axis=1)
    return matched, np.flatnonzero(unmatched_rows), np.flatnonzero(unmatched_columns)


def assign_pairs(
    rows: np.ndarray, columns: np.ndarray, cost: np.ndarray, shape: tuple[int, int], limit: float
) -> np.ndarray:
    """Assign as `linear_assignment` does, where only some pairs are possible.

    Args:
        rows: [P] row of each possible pair.
        columns: [P] column of each possible pair.
        cost: [P] its cost, below ``limit``.
        shape: number of rows and of columns in all.
        limit: cost of leaving a row and a column unmatched.

    Returns:
        [K] indices of the pairs that are made, in order of rows.
    """
    # A pair in which each has no other choice needs no solver, and what has no choice stays unmatched. In a scene that
    # is not one single crowd this leaves a small problem for the O(n^3) part.
    rivals = np.maximum(np.bincount(rows, minlength=shape[0])[rows], np.bincount(columns, minlength=shape[1])[columns])
    hard = (rivals > 1).nonzero()[0]
    made = rivals == 1
    if len(hard):
        hard_rows, row = np.unique(rows[hard], return_inverse=True)
        hard_columns, column = np.unique(columns[hard], return_inverse=True)
        part = np.full((len(hard_rows), len(hard_columns)), np.inf)
        part[row, column] = cost[hard]
        _, x, _ = lap.lapjv(part, extend_cost=True, cost_limit=limit)
        made[hard] = x[row] == column
    made = made.nonzero()[0]
    return made[np.argsort(rows[made], kind="stable")]


@dataclass(frozen=True)
class CandidatePairs:
    """Pairs of tracks and detections that may be matched.

    Attributes:
        rows: [P] index of the track.
        columns: [P] index of the detection.
        overlap: [P] IoU of their boxes.
    """

    rows: np.ndarray
    columns: np.ndarray
    overlap: np.ndarray

    def take(self, which: np.ndarray) -> CandidatePairs:
        """Return some of the pairs, by indices or a mask [P]."""
        return CandidatePairs(self.rows[which], self.columns[which], self.overlap[which])

    def where(self, rows: np.ndarray, columns: np.ndarray) -> CandidatePairs:
        """Return the pairs of marked rows [N] bool with marked columns [M] bool."""
        return self.take(rows[self.rows] & columns[self.columns])


class Matching:
    """Which detection each track got, filled in round by round.

    Args:
        tracks: number N of tracks.
        detections: number M of detections.

    Attributes:
        detection: [N] index of the detection of each track, -1 for none.
        unmatched_detections: [M] bool.
    """

    def __init__(self, tracks: int, detections: int) -> None:
        self.detection = np.full(tracks, -1)
        self.unmatched_detections = np.ones(detections, bool)

    @property
    def unmatched_tracks(self) -> np.ndarray:
        """Which tracks have no detection, [N] bool."""
        return self.detection < 0

    def assign(self, pairs: CandidatePairs, cost: np.ndarray, limit: float) -> np.ndarray:
        """Match tracks with detections at the least total cost.

        Args:
            pairs: [P] pairs that may be matched.
            cost: [P] cost of each.
            limit: pairs of this cost and more are not matched.

        Returns:
            [K] indices of the pairs that were matched.
        """
        possible = (cost < limit).nonzero()[0]
        if not len(possible):
            return possible
        rows, columns = pairs.rows[possible], pairs.columns[possible]
        made = assign_pairs(rows, columns, cost[possible], (len(self.detection), len(self.unmatched_detections)), limit)
        self.detection[rows[made]] = columns[made]
        self.unmatched_detections[columns[made]] = False
        return possible[made]
