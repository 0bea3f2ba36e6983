"""Figures as a bar chart. Needs matplotlib, which paddledet brings in by way of visualdl; nothing else here does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tools.benchmarks.figures import Figures
from tracker.errors import OptionError, OutputError

ROW = 0.35  # inches


def check_chart(path: Path) -> None:
    """Tell before anything is measured that no chart can be made.

    Raises:
        OptionError: it is no .png file, or matplotlib is not installed.
    """
    if path.suffix.lower() != ".png":
        raise OptionError(f"--chart must be a .png file, not {str(path)!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise OptionError("--chart needs matplotlib, which is not installed: pip install matplotlib")


def draw_chart(path: Path, title: str, figures: Figures) -> None:
    """Draw a horizontal bar a figure, with its value and a line over its spread.

    Args:
        path: .png file to make.
        title: above it.
        figures: what was measured.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bars = figures.bars
    figure = Figure(figsize=(9, 1.2 + ROW * len(bars)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    errors = [[bar.value - bar.low for bar in bars], [bar.high - bar.value for bar in bars]]
    places = range(len(bars))  # labels may occur twice
    drawn = axes.barh(places, [bar.value for bar in bars], xerr=errors, color="#4477aa")
    axes.set_yticks(places, [bar.label for bar in bars])
    axes.bar_label(drawn, fmt="%.3g", padding=3)
    axes.invert_yaxis()  # the first on top, as in the table
    axes.set_xlabel(figures.unit)
    axes.set_title(title, fontsize="medium")
    axes.margins(x=0.12)
    try:
        figure.savefig(path)
    except OSError as error:
        raise OutputError(f"cannot write the chart {path}: {error.strerror}") from error
