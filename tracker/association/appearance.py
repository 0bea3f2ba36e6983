"""How alike two people look, and what a distance between embeddings is worth in the video at hand.

Every network has its own scale: where one puts different people at a cosine distance of 0.9, another puts them at 0.5,
and a video of uniforms at less. So no distance is fixed here. Two people in one frame are certainly different, and a
lone box that follows its track closely is certainly the same person: both kinds are measured while the video runs.
"""

from __future__ import annotations

import math

import numpy as np

DIFFERENT_RATE = 0.01  # share of a new frame in the running moments of strangers' distances
SAME_RATE = 0.02  # share of a new pair in those of one person's distances
LEAST_SPREAD = 0.02  # standard deviation that distances between strangers have at least
LEAST_CONTRAST = 1e-3  # embeddings that hold strangers no farther apart than this tell nothing
USELESS, USEFUL = 1.0, 2.5  # d' (signal detection theory) from which appearance begins to count, and counts in full


def cosine_distance(tracks: np.ndarray, detections: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """1 - cosine of L2-normalised embeddings, in [0, 2], of some pairs.

    Args:
        tracks: [N, D].
        detections: [M, D].
        rows: [P] index of the track of each pair.
        columns: [P] index of its detection.

    Returns:
        [P].
    """
    if len(rows) <= 2 * (len(tracks) + len(detections)):
        return 1 - np.einsum("pd,pd->p", tracks[rows], detections[columns])
    return 1 - (tracks @ detections.T)[rows, columns]  # in one dense crowd all pairs at once are cheaper


class _Moments:
    """Running mean and variance that forget slowly; while young, of all values alike."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._batches = 0
        self.mean = self._square = 0.0

    def __bool__(self) -> bool:
        return self._batches > 0

    def add(self, values: np.ndarray) -> None:
        self._batches += 1
        share = max(self._rate, 1 / self._batches)
        self.mean += share * (float(values.sum()) / len(values) - self.mean)
        self._square += share * (float(values @ values) / len(values) - self._square)

    @property
    def variance(self) -> float:
        return max(self._square - self.mean**2, 0.0)


class AppearanceScale:
    """What distances between embeddings mean, learnt from the pairs that are beyond doubt."""

    def __init__(self) -> None:
        self._different, self._same = _Moments(DIFFERENT_RATE), _Moments(SAME_RATE)

    def see_strangers(self, distances: np.ndarray) -> None:
        """Take distances [P] between different people of one frame."""
        if len(distances):
            self._different.add(distances)

    def see_same(self, distances: np.ndarray) -> None:
        """Take distances [P] between tracks and their own next detections."""
        if len(distances):
            self._same.add(distances)

    @property
    def usefulness(self) -> float:
        """0 to 1: how well the embeddings tell people apart; 0 as long as nothing is known.

        From d', the difference of the two means in units of the mean standard deviation.
        """
        if not (self._different and self._same) or self._contrast < LEAST_CONTRAST:
            return 0.0
        spread = math.sqrt((self._different.variance + self._same.variance) / 2 + 1e-6)
        return min(max((self._contrast / spread - USELESS) / (USEFUL - USELESS), 0.0), 1.0)

    @property
    def _contrast(self) -> float:
        return self._different.mean - self._same.mean

    def preference(self, distances: np.ndarray) -> np.ndarray:
        """[P] distances as a cost: -0.5 typical of one person, 0.5 typical of two; ``usefulness`` must not be 0."""
        return np.minimum(np.maximum((distances - self._same.mean) / self._contrast, -0.5), 1.5) - 0.5

    def significance(self, distances: np.ndarray) -> np.ndarray:
        """[P] by how many standard deviations distances lie below the mean between strangers."""
        return (self._different.mean - distances) / max(math.sqrt(self._different.variance), LEAST_SPREAD)
