"""The usual alternative to one network for both: a detector, then a ReID network on the crop of each person found.

Everything else, from reading to encoding, is the same code as with our models, so that only the networks differ.
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
from tracker.sources.source import open_source
from tracker.structures import Detections
from training.onnx_networks import ReidNetwork

MIN_SCORE = 0.5  # of a detection that gets an embedding and is tracked


@dataclass(frozen=True)
class _Image:
    """An image in the stages of the pipeline, as it is, for the networks scale it themselves."""

    image: np.ndarray


@dataclass(frozen=True)
class _Config:
    name: str


class SeparateTracker:
    """Tracker of videos with two networks of onnxruntime, in place of both `Model` and its `Detector`.

    Args:
        detector: .onnx file of a YOLOX network.
        reid: .onnx file of a network from crops [1, 256, 128, 3] BGR 0 to 255 to embeddings.
        threads: number of processor threads of each.

    Attributes:
        crops: number of crops that the ReID network has embedded so far.
        max_in_flight: number of frames in the networks at a time.

    Raises:
        ModelError: onnxruntime is missing, or a file holds no such network.
    """

    def __init__(self, detector: Path, reid: Path, threads: int) -> None:
        from training.teachers import BoxTeacher  # imports Paddle, whose memory other parts would measure

        self._detect, self._reid = BoxTeacher(detector, threads), ReidNetwork(reid, threads)
        self.config = _Config(f"{detector.stem} + {reid.stem}")
        self.folder = detector.parent
        self.backend = "onnxruntime fp32"
        self.crops, self.max_in_flight = 0, 1

    def preprocess(self, image: np.ndarray) -> _Image:
        """Wrap an image [H, W, 3] uint8 BGR; there is nothing to prepare."""
        return _Image(image)

    def forward(self, letterboxed: _Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return boxes [N, 4] left, top, right, bottom, scores [N] and embeddings [N, D] of the people in an image."""
        boxes, scores = self._detect(letterboxed.image)
        kept = scores >= MIN_SCORE
        boxes, scores = boxes[kept], scores[kept]
        self.crops += len(boxes)
        return boxes, scores, self._reid.embed(letterboxed.image, boxes)

    def start(self, letterboxed: _Image) -> Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Run both networks at once, and return a function that returns the outputs of `forward`."""
        outputs = self.forward(letterboxed)
        return lambda: outputs

    def decode(self, outputs: tuple[np.ndarray, np.ndarray, np.ndarray], *_: Any) -> Detections:
        """Turn the outputs of `forward` into `Detections`, best first."""
        boxes, scores, embeddings = outputs
        order = np.argsort(-scores)
        # without any box the outputs do not tell the length of an embedding
        embeddings = embeddings.reshape(len(boxes), self._reid.dimension)
        return Detections(boxes[order].astype(np.float32), scores[order].astype(np.float32), embeddings[order])

    def mot_predict(self, video: Path, folder: Path) -> TrackingResult:
        """Track a video file, and write the text and the annotated video into a folder."""
        with open_source(str(video)) as source:
            options = OutputOptions(folder)
            run = SequenceRun(source.name, source.frame_rate, self, self, TrackerConfig(conf_thres=MIN_SCORE), options)
            return track_source(source, run, progress=False)
