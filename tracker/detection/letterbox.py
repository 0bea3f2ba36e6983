"""Letterboxing: images to network inputs, and boxes back to image pixels."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from ..settings.model import LetterboxConfig

INTERPOLATIONS = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


@dataclass(frozen=True)
class LetterboxTransform:
    """Position of an image in the network's input.

    Attributes:
        left: first column of the image in the input.
        top: first row of the image in the input.
        width: width of the image in the input, in pixels.
        height: height of the image in the input, in pixels.
        scale_x: width in the input over width of the original image.
        scale_y: height in the input over height of the original image.
    """

    left: int
    top: int
    width: int
    height: int
    scale_x: float
    scale_y: float

    def to_image(self, boxes: np.ndarray) -> np.ndarray:
        """Convert boxes [N, 4] left, top, right, bottom from network pixels to pixels of the original image."""
        offset = np.array([self.left, self.top] * 2)
        scale = np.array([self.scale_x, self.scale_y] * 2)
        return (boxes - offset) / scale

    def to_network(self, boxes: np.ndarray) -> np.ndarray:
        """Convert boxes [N, 4] left, top, right, bottom from pixels of the original image to network pixels."""
        offset = np.array([self.left, self.top] * 2)
        scale = np.array([self.scale_x, self.scale_y] * 2)
        return boxes * scale + offset


@dataclass(frozen=True)
class LetterboxedImage:
    """An image and the network input made of it.

    Attributes:
        pixels: [1, h, w, 3] uint8, the network's input.
        transform: position of the image in the input.
        image: [H, W, 3] uint8 BGR, the original image.
    """

    pixels: np.ndarray
    transform: LetterboxTransform
    image: np.ndarray


class Letterbox:
    """Scales images to the size of the network's input, with the aspect ratio kept and the rest padded.

    Args:
        config: size, colour order, padding and interpolation.
        buffers: number of inputs, which are allocated once and filled in turn.
    """

    def __init__(self, config: LetterboxConfig, buffers: int = 1) -> None:
        self.config = config
        self._inputs = deque(np.empty((1, config.height, config.width, 3), np.uint8) for _ in range(buffers))
        self._transforms: deque[LetterboxTransform | None] = deque([None] * buffers)

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, LetterboxTransform]:
        """Letterbox an image.

        Args:
            image: [H, W, 3] uint8, BGR.

        Returns:
            The input [1, height, width, 3] uint8 in the network's channel order, and the position of the image in it.
            The input is overwritten by the call that comes ``buffers`` calls later.
        """
        config = self.config
        transform = self._transform(*image.shape[:2])
        self._inputs.rotate()
        self._transforms.rotate()
        pixels = self._inputs[0]
        if transform != self._transforms[0]:
            pixels.fill(round(config.pad_value))  # rounds half to even, as OpenCV does for its borders
            self._transforms[0] = transform
        rows = slice(transform.top, transform.top + transform.height)
        columns = slice(transform.left, transform.left + transform.width)
        window = pixels[0, rows, columns]
        size = (transform.width, transform.height)
        cv2.resize(image, size, window, interpolation=INTERPOLATIONS[config.interpolation])
        if config.color == "RGB":
            cv2.cvtColor(window, cv2.COLOR_BGR2RGB, window)
        return pixels, transform

    def _transform(self, height: int, width: int) -> LetterboxTransform:
        config = self.config
        ratio = min(config.height / height, config.width / width)
        scaled_width, scaled_height = max(1, round(width * ratio)), max(1, round(height * ratio))
        centred = config.place == "center"
        return LetterboxTransform(
            # the odd pixel of padding goes to the right or the bottom
            left=(config.width - scaled_width) // 2 if centred else 0,
            top=(config.height - scaled_height) // 2 if centred else 0,
            width=scaled_width,
            height=scaled_height,
            scale_x=scaled_width / width,
            scale_y=scaled_height / height,
        )
