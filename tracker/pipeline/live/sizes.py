"""Pictures that change their size on the way: tracks, scene and files keep that of the first."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np

from ...structures import Detections, Frame, Tracks

Size = tuple[int, int]


def size_of(frame: Frame) -> Size:
    """Return the width and height of a frame in pixels."""
    height, width = frame.image.shape[:2]
    return width, height


def resized(frame: Frame, size: Size) -> Frame:
    """Return a frame stretched to a size; its pixels get the shape by which it is shown as before.

    Args:
        frame: of any size.
        size: width and height in pixels.
    """
    width, height = size_of(frame)
    if (width, height) == size:
        return frame
    mode = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
    aspect = frame.pixel_aspect * Fraction(width * size[1], height * size[0])
    return replace(frame, image=cv2.resize(frame.image, size, interpolation=mode), pixel_aspect=aspect)


def scaled_detections(detections: Detections, old: Size, new: Size) -> Detections:
    """Return detections at the same fractions of a picture of another size, given as width and height."""
    if old == new:
        return detections
    boxes = (detections.boxes * _scale(old, new)).astype(detections.boxes.dtype)
    return replace(detections, boxes=boxes)


def scaled_tracks(tracks: Tracks, old: Size, new: Size) -> Tracks:
    """Return tracks at the same fractions of a picture of another size, given as width and height."""
    return tracks if old == new else replace(tracks, boxes=tracks.boxes * _scale(old, new))


def _scale(old: Size, new: Size) -> np.ndarray:
    return np.array([new[0] / old[0], new[1] / old[1]] * 2)
