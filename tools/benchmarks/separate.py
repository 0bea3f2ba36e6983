"""The usual alternative to one network for both: a detector, then a ReID network on the crop of each person found.

Everything else, from reading to encoding, is the same code as with our models, so that only the networks differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tracker.detection.base import FunctionDetector
from tracker.predictor import Predictor
from tracker.structures import Detections
from training.teachers.detectors import open_detector
from training.teachers.reid import ReidNetwork

HIGH_CONF_THRES = 0.5  # score from which a detection gets an embedding and is tracked


class SeparateNetworks:
    """A detector and a ReID network in OpenVINO, one after the other.

    Args:
        detector: FILE[:CLASS][@WxH], a network that finds people, see `DetectorFile`.
        reid: .onnx or .xml file of a `ReidNetwork`.
        threads: number of processor threads of each.

    Attributes:
        crops: number of crops that the ReID network has embedded so far.

    Raises:
        ModelError: openvino is missing, or a file holds no such network.
    """

    def __init__(self, detector: str, reid: Path, threads: int) -> None:
        self._detector, self._reid = open_detector(detector, threads), ReidNetwork(reid, threads)
        self.crops = 0

    def __call__(self, image: np.ndarray) -> Detections:
        """Return the detections of an image [H, W, 3] uint8 BGR, best first, with their embeddings."""
        rows = self._detector(image)
        rows = rows[rows[:, 4] >= HIGH_CONF_THRES]
        rows = rows[np.argsort(-rows[:, 4])]
        boxes, scores = rows[:, :4], rows[:, 4]
        self.crops += len(boxes)
        return Detections(boxes, scores, self._reid.embed(image, boxes))

    def predictor(self, name: str) -> Predictor:
        """Return a predictor that tracks videos with these networks and gives their name in its results."""
        return Predictor(detector=FunctionDetector(self, name, HIGH_CONF_THRES))
