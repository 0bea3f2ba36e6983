"""Who comes back gets the old number: appearance beyond the memory of the association.

Somebody who left is kept by a few views. When a new track has been seen well for some frames, it is compared with all
of them. It gets an old number only if it is more alike than strangers are (`FalseMatches`), if nobody else comes near,
and if the two were never in sight at once. After the re-identification galleries of the surveillance literature; the
threshold from people in one frame is this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..structures import Recognised, Tracks
from .calibration import FalseMatches
from .gallery import Gallery, similarity
from .quality import sight_qualities
from .views import BETWEEN, View, Views

GOOD_FRAMES = 5  # after which a new track is compared with those who left
LEAST_VIEWS = 3  # of somebody in the gallery
FALSE_RATE = 0.0005  # share of the pairs of different people that may be as alike
MARGIN = 0.3  # standard deviations of such pairs by which the second best must be behind


@dataclass
class _Live:
    """A track that may still be continued.

    Attributes:
        number: what the person is called.
        first: when the track began, seconds.
        last: when it was in sight last.
        good: frames in which it was seen well.
        looked: time of the last view.
        views: what the person looks like.
    """

    number: int
    first: float
    last: float
    good: int = 0
    looked: float = -np.inf
    views: Views = field(default_factory=Views)


class Recogniser:
    """Renumbers the tracks of one sequence.

    Args:
        seconds: how long somebody who left is remembered.
        memory: seconds after which the association has given a track up.
        rate: share of the pairs of different people that may be as alike.
        margin: standard deviations by which the second best must be behind.

    Attributes:
        num_identities: people seen so far, those who came back once.
    """

    def __init__(
        self,
        seconds: float,
        memory: float,
        rate: float = FALSE_RATE,
        margin: float = MARGIN,
    ) -> None:
        self.num_identities = 0
        self.strangers = FalseMatches()
        self._seconds, self._memory = seconds, memory
        self._rate, self._margin = rate, margin
        self._last_number = 0
        self._live: dict[int, _Live] = {}  # by the number that the association gives
        self._gallery: Gallery | None = None

    def update(self, time: float, tracks: Tracks, size: tuple[int, int] | None = None) -> Tracks:
        """Renumber the tracks of the next frame.

        Args:
            time: of the frame, seconds.
            tracks: what the association returns.
            size: width and height of the picture, if known.

        Returns:
            The same tracks, with the numbers of people.
        """
        self._retire(time)
        here = [self._see(time, raw) for raw in tracks.ids.tolist()]
        recognised = tuple(self._recognise(self._look(time, tracks, size, here)))
        self.num_identities -= len(recognised)
        numbers = np.array([live.number for live in here], np.int64)
        return replace(tracks, ids=numbers, recognised=recognised)

    def _see(self, time: float, raw: int) -> _Live:
        live = self._live.get(raw)
        if live is None:
            self._last_number += 1
            self.num_identities += 1
            live = self._live[raw] = _Live(self._last_number, time, time)
        live.last = time
        return live

    def _retire(self, time: float) -> None:
        """Move those whom the association has given up to the gallery, and forget who left too long ago."""
        for raw in [raw for raw, live in self._live.items() if time - live.last > self._memory]:
            live = self._live.pop(raw)
            if len(live.views) >= LEAST_VIEWS and self._gallery is not None:
                self._gallery.add(live.number, live.views.vectors(), live.last)
        if self._gallery is not None:
            self._gallery.forget(time - self._seconds)

    def _look(self, time: float, tracks: Tracks, size: tuple[int, int] | None, here: list[_Live]) -> list[_Live]:
        """Take the views of a frame; return those of whom enough was seen to compare them."""
        if tracks.looks is None or not tracks.looks.shape[1]:
            return []
        if self._gallery is None:
            self._gallery = Gallery(tracks.looks.shape[1])
        ready = []
        qualities = sight_qualities(tracks.boxes, tracks.scores, size) * tracks.looks.any(axis=1)
        for live, quality, look in zip(here, qualities.tolist(), tracks.looks):
            if quality <= 0 or time - live.looked < BETWEEN:
                continue
            live.looked = time
            live.good += 1
            live.views.add(View(look.astype(np.float16), quality))
            if live.good == GOOD_FRAMES:
                self._learn(live, here)
                ready.append(live)
        return ready

    def _learn(self, live: _Live, here: list[_Live]) -> None:
        """Learn from others in sight at once what strangers look like to each other."""
        others = [other for other in here if other is not live and other.good >= GOOD_FRAMES]
        vectors = live.views.vectors()
        self.strangers.add(np.array([similarity(vectors, other.views.vectors()) for other in others]))

    def _recognise(self, ready: list[_Live]) -> list[Recognised]:
        """Give old numbers back, each once, so that all together are as alike as possible."""
        if not ready or self._gallery is None or not len(self._gallery):
            return []
        found = [self._candidates(live) for live in ready]
        known = sorted({identity for candidates in found for identity in candidates})
        if not known:
            return []
        from scipy.optimize import linear_sum_assignment

        gain = np.zeros((len(ready), len(known)))
        for row, candidates in enumerate(found):
            for identity, value in candidates.items():
                gain[row, known.index(identity)] = 2 + value  # a match is always better than none
        made = []
        for row, column in zip(*linear_sum_assignment(gain, maximize=True)):
            if gain[row, column]:
                made.append(self._rename(ready[row], known[column], float(gain[row, column]) - 2))
        return made

    def _candidates(self, live: _Live) -> dict[int, float]:
        """Return who it may be, and how similar they are: one at most, for where two are as alike it may be either."""
        assert self._gallery is not None
        vectors = live.views.vectors()
        numbers, left, likeness = self._gallery.search(vectors)
        others = [other for other in self._live.values() if other is not live and len(other.views)]
        strangers = [similarity(vectors, other.views.vectors()) for other in others]
        possible = left < live.first
        if not possible.any():
            return {}
        best = int(np.argmax(np.where(possible, likeness, -2)))
        second = max([*np.delete(likeness, best).tolist(), *strangers, -1.0])
        value = float(likeness[best])
        enough = value > self.strangers.threshold(self._rate)
        return {int(numbers[best]): value} if enough and value - second > self._margin * self.strangers.std else {}

    def _rename(self, live: _Live, number: int, value: float) -> Recognised:
        assert self._gallery is not None
        one = Recognised(was=number, now=live.number, similarity=value)
        for vector in self._gallery.take(number):
            live.views.add(View(vector.astype(np.float16), 0.5))
        live.number = number
        return one
