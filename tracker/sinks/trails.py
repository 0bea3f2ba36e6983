"""The ways that people have just walked, drawn into a video."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from ..settings.checks import check_number
from ..structures import Frame, SequenceInfo, Tracks
from .draw import track_color

LONGEST = 600.0  # seconds
_GAP = 1.0  # seconds out of sight after which a new trail begins


class Trails:
    """Draws a line through where the feet of everybody in sight were in the last seconds.

    Args:
        seconds: length of a trail.
        draw_threshold: least score, 0 to 1, of those drawn.

    Raises:
        OptionError: the length is no number from 0 to `LONGEST`.
    """

    def __init__(self, seconds: float, draw_threshold: float = 0.0) -> None:
        self._seconds = check_number("trails", seconds, 0, LONGEST)
        self._draw_threshold = draw_threshold
        self._points: dict[int, deque[tuple[float, float, float]]] = {}

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence, without any trail."""
        self._points = {}

    def draw(self, canvas: np.ndarray, frame: Frame, tracks: Tracks) -> None:
        """Draw the trails up to a frame.

        Args:
            canvas: [H, W, 3] uint8 BGR, drawn into.
            frame: of the run, in order.
            tracks: the people in sight.
        """
        height, width = canvas.shape[:2]
        line = max(1, round((width + height) / 2 * 0.003))
        reach = 4 * max(width, height)  # farther out OpenCV's integers end
        for identity, (left, top, w, h), score in zip(
            tracks.ids.tolist(), tracks.boxes.tolist(), tracks.scores.tolist()
        ):
            points = self._points.setdefault(identity, deque())
            if points and frame.time - points[-1][0] > _GAP:
                points.clear()
            points.append((frame.time, *np.clip([left + w / 2, top + h], -reach, reach).tolist()))
            while frame.time - points[0][0] > self._seconds:
                points.popleft()
            if score >= self._draw_threshold and len(points) > 1:
                way = np.rint(np.array(points)[:, 1:] * 16).astype(np.int32)
                cv2.polylines(canvas, [way], False, track_color(identity), line, cv2.LINE_AA, 4)
        for identity in [key for key, points in self._points.items() if frame.time - points[-1][0] > _GAP]:
            del self._points[identity]
