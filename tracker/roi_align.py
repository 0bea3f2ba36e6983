"""What a feature map shows in a box, part by part (RoIAlign of Mask R-CNN, arXiv 1703.06870)."""

from __future__ import annotations

import math

import numpy as np


def roi_align(feature: np.ndarray, boxes: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Mean of each part of some boxes, from bilinear samples no more than a cell apart.

    Bilinear sampling is separable: the samples of a box, and their means, are two small matrix products.

    Args:
        feature: [C, h, w] float32. The middle of a cell has its value; beyond the outermost middles theirs holds.
        boxes: [K, 4] left, top, right, bottom in cells from the map's corner.
        grid: rows and columns of equal parts.

    Returns:
        [K, C, rows, columns] float32.
    """
    _, height, width = feature.shape
    result = np.empty((len(boxes), len(feature), *grid), np.float32)
    for (left, top, right, bottom), parts in zip(boxes.tolist(), result):
        rows, first_row = _weights(top, bottom, grid[0], height)
        columns, first_column = _weights(left, right, grid[1], width)
        end = first_row + rows.shape[1], first_column + columns.shape[1]
        np.matmul(rows @ feature[:, first_row : end[0], first_column : end[1]], columns.T, out=parts)
    return result


def _weights(low: float, high: float, parts: int, size: int) -> tuple[np.ndarray, int]:
    """Shares [parts, cells] of some cells of a line of ``size`` in the mean of each part of a stretch of it, and the
    first of these cells."""
    samples = parts * max(1, math.ceil((high - low) / parts))
    at = (low - 0.5 + (np.arange(samples) + 0.5) * ((high - low) / samples)).clip(0, size - 1)
    first, last = int(at[0]), min(int(at[-1]) + 1, size - 1)
    shares = np.maximum(1 - np.abs(at[:, None] - np.arange(first, last + 1)), 0)
    return shares.reshape(parts, -1, last + 1 - first).mean(axis=1, dtype=np.float32).astype(np.float32), first
