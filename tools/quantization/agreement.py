"""How well the detections of two networks agree on the same images, and how long their forward passes take."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.cli import progress
from tracker.association.matching import assign_pairs
from tracker.boxes import overlapping, paired_iou
from tracker.detection.backends.network import Network
from tracker.detection.decode import Decoder
from tracker.detection.letterbox import Letterbox, LetterboxedImage
from tracker.settings.model import ModelConfig
from tracker.structures import Detections

MIN_IOU = 0.5  # of two boxes of the same person


@dataclass(frozen=True)
class Agreement:
    """Agreement of a candidate network's high-confidence detections with a reference network's.

    High-confidence are detections with a score above the model's ``high_conf_thres``. Shares and means are from 0
    to 1, NaN where there is nothing to divide by.

    Attributes:
        images: number of images.
        reference: number of detections of the reference network.
        candidate: number of detections of the candidate network.
        matched: number of pairs of them in the same image with an IoU of at least 0.5, one to one.
        iou: mean IoU of the pairs.
        cosine: mean cosine similarity of the pairs' embeddings, -1 to 1.
        reference_ms: median time of a forward pass of the reference network, milliseconds.
        candidate_ms: the same of the candidate network.
    """

    images: int
    reference: int
    candidate: int
    matched: int
    iou: float
    cosine: float
    reference_ms: float
    candidate_ms: float

    @property
    def precision(self) -> float:
        """Share of the candidate's detections that the reference has too."""
        return self.matched / self.candidate if self.candidate else float("nan")

    @property
    def recall(self) -> float:
        """Share of the reference's detections that the candidate has too."""
        return self.matched / self.reference if self.reference else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where neither network detects anybody."""
        both = self.reference + self.candidate
        return 2 * self.matched / both if both else float("nan")


def match(reference: Detections, candidate: Detections) -> tuple[np.ndarray, np.ndarray]:
    """Match the detections of one image one to one: as many pairs as possible, and of those the largest sum of IoU.

    Returns:
        [P, 2] indices into ``reference`` and ``candidate``, and the IoU [P] of each pair, at least 0.5.
    """
    rows, columns = overlapping(reference.boxes, candidate.boxes)
    overlap = paired_iou(reference.boxes[rows], candidate.boxes[columns])
    near = overlap >= MIN_IOU
    rows, columns, overlap = rows[near], columns[near], overlap[near]
    # with a limit above twice the highest cost no pair is given up for better ones
    pairs = assign_pairs(rows, columns, 1 - overlap, (len(reference), len(candidate)), limit=2.0)
    return np.stack([rows[pairs], columns[pairs]], axis=1), overlap[pairs]


def high_confidence_decoder(config: ModelConfig) -> Decoder:
    """Return a decoder that keeps only detections above the model's ``high_conf_thres``."""
    return Decoder(config, dataclasses.replace(config.thresholds, score=config.thresholds.high_conf_thres))


def compare(reference: Network, candidate: Network, images: Sequence[np.ndarray], config: ModelConfig) -> Agreement:
    """Run both networks on images and compare their high-confidence detections.

    The networks take turns on every image, so that a busy machine slows both alike.

    Args:
        reference: network that is taken to be right.
        candidate: network of the same model, for example in another precision.
        images: at least one, each [H, W, 3] uint8 BGR.
        config: of the model.

    Raises:
        ModelError: a network fails.
    """
    letterbox = Letterbox(config.letterbox)
    decode = high_confidence_decoder(config)
    networks = (reference, candidate)
    for network in networks:
        network.run(letterbox(images[0])[0])  # the first pass is slower
    seconds: tuple[list[float], ...] = ([], [])
    counts = np.zeros(2, np.int64)
    overlaps: list[float] = []
    cosines: list[float] = []
    for image in progress(images, "comparing", "frames"):
        letterboxed = LetterboxedImage(*letterbox(image), image)
        detections = []
        for network, times in zip(networks, seconds):
            start = time.perf_counter()
            outputs = network.run(letterboxed.pixels)
            times.append(time.perf_counter() - start)
            detections.append(decode(outputs, letterboxed, network.embed))
        pairs, overlap = match(*detections)
        counts += [len(part) for part in detections]
        overlaps.extend(overlap)
        first, second = (part.embeddings[index] for part, index in zip(detections, pairs.T))
        cosines.extend((first * second).sum(axis=1))
    return Agreement(
        images=len(images),
        reference=int(counts[0]),
        candidate=int(counts[1]),
        matched=len(overlaps),
        iou=float(np.mean(overlaps)) if overlaps else float("nan"),
        cosine=float(np.mean(cosines)) if cosines else float("nan"),
        reference_ms=1e3 * float(np.median(seconds[0])),
        candidate_ms=1e3 * float(np.median(seconds[1])),
    )
