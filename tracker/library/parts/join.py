"""The parts of a video joined: who is the same person on both sides of a cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...boxes import box_iou, ltwh_to_ltrb
from ...sinks.mot_text import FRAME, HEIGHT, ID, LEFT
from .cuts import Part

SAME = 0.5  # IoU from which two boxes of a frame show one person
LEAST = 0.3  # share of the frames, in which both parts show them, that two tracks have to agree in
SWITCH = 0.75  # of the overlap: from there on the later part is taken, which knows everybody by then


def join(tables: Sequence[np.ndarray], parts: Sequence[Part]) -> np.ndarray:
    """Join the tracks of the parts of a video.

    Two tracks are one person if their boxes lie on each other in the frames that both parts have; pairs are chosen by
    assignment, for as many frames as possible.

    Args:
        tables: rows of the MOT texts of the parts, sorted by frame, with frames numbered as in the whole video.
        parts: what they are parts of.

    Returns:
        Rows of the whole, sorted by frame; identities are numbered from 1 in the order in which they appear.
    """
    whole = tables[0].copy()
    for table, part, before in zip(tables[1:], parts[1:], parts):
        first, stop = part.first + 1, before.stop + 1  # frames of the texts are counted from 1
        switch = first + round(SWITCH * (stop - first))
        same = _same_people(_between(whole, first, stop), _between(table, first, stop))
        later = _between(table, switch, part.stop + 1).copy()
        free = int(max(whole[:, ID].max(initial=0), 0)) + 1
        for identity in _in_order(later):
            if identity not in same:
                same[identity] = free
                free += 1
        later[:, ID] = [same[identity] for identity in later[:, ID]]
        whole = np.concatenate([whole[whole[:, FRAME] < switch], later])
    numbers = {identity: number for number, identity in enumerate(_in_order(whole), start=1)}
    whole[:, ID] = [numbers[identity] for identity in whole[:, ID]]
    return whole


def _between(table: np.ndarray, first: int, stop: int) -> np.ndarray:
    return table[(table[:, FRAME] >= first) & (table[:, FRAME] < stop)]


def _in_order(table: np.ndarray) -> list[float]:
    """Return the identities of a table in the order in which they appear, the lower ones first within a frame."""
    rows = table[np.lexsort((table[:, ID], table[:, FRAME]))]
    identities, first = np.unique(rows[:, ID], return_index=True)
    return identities[np.argsort(first)].tolist()


def _same_people(before: np.ndarray, after: np.ndarray) -> dict[float, float]:
    """Return the identity in the part before by that in the part after, of those who are in both."""
    from scipy.optimize import linear_sum_assignment  # 0.4 s that every other command does without

    old, new = np.unique(before[:, ID]), np.unique(after[:, ID])
    agree = np.zeros((len(old), len(new)))
    together = np.zeros((len(old), len(new)))
    for frame in np.intersect1d(before[:, FRAME], after[:, FRAME]):
        left, right = before[before[:, FRAME] == frame], after[after[:, FRAME] == frame]
        boxes = ltwh_to_ltrb(left[:, LEFT : HEIGHT + 1]), ltwh_to_ltrb(right[:, LEFT : HEIGHT + 1])
        cells = np.ix_(np.searchsorted(old, left[:, ID]), np.searchsorted(new, right[:, ID]))
        agree[cells] += box_iou(*boxes) >= SAME
        together[cells] += 1
    pairs = zip(*linear_sum_assignment(agree, maximize=True))
    enough = np.maximum(LEAST * together, 1)
    return {new[column]: old[row] for row, column in pairs if agree[row, column] >= enough[row, column]}
