"""Interpolation of gaps and smoothing of boxes, for tracks that are complete."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

KERNEL_RADIUS = 3.0  # standard deviations at which the Gaussian weights are cut off


def fill_gaps(
    table: np.ndarray,
    max_gap: float,
    support: float,
    every: int = 1,
    place: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> np.ndarray:
    """Fill gaps on a straight line in time between the boxes on either side, the scores likewise.

    Args:
        table: [N, 7] frame, id, left, top, width, height (pixels), score, sorted by id, then frame.
        max_gap: most frame periods from the box before a gap to the one after it.
        support: share of the frames, 0 to 1, that must have a box both before and after the gap, over as many frames
            as the gap has. A false alarm that flickers does not reach it.
        every: 1 where each frame was tracked, n where only every n-th was; a box then stands for n frames, and the
            frames between two boxes are always filled.
        place: gives the times of frames in frame periods; that of a constant rate gives their numbers.

    Returns:
        [M, 7] rows of the same form and order.
    """
    frame, track = table[:, 0], table[:, 1]
    step = np.diff(frame)
    short = (np.diff(place(frame)) <= max_gap) | (step <= every)
    gap = np.flatnonzero((np.diff(track) == 0) & (step > 1) & short)
    step = step[gap]

    # Count the boxes of the same track within the last and the next `step` frames. The rows are in order of `row`:
    # all frames of a track, then all of the next one, with room in between.
    start = np.concatenate([[0], np.cumsum(np.diff(track) != 0)]) * (2 * frame.max(initial=0) + 2)
    row = start + frame
    before = gap + 1 - np.searchsorted(row, row[gap] - step, side="right")
    after = np.searchsorted(row, row[gap + 1] + step, side="left") - (gap + 1)
    supported = np.minimum(before, after) * every >= support * step
    gap, step = gap[supported], step[supported]

    count = step.astype(np.int64) - 1
    left = np.repeat(gap, count)
    nth = np.arange(len(left)) - np.repeat(np.cumsum(count) - count, count) + 1
    begin = place(frame[left])
    share = ((place(frame[left] + nth) - begin) / (place(frame[left + 1]) - begin))[:, None]
    filled = table[left] + share * (table[left + 1] - table[left])
    filled[:, 0] = frame[left] + nth
    filled[:, 1] = track[left]
    complete = np.concatenate([table, filled])
    return complete[np.lexsort((complete[:, 0], complete[:, 1]))]


def smooth(table: np.ndarray, sigma: float, time: np.ndarray | None = None) -> np.ndarray:
    """Smooth the boxes of each track by local linear regression with Gaussian weights.

    StrongSORT (Du et al., arXiv 2202.13514) smooths by a Gaussian process, which takes time cubic in the length of a
    track. Local linear regression (Cleveland, Robust Locally Weighted Regression and Smoothing Scatterplots, JASA 1979)
    is linear in it, and leaves linear motion unchanged up to both ends of a track. Boxes across a gap have no weight.

    Args:
        table: [N, 7] frame, id, left, top, width, height (pixels), score, sorted by id, then frame.
        sigma: standard deviation of the weights in frame periods; 0 changes nothing.
        time: [N] of the frames, in frame periods; None for their numbers.

    Returns:
        [N, 7] the same rows with smoothed boxes.
    """
    if not sigma:
        return table
    boxes, count = table[:, 2:6], len(table)
    time = table[:, 0] if time is None else time
    breaks = (np.diff(table[:, 0]) != 1) | (np.diff(table[:, 1]) != 0)
    run = np.concatenate([[0], np.cumsum(breaks)])
    moments = np.zeros((3, count))  # sums of w, w d, w d^2 over the neighbours at distance d in time
    sums = np.zeros((2, count, 4))  # sums of w y, w d y
    reach = min(math.ceil(KERNEL_RADIUS * sigma), count - 1)  # rows
    for distance in range(-reach, reach + 1):
        here = slice(max(0, -distance), count - max(0, distance))
        there = slice(max(0, distance), count - max(0, -distance))
        apart = time[there] - time[here]
        weight = np.exp(-0.5 * (apart / sigma) ** 2) * (run[here] == run[there])
        for power in range(3):
            moments[power, here] += weight * apart**power
        for power in range(2):
            sums[power, here] += (weight * apart**power)[:, None] * boxes[there]

    determinant = moments[0] * moments[2] - moments[1] ** 2
    line = determinant > 1e-9  # a box without neighbours has none
    value = moments[2, :, None] * sums[0] - moments[1, :, None] * sums[1]
    smoothed = np.where(line[:, None], value / np.where(line, determinant, 1)[:, None], boxes)
    # a line through a size that collapses may end below zero
    valid = (smoothed[:, 2:] > 0).all(axis=1, keepdims=True)
    return np.concatenate([table[:, :2], np.where(valid, smoothed, boxes), table[:, 6:]], axis=1)
