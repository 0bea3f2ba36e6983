"""Costs between tracks and detections, and the assignment that minimises them."""

from __future__ import annotations

from dataclasses import dataclass

import lap
import numpy as np

from . import kalman

MOTION_WEIGHT = 0.02  # share of the squared Mahalanobis distance in the fused cost; 1 - lambda of the JDE paper
UNIT = 1e-6  # float32 vectors this close to length 1 are as normalised as they can be


def normalised(vectors: np.ndarray) -> np.ndarray:
    """[N, D] rows scaled to length 1, the same array if they are; zero rows stay, what is not finite counts as 0.

    For one broken vector must not spoil the running mean of a track for good.
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
    """Euclidean distance between L2-normalised embeddings, in [0, 2], of some pairs.

    Args:
        tracks: [N, D].
        detections: [M, D].
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
    """Cost of pairs by appearance, blended with the motion gate; infinite outside of it (JDE, section 3.4).

    Args:
        tracks: [N, D] embeddings.
        detections: [M, D] embeddings.
        mean: [N, 8] predicted states of the tracks.
        covariance: [N, 3, 4], see ``kalman``.
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
    """Pair rows with columns at the least total cost, where leaving a row or a column alone costs limit / 2.

    Args:
        cost: [N, M]; infinity and NaN forbid a pair.
        limit: no pair costing more is made.

    Returns:
        Pairs [K, 2] in order of rows, the rows left alone, and the columns left alone, both ascending.
    """
    rows, columns = np.nonzero(cost < limit)
    pairs = assign_pairs(rows, columns, cost[rows, columns], cost.shape, limit)
    left_rows, left_columns = np.ones(cost.shape[0], bool), np.ones(cost.shape[1], bool)
    left_rows[rows[pairs]] = left_columns[columns[pairs]] = False
    return np.stack([rows[pairs], columns[pairs]], axis=1), np.flatnonzero(left_rows), np.flatnonzero(left_columns)


def assign_pairs(
    rows: np.ndarray, columns: np.ndarray, cost: np.ndarray, shape: tuple[int, int], limit: float
) -> np.ndarray:
    """As `linear_assignment`, for a matrix of which only some pairs are possible.

    Args:
        rows, columns: [P] of each possible pair.
        cost: [P] of it, below ``limit``.
        shape: of the whole matrix.
        limit: see `linear_assignment`.

    Returns:
        [K] indices of the pairs that are made, in order of rows.
    """
    # A pair in which each has no other choice needs no solver, and what has no choice at all stays alone. In a scene
    # that is not one single crowd this leaves a small problem for the O(n^3) part.
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
class Pairs:
    """Pairs [P] of tracks (rows) and detections (columns), and the IoU of their boxes."""

    rows: np.ndarray
    columns: np.ndarray
    overlap: np.ndarray

    def take(self, which: np.ndarray) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.rows[which], self.columns[which], self.overlap[which])

    def where(self, rows: np.ndarray, columns: np.ndarray) -> Pairs:
        """The pairs of marked rows [N] bool with marked columns [M] bool."""
        return self.take(rows[self.rows] & columns[self.columns])


class Matching:
    """Which detection each of N tracks got, and which of M detections are still free.

    Attributes:
        detection: [N] index, -1 for none.
        free: [M] bool.
    """

    def __init__(self, tracks: int, detections: int) -> None:
        self.detection = np.full(tracks, -1)
        self.free = np.ones(detections, bool)

    @property
    def waiting(self) -> np.ndarray:
        """[N] bool: tracks without a detection."""
        return self.detection < 0

    def assign(self, pairs: Pairs, cost: np.ndarray, limit: float) -> np.ndarray:
        """Give detections to tracks at the least cost below the limit; returns the indices of the pairs made."""
        possible = (cost < limit).nonzero()[0]
        if not len(possible):
            return possible
        rows, columns = pairs.rows[possible], pairs.columns[possible]
        made = assign_pairs(rows, columns, cost[possible], (len(self.detection), len(self.free)), limit)
        self.detection[rows[made]] = columns[made]
        self.free[columns[made]] = False
        return possible[made]
