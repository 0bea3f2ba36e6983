"""Detectors of people as teachers, of one picture as a whole or of its tiles as well."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from tracker.detection.backends.network import to_floats
from tracker.detection.decode import non_maximum_suppression
from tracker.detection.letterbox import Letterbox
from tracker.errors import ModelError
from tracker.settings.model import LetterboxConfig, Thresholds
from training.teachers.network import TeacherNetwork, network_digest

STRIDES = (8, 16, 32)  # of YOLOX
# boxes below the score are not told at all
THRESHOLDS = Thresholds(score=0.1, nms=0.6, nms_top_k=2000, keep_top_k=500, high_conf_thres=0.5)
OVERLAP = 0.2  # share by which tiles are larger than they need be
TILED_HEIGHT = 720  # rows from which an image is looked at in tiles: smaller ones would only be blown up
CUT_OFF = 0.01  # of a tile's side: a box that ends so near a border within the image is one of a person cut off

# image [H, W, 3] uint8 BGR to boxes [N, 5] float32: left, top, right, bottom in its pixels, score
Detector = Callable[[np.ndarray], np.ndarray]


class DetectorFile(NamedTuple):
    """A network that finds people, as users name it.

    Attributes:
        path: The ``.onnx`` or ``.xml`` file.
        person: The class of people.
        size: Height and width of the network's input; None for those of the file.
    """

    path: Path
    person: int
    size: tuple[int, int] | None

    @classmethod
    def parse(cls, text: str) -> DetectorFile:
        """Read the text ``FILE[:CLASS][@WxH]``; without a class, people are class 0."""
        match = re.fullmatch(r"(.*?)(?::(\d+))?(?:@(\d+)x(\d+))?", text, re.DOTALL)
        assert match
        name, person, width, height = match.groups()
        return cls(Path(name), int(person or 0), (int(height), int(width)) if height else None)

    def open(self, threads: int) -> BoxesDetector | YoloxDetector:
        """Load the network; one with an output ``boxes`` is a `BoxesDetector`, any other a `YoloxDetector`.

        Raises:
            ModelError: openvino is missing, or the file does not hold such a network.
        """
        network = TeacherNetwork(self.path, threads, self.size)
        return (BoxesDetector if "boxes" in network.outputs else YoloxDetector)(network, self.person)


def open_detector(text: str, threads: int) -> Detector:
    """Open a network that finds people.

    Args:
        text: ``FILE[:CLASS][@WxH]``, see `DetectorFile`.
        threads: Processor threads.

    Raises:
        ModelError: openvino is missing, or the file does not hold such a network.
    """
    return DetectorFile.parse(text).open(threads)


def _check_input(network: TeacherNetwork, multiple: int) -> tuple[int, int]:
    """Return the height and width of a network's input."""
    shape = network.shape
    if len(shape) != 4 or shape[:2] != (1, 3) or shape[2] % multiple or shape[3] % multiple:
        sides = f", H and W multiples of {multiple}" if multiple > 1 else ""
        raise ModelError(f"{network.path} must take images [1, 3, H, W]{sides}, not {list(shape)}")
    return shape[2], shape[3]


