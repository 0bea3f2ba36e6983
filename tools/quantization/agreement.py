"""How well the detections of one network agree with those of another on the same images, and what each takes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracker.association.matching import assign_pairs
from tracker.boxes import iou, overlapping
from tracker.detection.backends.network import Network
from tracker.detection.decode import Decoder
from tracker.detection.letterbox import Letterbox, LetterboxedImage
from tracker.settings.model import ModelConfig
from tracker.structures import Detections

LEAST_IOU = 0.5  # of two boxes that show the same person


@dataclass(frozen=True)
class Agreement:
    """Of a network's sure detections with those of an exact one; shares and means from 0 to 1, NaN where of nothing.

    Attributes:
        images: looked at.
        exact, found: detections of the exact network and of the other, with a score above the model's ``confident``.
        matched: pairs of them of one image, with an IoU of at least 0.5, one to one.
        iou: mean of the pairs.
        cosine: mean similarity of the embeddings of the pairs, -1 to 1.
        exact_ms, found_ms: median time of one forward pass, milliseconds.
    """

    images: int
    exact: int
    found: int
    matched: int
    iou: float
    cosine: float
    exact_ms: float
    found_ms: float

    @property
    def precision(self) -> float:
        """Share of the other network's detections that the exact one has too."""
        return self.matched / self.found if self.found else float("nan")

    @property
    def recall(self) -> float:
        """Share of the exact network's detections that the other one has too."""
        return self.matched / self.exact if self.exact else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of both; NaN if neither network found anybody."""
        both = self.exact + self.found
        return 2 * self.matched / both if both else float("nan")


def match(exact: Detections, found: Detections) -> tuple[np.ndarray, np.ndarray]:
    """Pair detections of one image by their boxes: as many pairs as can be, of these with the most overlap.

    Returns:
        [P, 2] indices into ``exact`` and ``found``, and the IoU [P] of each pair.
    """
    rows, columns = overlapping(exact.boxes, found.boxes)
    overlap = iou(exact.boxes[rows], found.boxes[columns])
    near = overlap >= LEAST_IOU
    rows, columns, overlap = rows[near], columns[near], overlap[near]
    # with a limit above twice the highest cost no pair is given up for better ones
    made = assign_pairs(rows, columns, 1 - overlap, (len(exact), len(found)), limit=2.0)
    return np.stack([rows[made], columns[made]], axis=1), overlap[made]


def sure_decoder(config: ModelConfig) -> Decoder:
    """A decoder of detections above the model's ``confident`` score alone."""
    return Decoder(config, dataclasses.replace(config.thresholds, score=config.thresholds.high_conf_thres))


def compare(exact: Network, found: Network, images: Sequence[np.ndarray], config: ModelConfig) -> Agreement:
    """Let both networks look at images [H, W, 3] uint8 BGR, in turn, so that what disturbs one disturbs the other.

    Args:
        exact, found: networks of one model.
        images: at least one.
        config: of the model; detections count above its ``confident`` score.

    Raises:
        ModelError: a network fails.
    """
    letterbox = Letterbox(config.letterbox)
    decode = sure_decoder(config)
    networks = (exact, found)
    for network in networks:
        network.run(letterbox(images[0])[0])  # the first pass is slower
    seconds: tuple[list[float], ...] = ([], [])
    counts, overlaps, cosines = np.zeros(2, np.int64), [], []
    for image in images:
        letterboxed = LetterboxedImage(*letterbox(image), image)
        detections = []
        for network, taken in zip(networks, seconds):
            start = time.perf_counter()
            outputs = network.run(letterboxed.pixels)
            taken.append(time.perf_counter() - start)
            detections.append(decode(outputs, letterboxed, network.embed))
        pairs, overlap = match(*detections)
        counts += [len(part) for part in detections]
        overlaps.extend(overlap)
        ours, theirs = (part.embeddings[index] for part, index in zip(detections, pairs.T))
        cosines.extend((ours * theirs).sum(axis=1))
    return Agreement(
        images=len(images),
        exact=int(counts[0]),
        found=int(counts[1]),
        matched=len(overlaps),
        iou=float(np.mean(overlaps)) if overlaps else float("nan"),
        cosine=float(np.mean(cosines)) if cosines else float("nan"),
        exact_ms=1e3 * float(np.median(seconds[0])),
        found_ms=1e3 * float(np.median(seconds[1])),
    )
