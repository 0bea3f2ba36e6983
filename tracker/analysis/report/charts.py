"""Drawings of the report, as SVG within the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from ..geometry import middle_and_aside
from ..rows import Count

BARS = 96  # most bars side by side
IN, OUT = "#1d6fd1", "#d97706"
_WIDTH, _HEIGHT, _LEFT, _BELOW = 720, 170, 34, 22  # of a chart; room for numbers and times


def merged(counts: Sequence[Count]) -> list[Count]:
    """Return the counts of one line in at most `BARS` longer intervals."""
    every = -(-len(counts) // BARS)
    groups = [counts[at : at + every] for at in range(0, len(counts), every or 1)]
    made = []
    for group in groups:
        rows = np.array([row[3:] for row in group]).sum(axis=0).tolist()  # the numbers of people
        made.append(Count(group[0].start, group[-1].end, group[0].line, *rows))
    return made


def count_bars(counts: Sequence[Count], names: tuple[str, str], moment: Callable[[float], str]) -> str:
    """Return bars over time, one direction upwards and the other downwards.

    Args:
        counts: of one line.
        names: of its two directions.
        moment: tells a time in seconds as it is shown.
    """
    top, low = max(row.in_ for row in counts), max(row.out for row in counts)
    unit = (_HEIGHT - _BELOW - 8) / max(top + low, 1)
    base = 4 + top * unit
    step = min((_WIDTH - _LEFT - 4) / len(counts), 48)
    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">']
    for value, y in ((top, base - top * unit), (0, base), (low, base + low * unit)):
        if value or y == base:
            parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    for number, row in enumerate(counts):
        x = _LEFT + number * step
        title = f"{moment(row.start)} – {moment(row.end)}: {row.in_} {names[0]}, {row.out} {names[1]}"
        bars = (
            f'<rect x="{x + 0.1 * step:.2f}" y="{y:.1f}" width="{0.8 * step:.2f}" height="{value * unit:.1f}" '
            f'fill="{color}"/>'
            for value, y, color in ((row.in_, base - row.in_ * unit, IN), (row.out, base, OUT))
            if value
        )
        parts.append(f"<g><title>{escape(title)}</title>{''.join(bars)}</g>")
    every = max(1, -(-len(counts) // 8))
    for number in range(0, len(counts), every):
        x = _LEFT + number * step
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 5}">{escape(moment(counts[number].start))}</text>')
    return "".join([*parts, "</svg>"])


def scene_drawing(scene: Mapping[str, Any], size: tuple[int, int], background: str | None) -> str:
    """Return the scene over its picture.

    Args:
        scene: as `Scene.to_mapping` gives it.
        size: width and height of the picture, pixels.
        background: address of the picture; None for a grey one.
    """
    width, height = size
    unit = (width + height) / 2 / 100

    def points(of: Any) -> np.ndarray:
        return np.array(of, float) * (width, height)

    def path(corners: np.ndarray) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)

    def label(text: str, x: float, y: float, kind: str, aside: float = 0.0) -> str:
        """Return a text to the right of a point for 1, to its left for -1, above it for 0, moved into the picture."""
        long = sum(2.6 if ord(sign) > 0x2E80 else 1.5 for sign in text) * unit  # about; Chinese signs are square
        anchor = {-1.0: "end", 0.0: "middle", 1.0: "start"}[aside]
        room = (1 - aside) / 2 * long + unit, width - (1 + aside) / 2 * long - unit
        x = max(min(x, room[1]), room[0])
        y = float(np.clip(y, 3 * unit, height - unit))
        return (
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" font-size="{2.6 * unit:.1f}" '
            f'stroke-width="{0.6 * unit:.2f}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    parts = [f'<svg class="scene" viewBox="0 0 {width} {height}" role="img">']
    if background:
        parts.append(f'<image href="{background}" width="{width}" height="{height}" preserveAspectRatio="none"/>')
    else:
        parts.append(f'<rect width="{width}" height="{height}" fill="#555"/>')
    stroke = f'stroke-width="{0.5 * unit:.2f}"'
    parts += [f'<polygon class="out" {stroke} points="{path(points(of))}"/>' for of in scene.get("ignore", ())]
    for zone in scene["zones"].values():
        parts.append(f'<polygon class="area" {stroke} points="{path(points(zone["points"]))}"/>')
    texts = []
    for name, zone in scene["zones"].items():
        corners = points(zone["points"])
        x, y = corners.mean(axis=0)
        texts.append(label(name, x, y, "area"))
    for name, line in scene["lines"].items():
        corners = points(line["points"])
        parts.append(f'<polyline class="line" {stroke} points="{path(corners)}"/>')
        middle, aside = middle_and_aside(corners)
        tip = middle + 4 * unit * aside
        wings = [tip - 1.4 * unit * (aside + turn * np.array([-aside[1], aside[0]])) for turn in (-0.7, 0.7)]
        parts.append(f'<polyline class="line" {stroke} points="{path(np.array([middle, tip]))}"/>')
        parts.append(f'<polyline class="line" {stroke} points="{path(np.array([wings[0], tip, wings[1]]))}"/>')
        for text, way in ((line["in"], 1), (line["out"], -1)):
            x, y = middle + way * (5 if way > 0 else 1.5) * unit * aside + (0, unit)
            turn = 0.0 if abs(aside[0]) < 0.5 else float(np.sign(aside[0] * way))
            texts.append(label(text, x, y + 2 * unit * (turn == 0) * aside[1] * way, "line", turn))
        x, y = corners[corners[:, 1].argmin()] + (0, -0.8 * unit)
        texts.append(label(name, x, y, "line"))
    return "".join([*parts, *texts, "</svg>"])
