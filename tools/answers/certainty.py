"""What the certainty of a crossing and the range of a count are worth: how often they were right."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

STEPS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95)  # certainties from which a row of the table begins


class Tallies:
    """Gathers crossings and counts whose truth is known."""

    def __init__(self) -> None:
        self._certainties: list[float] = []
        self._real: list[bool] = []
        self._counts: list[tuple[int, int, int]] = []

    def add(self, certainties: Iterable[float], real: np.ndarray, counts: Iterable[tuple[int, int, int]]) -> None:
        """Add those of a recording.

        Args:
            certainties: of the N crossings that were counted.
            real: which of them are real, by number.
            counts: the true count, low, and high of each line and direction.
        """
        certainties = list(certainties)
        self._real += np.isin(np.arange(len(certainties)), real).tolist()
        self._certainties += certainties
        self._counts += counts

    def told(self) -> list[str]:
        """Return a sentence for each step of the certainty, and one for the ranges."""
        certainties, real = np.array(self._certainties), np.array(self._real, bool)
        made = []
        for low, high in zip(STEPS, (*STEPS[1:], 1.0)):
            here = (certainties >= low) & (certainties <= high if high == 1 else certainties < high)
            if here.any():
                mean, right = certainties[here].mean(), real[here].mean()
                made.append(
                    f"certainty {low:g} to {high:g}, on average {mean:.2f}: {here.sum()} crossings, {right:.2f} real"
                )
        inside = [low <= true <= high for true, low, high in self._counts if true or high]
        if inside:
            made.append(f"{len(inside)} counts, {np.mean(inside):.2f} of the true ones in the range")
        return made
