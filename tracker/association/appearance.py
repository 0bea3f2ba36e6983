"""How alike two people look, and what a distance between embeddings is worth in the video at hand.

Every network has its own scale: where one puts different people at a cosine distance of 0.9, another puts them at 0.5,
and a video of uniforms at less. So no distance is fixed here. Two people in one frame are certainly different (a
negative pair), and a lone box that follows its track closely is certainly the same person (a positive pair): both kinds
are measured while the video runs.
"""

from __future__ import annotations

import math

import numpy as np

NEGATIVE_RATE = 0.01  # share of a new frame in the running moments of the distances of negative pairs
POSITIVE_RATE = 0.02  # likewise of positive pairs
MIN_STD = 0.02  # standard deviation that the distances of negative pairs have at least
MIN_CONTRAST = 1e-3  # embeddings that hold different people no farther apart than this tell nothing
MIN_D_PRIME, FULL_D_PRIME = 1.0, 2.5  # d' from which appearance begins to count, and from which it counts in full


def cosine_distance(tracks: np.ndarray, detections: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return 1 - cosine of L2-normalised embeddings, in [0, 2], of some pairs.

    Args:
        tracks: [N, D] embeddings.
        detections: [M, D] embeddings.
        rows: [P] index of the track of each pair.
        columns: [P] index of its detection.

    Returns:
        [P].
    """
    if len(rows) <= 2 * (len(tracks) + len(detections)):
        return 1 - np.einsum("pd,pd->p", tracks[rows], detections[columns])
    return 1 - (tracks @ detections.T)[rows, columns]  # in one dense crowd all pairs at once are cheaper


class RunningMoments:
    """Mean and variance of batches of numbers: of all batches alike at first, later of the last ones.

    Args:
        rate: least share of a new batch.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._batches = 0
        self.mean = self._mean_square = 0.0

    def __bool__(self) -> bool:
        return self._batches > 0

    def add(self, values: np.ndarray) -> None:
        """Take a batch [P] of at least one number."""
        self._batches += 1
        share = max(self._rate, 1 / self._batches)
        self.mean += share * (float(values.sum()) / len(values) - self.mean)
        self._mean_square += share * (float(values @ values) / len(values) - self._mean_square)

    @property
    def variance(self) -> float:
        """The variance, 0 or more."""
        return max(self._mean_square - self.mean**2, 0.0)


class EmbeddingCalibration:
    """What distances between embeddings mean, learnt from the pairs that are beyond doubt."""

    def __init__(self) -> None:
        self._negatives, self._positives = RunningMoments(NEGATIVE_RATE), RunningMoments(POSITIVE_RATE)

    def update_negatives(self, distances: np.ndarray) -> None:
        """Learn from distances [P] between different people of one frame."""
        if len(distances):
            self._negatives.add(distances)

    def update_positives(self, distances: np.ndarray) -> None:
        """Learn from distances [P] between tracks and their own next detections."""
        if len(distances):
            self._positives.add(distances)

    @property
    def separability(self) -> float:
        """How well the embeddings tell people apart, 0 to 1; 0 as long as nothing is known.

        It rises with d' of signal detection theory, the difference of the two means in units of the root mean variance.
        """
        if not (self._negatives and self._positives) or self._contrast < MIN_CONTRAST:
            return 0.0
        std = math.sqrt((self._negatives.variance + self._positives.variance) / 2 + 1e-6)
        return min(max((self._contrast / std - MIN_D_PRIME) / (FULL_D_PRIME - MIN_D_PRIME), 0.0), 1.0)

    @property
    def _contrast(self) -> float:
        return self._negatives.mean - self._positives.mean

    def normalised_cost(self, distances: np.ndarray) -> np.ndarray:
        """Return distances [P] as a cost [P]: -0.5 is typical of one person, 0.5 of two.

        ``separability`` must not be 0.
        """
        return np.minimum(np.maximum((distances - self._positives.mean) / self._contrast, -0.5), 1.5) - 0.5

    def z_score(self, distances: np.ndarray) -> np.ndarray:
        """Return by how many standard deviations distances [P] lie below the mean of negative pairs."""
        return (self._negatives.mean - distances) / max(math.sqrt(self._negatives.variance), MIN_STD)
