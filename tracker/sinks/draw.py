"""Drawing of tracks: boxes and labels on a picture."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping

import cv2
import numpy as np

# Successive multiples of the golden ratio's fraction are spread as evenly as can be: close ids get far hues.
_GOLDEN_RATIO = 0.618033988749895
# Ids whose hues come close again are 5, 8, 13 apart; lightness and saturation alternating by 2 and 3 tell most apart.
_LIGHTNESS = (0.48, 0.7)
_SATURATION = (1.0, 0.85, 0.7)
# Relative luminance of the darkest colour: pure blue (0.07) or red (0.21) vanish in shadow and at dusk.
_MIN_LUMINANCE = 0.16
_LUMINANCE_BGR = np.array([0.0722, 0.7152, 0.2126])  # of linear light, BT.709

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Per pixel of the picture's mean side, and the least that can still be read.
_LINE_WIDTH, _MIN_LINE_WIDTH = 0.003, 1
_FONT_SCALE, _MIN_FONT_SCALE = 0.00058, 0.4


def track_color(track_id: int) -> tuple[int, int, int]:
    """Return the colour of a track.

    Args:
        track_id: any integer.

    Returns:
        Blue, green, red in 0..255: always the same for an id, far apart for ids close to each other, never dark.
    """
    track_id = int(track_id)
    hue = track_id * _GOLDEN_RATIO % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, _LIGHTNESS[track_id % 2], _SATURATION[track_id % 3])
    linear = np.array([blue, green, red]) ** 2.2
    luminance = float(_LUMINANCE_BGR @ linear)
    if luminance < _MIN_LUMINANCE:
        # Mixing in white light keeps the hue; the mixture that just reaches the minimum follows from linearity.
        linear += (1.0 - linear) * (_MIN_LUMINANCE - luminance) / (1.0 - luminance)
    blue, green, red = (round(255 * value) for value in linear ** (1 / 2.2))
    return blue, green, red


def draw_tracks(
    image: np.ndarray,
    ids: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    draw_threshold: float = 0.0,
    names: Mapping[int, str] | None = None,
) -> np.ndarray:
    """Draw a box and the label "id score" for each track, or "id name score" where it has a name.

    Args:
        image: [H, W, 3] uint8 BGR, left unchanged.
        ids: [N] int.
        boxes: [N, 4] float, left, top, width, height in pixels of the image; what lies outside is cut off.
        scores: [N] float.
        draw_threshold: tracks with a lower score are not drawn.
        names: of ids; characters that OpenCV's font lacks become question marks.

    Returns:
        [H, W, 3] uint8 BGR, a new array. Boxes that are not finite, have no area or lie outside are left out.
    """
    canvas = np.array(image, order="C")
    height, width = canvas.shape[:2]
    ids = np.asarray(ids).reshape(-1)
    scores = np.asarray(scores, np.float64).reshape(-1)
    sizes = np.asarray(boxes, np.float64).reshape(-1, 4)
    with np.errstate(over="ignore", invalid="ignore"):
        corners = np.hstack([sizes[:, :2], sizes[:, :2] + sizes[:, 2:]])  # left, top, right, bottom
        shown = np.isfinite(corners).all(1) & np.isfinite(scores) & (scores >= draw_threshold)
        shown &= (sizes[:, 2:] > 0).all(1)
        shown &= (corners[:, 2:] > 0).all(1) & (corners[:, 0] < width) & (corners[:, 1] < height)

    side = (width + height) / 2
    line = max(_MIN_LINE_WIDTH, round(side * _LINE_WIDTH))
    scale = max(_MIN_FONT_SCALE, side * _FONT_SCALE)
    # Farther out a box is as invisible, and its coordinates might not fit OpenCV's integers.
    limits = np.array([width, height, width, height]) + line
    corners = np.clip(np.nan_to_num(corners), -line, limits)

    # A person who stands lower in the picture is nearer to the camera: drawn later, over those behind.
    order = np.flatnonzero(shown)
    order = order[np.argsort(corners[order, 3], kind="stable")]
    colors = {index: track_color(ids[index]) for index in order}
    pixels = np.rint(corners).astype(int).tolist()
    for index in order:
        left, top, right, bottom = pixels[index]
        # Upright lines need no anti-aliasing: it would only blur and dim the thin ones.
        cv2.rectangle(canvas, (left, top), (right, bottom), colors[index], line)
    for index in order:  # after all boxes, whose lines would cross them
        name = (names or {}).get(int(ids[index]), "").encode("ascii", "replace").decode()
        text = " ".join(filter(None, [str(int(ids[index])), name, f"{scores[index]:.2f}"]))
        _draw_label(canvas, text, pixels[index][:2], colors[index], scale, line)
    return canvas


def _draw_label(
    canvas: np.ndarray, text: str, corner: list[int], color: tuple[int, int, int], scale: float, line: int
) -> None:
    """Draw a filled label at the box's left top corner: above it or, where there is no room, inside."""
    stroke = max(1, round(scale * 2))
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, stroke)
    margin = max(2, baseline // 2)  # digits have no descenders, so the baseline's room is margin enough
    label_width, label_height = text_width + 2 * margin, text_height + 2 * margin
    height, width = canvas.shape[:2]
    edge = line // 2  # the outer half of the box's line, with which the label ends flush
    left = max(0, min(corner[0] - edge, width - label_width))
    above = corner[1] - edge - label_height
    top = above if above >= 0 else max(0, min(corner[1] - edge, height - label_height))
    # A filled rectangle includes its last row and column.
    cv2.rectangle(canvas, (left, top), (left + label_width - 1, top + label_height - 1), color, cv2.FILLED)
    origin = (left + margin, top + margin + text_height)
    cv2.putText(canvas, text, origin, _FONT, scale, _ink(color), stroke, cv2.LINE_AA)


def _ink(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return black or white, whichever contrasts more: WCAG 2 puts the border at a relative luminance of 0.18."""
    luminance = float(_LUMINANCE_BGR @ (np.array(color) / 255) ** 2.2)
    return (0, 0, 0) if luminance > 0.18 else (255, 255, 255)
