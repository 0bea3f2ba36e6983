"""The usual alternative to one network for both: a detector, then a ReID network on the crop of each person found.

Everything else, from reading to encoding, is the same code as with our models, so that only the networks differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tracker.detection.base import FunctionDetector
from tracker.predictor import Predictor
from tracker.structures import Detections
from training.onnx_networks import ReidNetwork

HIGH_CONF_THRES = 0.5  # score from which a detection gets an embedding and is tracked


class SeparateNetworks:
    """A detector and a ReID network of onnxruntime, one after the other.

    Args:
        detector: .onnx file of a YOLOX network.
        reid: .onnx file of a network from crops [1, 256, 128, 3] BGR 0 to 255 to embeddings.
        threads: number of processor threads of each.

    Attributes:
        crops: number of crops that the ReID network has embedded so far.

    Raises:
        ModelError: onnxruntime is missing, or a file holds no such network.
    """

    def __init__(self, detector: Path, reid: Path, threads: int) -> None:
        from training.teachers import BoxTeacher  # imports Paddle, whose memory other parts would measure

        self._detector, self._reid = BoxTeacher(detector, threads), ReidNetwork(reid, threads)
        self.crops = 0

    def __call__(self, image: np.ndarray) -> Detections:
        """Return the detections of an image [H, W, 3] uint8 BGR, best first, with their embeddings."""
        boxes, scores = self._detector(image)
        kept = np.flatnonzero(scores >= HIGH_CONF_THRES)
        kept = kept[np.argsort(-scores[kept])]
        boxes, scores = boxes[kept], scores[kept]
        self.crops += len(boxes)
        # without any box the network does not run, and its output does not tell the length of an embedding
        embeddings = self._reid.embed(image, boxes).reshape(len(boxes), self._reid.dimension)
        return Detections(boxes.astype(np.float32), scores.astype(np.float32), embeddings)

    def predictor(self, name: str) -> Predictor:
        """Return a predictor that tracks videos with these networks and gives their name in its results."""
        return Predictor(detector=FunctionDetector(self, name, HIGH_CONF_THRES))
