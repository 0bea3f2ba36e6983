"""Image to network input, and boxes back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from .config import LetterboxConfig

INTERPOLATIONS = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


@dataclass(frozen=True)
class Placement:
    """Where an image lies in the network's input, in its pixels; ``scale_x``, ``scale_y`` are input over image size."""

    left: int
    top: int
    width: int
    height: int
    scale_x: float
    scale_y: float

    def to_image(self, boxes: np.ndarray) -> np.ndarray:
        """[N, 4] left, top, right, bottom in network pixels to the same in pixels of the original image."""
        offset = np.array([self.left, self.top] * 2)
        scale = np.array([self.scale_x, self.scale_y] * 2)
        return (boxes - offset) / scale

    def to_network(self, boxes: np.ndarray) -> np.ndarray:
        """The other way round."""
        offset = np.array([self.left, self.top] * 2)
        scale = np.array([self.scale_x, self.scale_y] * 2)
        return boxes * scale + offset


class Letterbox:
    """Scales images into network inputs that are kept and filled anew, aspect ratio unchanged, the rest padded.

    Args:
        config: says how.
        buffers: inputs that are filled in turn.
    """

    def __init__(self, config: LetterboxConfig, buffers: int = 1) -> None:
        self.config = config
        shape = (1, 3, config.height, config.width)
        self._blobs = deque(np.full(shape, config.pad_value * config.scale, dtype=np.float32) for _ in range(buffers))
        self._placements: deque[Placement | None] = deque([None] * buffers)

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, Placement]:
        """Place an image.

        Args:
            image: [H, W, 3] uint8, BGR.

        Returns:
            The input [1, 3, height, width] float32, valid until as many more calls as there are buffers, and where the
            image lies in it.
        """
        config = self.config
        placement = self._place(*image.shape[:2])
        self._blobs.rotate()
        self._placements.rotate()
        blob = self._blobs[0]
        if placement != self._placements[0]:
            blob.fill(config.pad_value * config.scale)
            self._placements[0] = placement
        size = (placement.width, placement.height)
        scaled = cv2.resize(image, size, interpolation=INTERPOLATIONS[config.interpolation])
        channels = scaled.transpose(2, 0, 1)
        if config.color == "RGB":
            channels = channels[::-1]
        rows = slice(placement.top, placement.top + placement.height)
        columns = slice(placement.left, placement.left + placement.width)
        np.multiply(channels, np.float32(config.scale), out=blob[0, :, rows, columns])
        return blob, placement

    def _place(self, height: int, width: int) -> Placement:
        config = self.config
        ratio = min(config.height / height, config.width / width)
        scaled_width, scaled_height = max(1, round(width * ratio)), max(1, round(height * ratio))
        centred = config.place == "center"
        return Placement(
            # an odd rest goes to the right and the bottom
            left=(config.width - scaled_width) // 2 if centred else 0,
            top=(config.height - scaled_height) // 2 if centred else 0,
            width=scaled_width,
            height=scaled_height,
            scale_x=scaled_width / width,
            scale_y=scaled_height / height,
        )
