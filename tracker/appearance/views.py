"""A few good, unlike views of one person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 8  # views of one person
BETWEEN = 0.09  # seconds at least from one view of somebody to the next


@dataclass(frozen=True)
class View:
    """One sight of somebody.

    Attributes:
        vector: [D] float16, L2-normalised: what they looked like.
        quality: 0 to 1, see `quality`.
        frame: number of the frame from 1.
        seconds: time of the frame.
        score: of the detection, 0 to 1.
        box: left, top, width, height in pixels.
    """

    vector: np.ndarray
    quality: float
    frame: int = 0
    seconds: float = 0.0
    score: float = 0.0
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class Views:
    """Up to `MOST` views of one person: of the two that are most alike the better one stays."""

    def __init__(self, views: tuple[View, ...] = ()) -> None:
        self.kept: list[View] = []
        self._similarity = np.zeros((MOST + 1, MOST + 1), np.float32)
        for view in views:
            self.add(view)

    def __len__(self) -> int:
        return len(self.kept)

    def add(self, view: View) -> None:
        """Take a view, and drop one where there are too many."""
        count = len(self.kept)
        self.kept.append(view)
        if count:
            alike = self.vectors()[:count] @ view.vector.astype(np.float32)
            self._similarity[count, :count] = alike  # below the diagonal: of each with those before it
        if count < MOST:
            return
        one, other = np.unravel_index(
            np.argmax(np.tril(self._similarity, -1) + np.triu(np.full_like(self._similarity, -2))), (MOST + 1, MOST + 1)
        )
        worse = int(one if self.kept[one].quality <= self.kept[other].quality else other)
        del self.kept[worse]
        stays = np.delete(np.arange(MOST + 1), worse)
        self._similarity[:MOST, :MOST] = self._similarity[np.ix_(stays, stays)]

    def vectors(self) -> np.ndarray:
        """Return the vectors [N, D] float32."""
        return np.stack([view.vector for view in self.kept]).astype(np.float32)
