"""How alike people are, and what that is worth by those who are surely different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...appearance.calibration import FalseMatches
from .recorded import Recorded

PRIOR_PAIRS = 20  # that the bundled network's own figures count as, beside those of the recordings at hand
ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class Sightings:
    """All people of some recordings of whom there are views.

    Attributes:
        cameras: [P] index of the recording.
        ids: [P] number in it.
        vectors: [V, D] views, those of one person behind each other.
        starts: [P] where those of each person begin.
    """

    cameras: np.ndarray
    ids: np.ndarray
    vectors: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, recordings: Sequence[Recorded]) -> Sightings:
        """Gather the people of recordings, by recording and number."""
        cameras, ids, vectors, counts = [], [], [], []
        for camera, one in enumerate(recordings):
            order = np.argsort(one.people.ids, kind="stable")
            known, count = np.unique(one.people.ids, return_counts=True)
            cameras += [camera] * len(known)
            ids += known.tolist()
            counts += count.tolist()
            if len(order):
                vectors.append(one.people.vectors[order])
        stacked = np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)
        starts = np.cumsum([0, *counts])[:-1].astype(np.int64) if counts else np.zeros(0, np.int64)
        return cls(np.array(cameras, np.int64), np.array(ids, np.int64), stacked, starts)

    def rows(self) -> dict[tuple[int, int], int]:
        """Return the row of everybody by recording and number."""
        return {key: row for row, key in enumerate(zip(self.cameras.tolist(), self.ids.tolist()))}

    def together(self, recordings: Sequence[Recorded]) -> list[tuple[int, int]]:
        """Return the rows of every two people who were in sight at once."""
        known, pairs = self.rows(), []
        for camera, recording in enumerate(recordings):
            for one, other in sorted(recording.together()):
                if (camera, one) in known and (camera, other) in known:
                    pairs.append((known[camera, one], known[camera, other]))
        return pairs

    def similarities(self, views: np.ndarray | None = None) -> np.ndarray:
        """Return the greatest cosine of any view of one person and any of another.

        Args:
            views: [N, D] of one person to compare all others with; None to compare all with all.

        Returns:
            [P] for one person, [P, P] for all.
        """
        if not len(self):
            return np.zeros((0, 0) if views is None else 0)
        if views is not None:
            return np.maximum.reduceat((self.vectors @ views.T).max(axis=1), self.starts)
        made = np.empty((len(self), len(self)), np.float32)
        ends = np.append(self.starts[1:], len(self.vectors))
        for row, (start, end) in enumerate(zip(self.starts, ends)):
            made[row] = np.maximum.reduceat((self.vectors @ self.vectors[start:end].T).max(axis=1), self.starts)
        return made


def calibrate(sightings: Sightings, recordings: Sequence[Recorded]) -> FalseMatches:
    """Learn from people who were in sight at once how alike strangers are."""
    strangers = FalseMatches(PRIOR_PAIRS)
    ends = np.append(sightings.starts[1:], len(sightings.vectors))
    views = [sightings.vectors[start:end] for start, end in zip(sightings.starts, ends)]
    strangers.add(np.array([(views[one] @ views[other].T).max() for one, other in sightings.together(recordings)]))
    return strangers
