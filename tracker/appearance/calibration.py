"""What a similarity is worth, learnt without labels: people in sight at once are surely different."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

# Of the greatest cosine of two people's views, on five sequences: what counts until enough pairs of the video at hand
# were seen. The bundled network has 0.72 and 0.07 there; with these as many are known again, and more are taken for one
PRIOR_MEAN, PRIOR_STD, PRIOR_PAIRS = 0.68, 0.085, 200
LEAST_STD = 0.02
MOST_PAIRS = 2000  # beyond that the oldest count less and less


class FalseMatches:
    """The similarities of different people, from which the threshold for a rate of false matches follows.

    Args:
        prior: number of pairs that the figures of the bundled network count as.
    """

    def __init__(self, prior: int = PRIOR_PAIRS) -> None:
        self._prior = prior
        self._count = float(prior)
        self._mean = PRIOR_MEAN
        self._squares = prior * PRIOR_STD**2  # sum of squared deviations

    def add(self, similarities: np.ndarray) -> None:
        """Learn from the similarities [P] of people who were in sight at once (Welford's running variance)."""
        for value in np.asarray(similarities, np.float64).tolist():
            if self._count >= MOST_PAIRS:
                self._squares *= (MOST_PAIRS - 1) / self._count
                self._count = MOST_PAIRS - 1.0
            self._count += 1
            change = value - self._mean
            self._mean += change / self._count
            self._squares += change * (value - self._mean)

    @property
    def mean(self) -> float:
        """Mean similarity of different people."""
        return self._mean

    @property
    def std(self) -> float:
        """Standard deviation of the similarities of different people, at least `LEAST_STD`."""
        return max((self._squares / self._count) ** 0.5, LEAST_STD)

    @property
    def pairs(self) -> int:
        """Number of pairs that were learnt from, as far as they still count."""
        return int(self._count) - self._prior

    def threshold(self, rate: float) -> float:
        """Return the similarity that a share of all pairs of different people exceeds, 0 to 1."""
        return self.mean + self.std * NormalDist().inv_cdf(1 - rate)

    def false_rate(self, similarity: float, candidates: int = 1) -> float:
        """Return the chance, 0 to 1, that the best of so many strangers is this similar or more."""
        one = 1 - NormalDist(self.mean, self.std).cdf(similarity)
        return 1 - (1 - one) ** max(candidates, 1)
