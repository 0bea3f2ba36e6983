"""The figures that a part of the benchmark measures: taken in turns, as cells of a table, and as a bar chart."""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tools.cli import progress
from tracker.errors import OptionError, OutputError

PAUSE = 0.25  # seconds: idle threads of a network may spin while they wait for more work, Paddle's for 0.2 s
BAR_HEIGHT = 0.35  # of a chart, inches


@dataclass(frozen=True)
class Bar:
    """One bar of a chart: a median, and the 10th and 90th percentile."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """What one part has measured.

    Attributes:
        rows: one dict of plain values for each line of the table, for JSON.
        bars: the same for a chart.
        unit: of the bars.
        about: further values, which hold for all rows.
    """

    rows: list[dict[str, Any]]
    bars: list[Bar]
    unit: str
    about: dict[str, Any] = field(default_factory=dict)


def take_turns(runs: Sequence[Callable[[], object]], turns: int, pause: float = PAUSE, warm_up: int = 0) -> np.ndarray:
    """Time contestants one after the other, again and again, so that a busy machine slows all of them alike.

    Args:
        runs: the contestants.
        turns: number of runs of each that count.
        pause: seconds before each run, for the threads of the run before to stop spinning.
        warm_up: number of runs of each, at the beginning, that do not count.

    Returns:
        [contestants, turns] seconds.
    """
    times = np.zeros((len(runs), warm_up + turns))
    order = list(itertools.product(range(warm_up + turns), range(len(runs))))
    for turn, contestant in progress(order, "measuring", "runs"):
        time.sleep(pause)
        start = time.perf_counter()
        runs[contestant]()
        times[contestant, turn] = time.perf_counter() - start
    return times[:, warm_up:]


def spread(values: np.ndarray) -> dict[str, float]:
    """Return median, 10th and 90th percentile of values [N]."""
    low, middle, high = np.percentile(values, [10, 50, 90])
    return {"median": float(middle), "p10": float(low), "p90": float(high)}


def cell(values: dict[str, float], digits: int = 1) -> str:
    """Format a spread as the cell of a table: median (p10-p90)."""
    return f"{values['median']:.{digits}f} ({values['p10']:.{digits}f}-{values['p90']:.{digits}f})"


def bar(label: str, values: dict[str, float]) -> Bar:
    """Return a spread as a bar of a chart."""
    return Bar(label, values["median"], values["p10"], values["p90"])


def check_chart(path: Path) -> None:
    """Check before the measurement that a chart can be drawn.

    Raises:
        OptionError: the path is no .png file, or matplotlib is not installed.
    """
    if path.suffix.lower() != ".png":
        raise OptionError(f"--chart must be a .png file, not {str(path)!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise OptionError("--chart needs matplotlib, which is not installed: pip install matplotlib")


def draw_chart(path: Path, title: str, figures: Figures) -> None:
    """Draw a horizontal bar for each figure, with its value and a line over its spread.

    Args:
        path: .png file to make.
        title: text above the bars.
        figures: what was measured.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bars = figures.bars
    figure = Figure(figsize=(9, 1.2 + BAR_HEIGHT * len(bars)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    errors = [[bar.value - bar.low for bar in bars], [bar.high - bar.value for bar in bars]]
    positions = range(len(bars))  # not the labels, which may occur twice
    drawn = axes.barh(positions, [bar.value for bar in bars], xerr=errors, color="#4477aa")
    axes.set_yticks(positions, [bar.label for bar in bars])
    axes.bar_label(drawn, fmt="%.3g", padding=3)
    axes.invert_yaxis()  # the first on top, as in the table
    axes.set_xlabel(figures.unit)
    axes.set_title(title, fontsize="medium")
    axes.margins(x=0.12)
    try:
        figure.savefig(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
