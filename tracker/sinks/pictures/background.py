"""The scene without people: the median of some frames, spread over the whole recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .view import write_jpeg

MOST = 15  # frames in memory
WIDEST = 960  # pixels of the longer side
FIRST = 200.0  # milliseconds between frames at the beginning


class Background:
    """Collects frames at equal intervals; where they become too many, every second one goes and the interval doubles.

    Args:
        path: JPEG file to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._frames: list[np.ndarray] = []
        self._interval, self._next = FIRST, 0.0

    def update(self, image: np.ndarray, now: float) -> None:
        """Take a frame if it is time for one.

        Args:
            image: [H, W, 3] uint8 BGR.
            now: its time, milliseconds.
        """
        if now < self._next:
            return
        import cv2

        height, width = image.shape[:2]
        scale = min(1.0, WIDEST / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if self._frames:  # a frame of another size cannot be compared
            size = self._frames[0].shape[1], self._frames[0].shape[0]
        self._frames.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        if len(self._frames) > MOST:
            self._frames = self._frames[::2]
            self._interval *= 2
        self._next = now + self._interval

    def close(self) -> None:
        """Write the median; nothing without a frame.

        Raises:
            OutputError: it cannot be written.
        """
        if self._frames:
            frames = np.stack(self._frames)
            write_jpeg(self.path, np.partition(frames, len(frames) // 2, axis=0)[len(frames) // 2], 90)
            self._frames = []
