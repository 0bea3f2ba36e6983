"""Pictures whose pixels are not square, as of DVDs and half-width cameras: shown to the network as people see them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np

from ..structures import Detections

_LEAST_STRETCH = 1.02  # less is not worth the time, and mostly rounding in a header
_MOST_STRETCH = 8  # more is a damaged header, and could cost any amount of memory


def stretch(image: np.ndarray, pixel_aspect: Fraction) -> np.ndarray:
    """Stretch an image so that its pixels become square; it only ever grows.

    Args:
        image: [H, W, 3] uint8.
        pixel_aspect: width of its pixels over their height; beyond 1/8 to 8, and within 2 % of 1, it counts as 1.

    Returns:
        The image with square pixels; the argument itself if they are square already.
    """
    height, width = image.shape[:2]
    size = _stretched_size(height, width, pixel_aspect)
    # Cubic, for with linear interpolation the network misses small people.
    return image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


def shrink_back(detections: Detections, shape: tuple[int, ...], pixel_aspect: Fraction) -> Detections:
    """Convert detections in a stretched image to pixels of the image before.

    Args:
        detections: in pixels of what `stretch` returned.
        shape: of the image before, height and width first.
        pixel_aspect: as for `stretch`.
    """
    height, width = shape[:2]
    size = _stretched_size(height, width, pixel_aspect)
    if size == (width, height):
        return detections
    scale = np.array([width / size[0], height / size[1]] * 2)
    return replace(detections, boxes=(detections.boxes * scale).astype(detections.boxes.dtype))


def _stretched_size(height: int, width: int, pixel_aspect: Fraction) -> tuple[int, int]:
    wider, higher = max(pixel_aspect, Fraction(1)), max(1 / pixel_aspect, Fraction(1))
    if not _LEAST_STRETCH <= wider * higher <= _MOST_STRETCH:
        return width, height
    return round(width * wider), round(height * higher)
