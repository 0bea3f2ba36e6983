"""The usual alternative to one network for both: a detector, then a ReID network on the crop of each person found.

Everything else, from reading to encoding, is the same code as with our models, so only the networks differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tracker.pipeline.result import TrackingResult
from tracker.pipeline.sequence import OutputOptions, SequenceRun
from tracker.pipeline.track import track_source
from tracker.settings.tracking import TrackerConfig
from tracker.sources import open_source
from tracker.structures import Detections
from training.onnx_networks import ReidNetwork

CONFIDENT = 0.5  # score from which a box is somebody whom the ReID network is asked about


@dataclass(frozen=True)
class _Image:
    """An image on its way through the stages; the networks scale it themselves."""

    image: np.ndarray


@dataclass(frozen=True)
class _Config:
    name: str


class SeparateTracker:
    """Tracks videos with two networks of onnxruntime. Stands in for `tracker.model.Model` and its detector.

    Args:
        detector: .onnx file of a YOLOX network, see `training.teachers.BoxTeacher`.
        reid: .onnx file of a network for crops, see `training.onnx_networks.ReidNetwork`.
        threads: processor threads of each.

    Attributes:
        crops: that the ReID network has been asked about so far.
        max_in_flight: under way at once, see `tracker.model.Detector`.

    Raises:
        ModelError: onnxruntime is missing, or a file holds no such network.
    """

    def __init__(self, detector: Path, reid: Path, threads: int) -> None:
        from training.teachers import BoxTeacher  # brings paddle in, whose memory other parts would measure

        self._find, self._tell_apart = BoxTeacher(detector, threads), ReidNetwork(reid, threads)
        self.config = _Config(f"{detector.stem} + {reid.stem}")
        self.folder = detector.parent
        self.backend = "onnxruntime fp32"
        self.crops, self.max_in_flight = 0, 1

    def preprocess(self, image: np.ndarray) -> _Image:
        """Nothing: both networks start from the image."""
        return _Image(image)

    def forward(self, letterboxed: _Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes [N, 4], scores [N] and embeddings [N, D] of the people in an image."""
        boxes, scores = self._find(letterboxed.image)
        kept = scores >= CONFIDENT
        boxes, scores = boxes[kept], scores[kept]
        self.crops += len(boxes)
        return boxes, scores, self._tell_apart.embed(letterboxed.image, boxes)

    def start(self, letterboxed: _Image) -> Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The same, done at once."""
        outputs = self.forward(letterboxed)
        return lambda: outputs

    def decode(self, outputs: tuple[np.ndarray, np.ndarray, np.ndarray], *_: Any) -> Detections:
        """The same as `Detections`, best first."""
        boxes, scores, embeddings = outputs
        order = np.argsort(-scores)
        # without anybody the network was not asked and the length of an embedding is not known from it
        embeddings = embeddings.reshape(len(boxes), self._tell_apart.dimension)
        return Detections(boxes[order].astype(np.float32), scores[order].astype(np.float32), embeddings[order])

    def mot_predict(self, video: Path, folder: Path) -> TrackingResult:
        """Track a video file; the folder gets the text and the annotated video."""
        with open_source(str(video)) as source:
            options = OutputOptions(folder)
            run = SequenceRun(source.name, source.frame_rate, self, self, TrackerConfig(conf_thres=CONFIDENT), options)
            return track_source(source, run, progress=False)
