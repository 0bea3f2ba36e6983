"""People who left, and a quick search for the one who looks most like somebody."""

from __future__ import annotations

import numpy as np

from .views import MOST

MOST_PEOPLE = 10_000
MOST_BYTES = 48_000_000  # of vectors: of long ones fewer people are kept
COMPARED = 64  # people whose views are compared one by one: those nearest by the mean of their views


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Return the greatest cosine of any view of one person and any of another.

    Args:
        one: [N, D] L2-normalised.
        other: [M, D] likewise.
    """
    return float((one @ other.T).max())


class Gallery:
    """The views of people who left. Where it is full, who left the longest ago is dropped.

    Args:
        dimension: length D of a vector.
        most: people that it holds, at most; fewer where they would take more than `MOST_BYTES`.
    """

    def __init__(self, dimension: int, most: int = MOST_PEOPLE) -> None:
        most = max(1, min(most, MOST_BYTES // (2 * MOST * dimension + 4 * dimension)))
        self._ids = np.zeros(most, np.int64)  # 0 for a free row
        self._last = np.full(most, -np.inf)
        self._views = np.zeros((most, MOST, dimension), np.float16)
        self._counts = np.zeros(most, np.int64)
        self._means = np.zeros((most, dimension), np.float32)

    def __len__(self) -> int:
        return int((self._ids > 0).sum())

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, full or not."""
        return sum(array.nbytes for array in (self._ids, self._last, self._views, self._counts, self._means))

    def add(self, identity: int, vectors: np.ndarray, last: float) -> None:
        """Keep somebody who left.

        Args:
            identity: their number, above 0, which nobody in the gallery has.
            vectors: [N, D] views, N from 1 to `MOST`.
            last: when they were in sight last, seconds.
        """
        row = int(np.argmin(np.where(self._ids > 0, self._last, -np.inf)))
        count = len(vectors)
        mean = vectors.mean(axis=0)
        self._ids[row], self._last[row], self._counts[row] = identity, last, count
        self._views[row, :count] = vectors
        self._views[row, count:] = vectors[0]  # a view that is there twice changes no greatest cosine
        self._means[row] = mean / max(float(np.linalg.norm(mean)), 1e-9)

    def take(self, identity: int) -> np.ndarray:
        """Return the views [N, D] float32 of somebody, who is in the gallery no more."""
        (row,) = np.flatnonzero(self._ids == identity)
        self._ids[row] = 0
        return self._views[row, : self._counts[row]].astype(np.float32)

    def forget(self, before: float) -> None:
        """Drop those who left before a time."""
        self._ids[self._last < before] = 0

    def search(self, vectors: np.ndarray, before: float = np.inf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find those who look most like somebody.

        Args:
            vectors: [N, D] views of that person.
            before: only who left before this time.

        Returns:
            Their numbers [K], K up to `COMPARED`; when they left [K]; and the greatest cosine [K] of any two views.
        """
        rows = np.flatnonzero((self._ids > 0) & (self._last < before))
        if len(rows) > COMPARED:
            likeness = self._means @ vectors.mean(axis=0)
            rows = rows[np.argpartition(-likeness[rows], COMPARED)[:COMPARED]]
        cosines = self._views[rows].astype(np.float32) @ vectors.T
        return self._ids[rows], self._last[rows], cosines.max(axis=(1, 2), initial=-1)
