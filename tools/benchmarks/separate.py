"""The usual alternative to one network for both: a detector, then a ReID network on the crop of each person found.

Everything else, from reading to encoding, is the same code as with our models, so only the networks differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tracker.detection.base import FunctionDetector
from tracker.predictor import Predictor
from tracker.structures import Detections
from training.onnx_networks import ReidNetwork

HIGH_CONF_THRES = 0.5  # score from which a box is somebody whom the ReID network is asked about


class SeparateNetworks:
    """Finds people with one network of onnxruntime and computes their embeddings with another.

    Args:
        detector: .onnx file of a YOLOX network, see `training.teachers.BoxTeacher`.
        reid: .onnx file of a network for crops, see `training.onnx_networks.ReidNetwork`.
        threads: processor threads of each.

    Attributes:
        crops: that the ReID network has been asked about so far.

    Raises:
        ModelError: onnxruntime is missing, or a file holds no such network.
    """

    def __init__(self, detector: Path, reid: Path, threads: int) -> None:
        from training.teachers import BoxTeacher  # brings paddle in, whose memory other parts would measure

        self._detector, self._reid = BoxTeacher(detector, threads), ReidNetwork(reid, threads)
        self.crops = 0

    def __call__(self, image: np.ndarray) -> Detections:
        """Find the people of an image [H, W, 3] uint8 BGR, best first, with their embeddings."""
        boxes, scores = self._detector(image)
        kept = np.flatnonzero(scores >= HIGH_CONF_THRES)
        kept = kept[np.argsort(-scores[kept])]
        boxes, scores = boxes[kept], scores[kept]
        self.crops += len(boxes)
        # without anybody the network is not asked, and the length of an embedding is not known from it
        embeddings = self._reid.embed(image, boxes).reshape(len(boxes), self._reid.dimension)
        return Detections(boxes.astype(np.float32), scores.astype(np.float32), embeddings)

    def predictor(self, name: str) -> Predictor:
        """Return what tracks videos with these networks, called by a name."""
        return Predictor(detector=FunctionDetector(self, name, HIGH_CONF_THRES))