class BoxesDetector:
    """A detector that decodes its boxes itself, as those of Intel's Open Model Zoo do.

    The input is the image scaled to the network's size without regard to its aspect ratio, BGR, 0 to 255. The output
    ``boxes`` is [N, 5] left, top, right, bottom in pixels of the input, and score; ``labels`` [N] has the classes.

    Args:
        network: The network.
        person: The class of people.

    Attributes:
        size: Height and width of the network's input.

    Raises:
        ModelError: The network's input is no image.
    """

    def __init__(self, network: TeacherNetwork, person: int) -> None:
        self.size = _check_input(network, 1)
        self._network, self._person = network, person
        self._boxes = network.outputs.index("boxes")
        self._labels = network.outputs.index("labels") if "labels" in network.outputs else None

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Detect people.

        Args:
            image: [H, W, 3] uint8 BGR.

        Returns:
            [N, 5] float32: left, top, right, bottom in pixels of the image, score.

        Raises:
            ModelError: The network's output has another shape.
        """
        height, width = self.size
        outputs = self._network(to_floats(cv2.resize(image, (width, height))[None], 1))
        rows = outputs[self._boxes]
        if rows.ndim != 2 or rows.shape[1] != 5:
            raise ModelError(f"{self._network.path} gives boxes {list(rows.shape)}, not [N, 5]")
        people = rows[:, 4] > THRESHOLDS.score
        if self._labels is not None:
            people &= outputs[self._labels] == self._person
        scale = [image.shape[1] / width, image.shape[0] / height] * 2
        return (rows[people] * [*scale, 1]).astype(np.float32)


class YoloxDetector:
    """A YOLOX detector with undecoded output: cx, cy, w, h, objectness and class scores of every cell.

    The input is the scaled image at the top left, padded with 114; BGR, 0 to 255. The centre of a box is (xy + cell) *
    stride, its size exp(wh) * stride (https://github.com/Megvii-BaseDetection/YOLOX).

    Args:
        network: The network.
        person: The class of people.

    Attributes:
        size: Height and width of the network's input.

    Raises:
        ModelError: The network's input is no image with sides in multiples of 32 pixels.
    """

    def __init__(self, network: TeacherNetwork, person: int) -> None:
        self.size = height, width = _check_input(network, STRIDES[-1])
        self._network, self._score = network, 5 + person
        self._letterbox = Letterbox(LetterboxConfig(height, width, "BGR", 1.0, "top_left", 114, "linear"))
        cells = []
        for stride in STRIDES:
            y, x = np.mgrid[: height // stride, : width // stride].reshape(2, -1)
            cells.append(np.stack([x, y, np.full_like(x, stride)], axis=1))
        self._cells = np.concatenate(cells).astype(np.float32)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Detect people.

        Args:
            image: [H, W, 3] uint8 BGR.

        Returns:
            [N, 5] float32: left, top, right, bottom in pixels of the image, score.

        Raises:
            ModelError: The network's output has another shape.
        """
        pixels, transform = self._letterbox(image)
        rows = self._network(to_floats(pixels, 1))[0]
        expected = (1, len(self._cells))
        if rows.ndim != 3 or rows.shape[:2] != expected or rows.shape[2] <= self._score:
            wanted = f"[1, {expected[1]}, {self._score + 1} or more]"
            raise ModelError(f"{self._network.path} gives {list(rows.shape)}, not {wanted}")
        rows = rows[0]
        scores = rows[:, 4] * rows[:, self._score]
        candidates = np.flatnonzero(scores > THRESHOLDS.score)
        stride = self._cells[candidates, 2:]
        centre = (rows[candidates, :2] + self._cells[candidates, :2]) * stride
        half = np.exp(rows[candidates, 2:4]) * stride / 2
        boxes, scores = np.concatenate([centre - half, centre + half], axis=1), scores[candidates]
        kept = non_maximum_suppression(boxes, scores, THRESHOLDS)
        return np.column_stack([transform.to_image(boxes[kept]), scores[kept]]).astype(np.float32)


class TiledDetector:
    """A detector that looks at the whole image, and at large ones also at overlapping tiles, for people far away.

    Tiles are shown at so many times the scale of the whole image as there are tiles along a side. Their boxes that end
    at a border within the image are dropped: the person may go on there, and is whole in another tile or the image. The
    boxes of all looks are joined by non-maximum suppression.

    Args:
        text: The detector ``FILE[:CLASS][@WxH]``, see `DetectorFile`.
        threads: Processor threads.
        tiles: Tiles along each side; 1 for the whole image alone.

    Attributes:
        digest: Changes with everything that its answers depend on, but for the image.

    Raises:
        ModelError: openvino is missing, or the file does not hold such a network.
    """

    def __init__(self, text: str, threads: int, tiles: int = 1) -> None:
        file = DetectorFile.parse(text)
        self._tiles = tiles
        self._whole = file.open(threads)
        height, width = (-int(-side * (1 + OVERLAP) // STRIDES[-1]) * STRIDES[-1] for side in self._whole.size)
        self._tile = file._replace(size=(height, width)).open(threads) if tiles > 1 else None
        self.digest = f"{network_digest(file.path)} {file.person} {self._whole.size} {tiles}"

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Detect people.

        Args:
            image: [H, W, 3] uint8 BGR.

        Returns:
            [N, 5] float32: left, top, right, bottom in pixels of the image, score; best first.

        Raises:
            ModelError: The network's output has another shape.
        """
        found = [self._whole(image)]
        if self._tile is not None and len(image) >= TILED_HEIGHT:
            for left, top, right, bottom in tiles_of(image.shape[1], image.shape[0], self._tiles):
                rows = self._tile(image[top:bottom, left:right])
                rows[:, :4] += np.array([left, top, left, top], np.float32)
                found.append(rows[~_cut_off(rows, (left, top, right, bottom), image.shape)])
        rows = np.concatenate(found)
        return rows[non_maximum_suppression(rows[:, :4], rows[:, 4], THRESHOLDS)]


def tiles_of(width: int, height: int, count: int) -> list[tuple[int, int, int, int]]:
    """Cut an image into count x count overlapping tiles of one size.

    Returns:
        Left, top, right and bottom of each in pixels, row by row.
    """
    spans = []
    for side in (height, width):
        length = round(side * (1 + OVERLAP) / count)
        spans.append([(first, first + length) for first in np.rint(np.linspace(0, side - length, count)).astype(int)])
    return [(left, top, right, bottom) for (top, bottom), (left, right) in itertools.product(*spans)]


def _cut_off(rows: np.ndarray, tile: tuple[int, int, int, int], shape: tuple[int, ...]) -> np.ndarray:
    """Tell which boxes [N, 5] end at a border of a tile that is none of the image of a shape [H, W, ...]."""
    left, top, right, bottom = tile
    margin = np.array([right - left, bottom - top]) * CUT_OFF
    before = (np.array([left, top]) > 0) & (rows[:, :2] < np.array([left, top]) + margin)
    behind = (np.array([right, bottom]) < shape[1::-1]) & (rows[:, 2:4] > np.array([right, bottom]) - margin)
    return (before | behind).any(axis=1)
