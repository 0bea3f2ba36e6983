"""Drawing of a scene: lines with their arrow and counts, zones with who is inside, regions that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE, _ZONE, _IGNORED = (0, 220, 255), (255, 160, 0), (110, 110, 110)  # BGR
_FRACTION = 4  # bits of a pixel that OpenCV draws with


@dataclass(frozen=True)
class DrawnLine:
    """A line as it is drawn.

    Attributes:
        name: of the line.
        points: [N, 2] pixels.
        middle: [2] the point half way along it.
        aside: [2] the direction to its right there, of length 1.
        in_label: name and count of the direction to the right of the line; the arrow points there.
        out_label: likewise to the left.
    """

    name: str
    points: np.ndarray
    middle: np.ndarray
    aside: np.ndarray
    in_label: str
    out_label: str


@dataclass(frozen=True)
class DrawnZone:
    """A zone as it is drawn.

    Attributes:
        label: its name and how many are inside.
        points: [N, 2] pixels.
    """

    label: str
    points: np.ndarray


def draw_scene(
    canvas: np.ndarray, lines: Sequence[DrawnLine], zones: Sequence[DrawnZone], ignored: Sequence[np.ndarray] = ()
) -> None:
    """Draw a scene into a picture.

    Args:
        canvas: [H, W, 3] uint8 BGR, drawn into.
        lines: with their counts.
        zones: with the people inside.
        ignored: [N, 2] pixels of the regions that are left out.
    """
    height, width = canvas.shape[:2]
    side = (width + height) / 2
    thick = max(2, round(side * 0.003))
    scale = max(0.4, side * 0.00058)
    length = max(14.0, side * 0.03)  # of an arrow
    for polygon in ignored:
        cv2.polylines(canvas, [_fixed(polygon)], True, _IGNORED, 1, cv2.LINE_AA, _FRACTION)
        for corner, other in ((0, 2), (1, -1)):  # struck out
            strike = np.rint([polygon[corner], polygon[other]]).astype(int).tolist()
            cv2.line(canvas, *map(tuple, strike), _IGNORED, 1, cv2.LINE_AA)
    for zone in zones:
        cv2.polylines(canvas, [_fixed(zone.points)], True, _ZONE, thick, cv2.LINE_AA, _FRACTION)
    for line in lines:
        cv2.polylines(canvas, [_fixed(line.points)], False, _LINE, thick, cv2.LINE_AA, _FRACTION)
        ends = [np.rint(line.middle + part * length * line.aside).astype(int).tolist() for part in (0, 1)]
        cv2.arrowedLine(canvas, *map(tuple, ends), _LINE, thick, cv2.LINE_AA, tipLength=0.4)
    for zone in zones:  # labels after all outlines, which would cross them
        _label(canvas, zone.label, zone.points[zone.points[:, 1].argmin()], _ZONE, scale)
    for line in lines:
        _label(canvas, line.in_label, line.middle + 1.2 * length * line.aside, _LINE, scale, line.aside)
        _label(canvas, line.out_label, line.middle - 0.3 * length * line.aside, _LINE, scale, -line.aside)
        _label(canvas, line.name, line.points[0], _LINE, scale)


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.rint(points * 2**_FRACTION).astype(np.int32)


def _label(
    canvas: np.ndarray,
    text: str,
    point: np.ndarray,
    color: tuple[int, int, int],
    scale: float,
    beside: np.ndarray | None = None,
) -> None:
    """Draw a text on a filled rectangle around a point, or beside it in a direction, moved into the picture."""
    stroke = max(1, round(scale * 2))
    shown = text.encode("ascii", "replace").decode()  # OpenCV's font has no other characters
    (width, height), baseline = cv2.getTextSize(shown, _FONT, scale, stroke)
    margin = max(2, baseline // 2)
    full = width + 2 * margin, height + baseline + margin
    centre = point if beside is None else point + beside * (np.abs(beside) @ full) / 2
    left = int(np.clip(centre[0] - full[0] / 2, 0, max(canvas.shape[1] - full[0], 0)))
    top = int(np.clip(centre[1] - full[1] / 2, 0, max(canvas.shape[0] - full[1], 0)))
    cv2.rectangle(canvas, (left, top), (left + full[0] - 1, top + full[1] - 1), color, cv2.FILLED)
    cv2.putText(canvas, shown, (left + margin, top + margin + height), _FONT, scale, (0, 0, 0), stroke, cv2.LINE_AA)
