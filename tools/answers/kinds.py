"""Walks whose crossings of a line are known, of the kinds that counters get wrong."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

SIZE = (1920, 1080)
RATE = 25.0
BOX = (60.0, 150.0)  # width and height of everybody, pixels
MIDDLE = np.array([[960.0, 300.0], [960.0, 800.0]])  # a line down the middle of the picture; to its right is out


class Walk(NamedTuple):
    """One person and one line.

    Attributes:
        rows: [N, 10] boxes as `read_mot` returns them.
        line: [2, 2] ends, pixels.
        ins: true crossings in.
        outs: true crossings out.
    """

    rows: np.ndarray
    line: np.ndarray
    ins: int = 0
    outs: int = 0


def make_walks(count: int, seed: int = 0) -> dict[str, list[Walk]]:
    """Return the walks of each kind.

    Args:
        count: how many of each.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    kinds = {
        "round the end": _round_the_end,
        "jitter": _jitter,
        "one frame across": _flicker,
        "near the border": _near_the_border,
        "fast": _fast,
        "hidden on the line": _hidden,
        "back and forth": _back_and_forth,
    }
    return {name: [make(random) for _ in range(count)] for name, make in kinds.items()}


def _rows(feet: np.ndarray, random: np.random.Generator, noise: float = 1.0) -> np.ndarray:
    """Return the boxes of somebody whose foot is at [N, 2] pixels, cut at the picture's border."""
    feet = feet + random.uniform(-noise, noise, feet.shape)
    width, height = BOX
    low = np.clip(feet - np.array([width / 2, height]), 0, SIZE)
    high = np.clip(feet + np.array([width / 2, 0]), 0, SIZE)
    frames = np.arange(1.0, len(feet) + 1)
    other = np.tile([0.9, -1.0, -1.0, -1.0], (len(feet), 1))
    rows = np.column_stack([frames, np.ones(len(feet)), np.round(low, 2), np.round(high - low, 2), other])
    return rows[((high - low) >= 10).all(axis=1)]


def _way(*corners: tuple[float, float], step: float) -> np.ndarray:
    """Return points along straight ways from corner to corner, so many pixels apart."""
    made = []
    for start, end in itertools.pairwise(corners):
        count = max(int(np.hypot(*np.subtract(end, start)) / step), 1)
        made.append(np.linspace(start, end, count, endpoint=False))
    return np.concatenate([*made, [corners[-1]]])


def _round_the_end(random: np.random.Generator) -> Walk:
    beyond = 800 + random.uniform(40, 150)
    return Walk(_rows(_way((700, 500), (900, beyond), (1020, beyond), (1220, 500), step=6), random), MIDDLE)


def _jitter(random: np.random.Generator) -> Walk:
    middle = np.tile([960 + random.uniform(-2, 2), random.uniform(400, 700)], (int(60 * RATE), 1))
    return Walk(_rows(middle, random, noise=3), MIDDLE)


def _flicker(random: np.random.Generator) -> Walk:
    feet = np.tile([960 - random.uniform(20, 40), random.uniform(400, 700)], (100, 1))
    feet[random.choice(np.arange(10, 90, 10), 3, replace=False), 0] += 60
    return Walk(_rows(feet, random), MIDDLE)


def _near_the_border(random: np.random.Generator) -> Walk:
    """People who enter across a line 40 pixels from the left border."""
    line, y = np.array([[40.0, 300.0], [40.0, 800.0]]), random.uniform(400, 700)
    return Walk(_rows(_way((-60, y), (600, y), step=5), random), line, outs=1)


def _fast(random: np.random.Generator) -> Walk:
    y, step = random.uniform(400, 700), random.uniform(60, 150)
    return Walk(_rows(_way((960 - 4.4 * step, y), (960 + 4.4 * step, y), step=step), random), MIDDLE, outs=1)


def _hidden(random: np.random.Generator) -> Walk:
    """People whom nobody sees for a second on their way across."""
    y = random.uniform(400, 700)
    rows = _rows(_way((700, y), (1220, y), step=6), random)
    centre = rows[:, 2] + rows[:, 4] / 2
    return Walk(rows[abs(centre - 960) > 75], MIDDLE, outs=1)


def _back_and_forth(random: np.random.Generator) -> Walk:
    y = random.uniform(400, 700)
    return Walk(_rows(_way((800, y), (1060, y), (800, y), step=5), random), MIDDLE, ins=1, outs=1)
