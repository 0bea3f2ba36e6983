"""What a part of the benchmark measures, and how contestants take turns for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PAUSE = 0.25  # seconds: threads of a network may wait busily for more work, Paddle's for 0.2 s


@dataclass(frozen=True)
class Bar:
    """One bar of a chart: a median, and from where to where most values lie."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """What one part has measured.

    Attributes:
        rows: one dict of plain values a line, for JSON.
        bars: the same for a chart.
        unit: of the bars.
        about: what holds for all rows.
    """

    rows: list[dict[str, Any]]
    bars: list[Bar]
    unit: str
    about: dict[str, Any] = field(default_factory=dict)


def take_turns(runs: Sequence[Callable[[], object]], turns: int, pause: float = PAUSE, warm_up: int = 0) -> np.ndarray:
    """Time contestants one after the other, again and again, so that a busy machine slows all of them alike.

    Args:
        runs: the contestants.
        turns: how often each runs, those not counted left out.
        pause: seconds before each run, so that none pays for threads of the one before that wait busily.
        warm_up: first turns that do not count.

    Returns:
        [runs, turns] seconds.
    """
    times = np.zeros((len(runs), warm_up + turns))
    for turn in range(warm_up + turns):
        for contestant, run in enumerate(runs):
            time.sleep(pause)
            start = time.perf_counter()
            run()
            times[contestant, turn] = time.perf_counter() - start
    return times[:, warm_up:]


def spread(values: np.ndarray) -> dict[str, float]:
    """Median, 10th and 90th percentile."""
    low, middle, high = np.percentile(values, [10, 50, 90])
    return {"median": float(middle), "p10": float(low), "p90": float(high)}


def cell(values: dict[str, float], digits: int = 1) -> str:
    """A spread as the text of a table's cell."""
    return f"{values['median']:.{digits}f} ({values['p10']:.{digits}f}-{values['p90']:.{digits}f})"


def bar(label: str, values: dict[str, float]) -> Bar:
    """A spread as a bar."""
    return Bar(label, values["median"], values["p10"], values["p90"])
