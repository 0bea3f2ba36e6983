"""Costs between tracks and detections, and the assignment that minimises them."""

from __future__ import annotations

import lap
import numpy as np

from . import kalman

MOTION_WEIGHT = 0.02  # share of the squared Mahalanobis distance in the fused cost; 1 - lambda of the JDE paper


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
    row_match = np.full(cost.shape[0], -1)
    column_match = np.full(cost.shape[1], -1)
    possible = cost < limit
    degree_row, degree_column = possible.sum(axis=1), possible.sum(axis=0)

    # A pair in which each has no other choice needs no solver, and what has no choice at all stays alone. In a scene
    # that is not one single crowd this leaves a small problem for the O(n^3) part.
    rows, columns = np.nonzero(possible & (degree_row == 1)[:, None] & (degree_column == 1)[None])
    row_match[rows], column_match[columns] = columns, rows
    hard_rows = np.flatnonzero((degree_row > 0) & (row_match < 0))
    hard_columns = np.flatnonzero((degree_column > 0) & (column_match < 0))
    if len(hard_rows):
        part = np.array(cost[np.ix_(hard_rows, hard_columns)], dtype=np.float64)
        part[np.isnan(part)] = np.inf  # the solver would pair them
        _, x, _ = lap.lapjv(part, extend_cost=True, cost_limit=limit)
        matched = np.flatnonzero(x >= 0)
        row_match[hard_rows[matched]] = hard_columns[x[matched]]
        column_match[hard_columns[x[matched]]] = hard_rows[matched]

    matched = np.flatnonzero(row_match >= 0)
    pairs = np.stack([matched, row_match[matched]], axis=1)
    return pairs, np.flatnonzero(row_match < 0), np.flatnonzero(column_match < 0)
