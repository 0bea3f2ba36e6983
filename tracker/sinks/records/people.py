"""What people of a run look like, as a sink: up to eight good, unlike views of each in ``NAME_people.npz``."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...appearance.quality import sight_qualities
from ...appearance.store import PeopleWriter
from ...appearance.views import BETWEEN, View, Views
from ...structures import Frame, SequenceInfo, Tracks
from ..files import make_parent, people_path

EVERY = 60.0  # seconds of work after which the file is written anew, so that little is lost when the run is killed
SHARE = 0.05  # of the time that writing may take: a file that grows is written less often
MOST = 10_000  # people in memory

logger = logging.getLogger(__name__)


@dataclass
class _Person:
    """Somebody who may still come back.

    Attributes:
        seen: time when they were in sight last, seconds.
        looked: time of the last view.
        views: what they look like.
    """

    seen: float
    looked: float = -np.inf
    views: Views = field(default_factory=Views)


class PeopleSink:
    """Keeps the views of people, in memory while they may come back, else on disk.

    Args:
        folder: output folder; the file is ``mot_results/NAME_people.npz`` in it.
        model: name of the network that makes the vectors.
        memory: seconds out of sight after which nobody comes back under the same number.
        every: seconds of work after which the file is written anew.
    """

    name = "people"

    def __init__(self, folder: Path, model: str, memory: float, every: float = EVERY) -> None:
        self._folder = folder
        self._model = model
        self._memory = memory
        self._every = every
        self._writer: PeopleWriter
        self._people: dict[int, _Person] = {}  # who was in sight the longest ago comes first
        self._next = 0.0
        self._told = False

    def open(self, info: SequenceInfo) -> None:
        """Begin a file.

        Raises:
            OutputError: its folder cannot be made or written to.
        """
        path = people_path(self._folder, info.name)
        make_parent(path)
        self._writer = PeopleWriter(path, self._model)
        self._next = time.monotonic() + self._every

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Look at the people of a frame.

        Raises:
            OutputError: what they look like cannot be written.
        """
        for one in tracks.recognised:
            self._rename(one.now, one.was)
        self._look(frame, tracks)
        while self._people:
            identity, person = next(iter(self._people.items()))
            if frame.time - person.seen <= self._memory and len(self._people) <= MOST:
                break
            del self._people[identity]
            self._writer.add(identity, person.views)
        if time.monotonic() >= self._next:
            self._save()

    def close(self) -> dict[str, Path]:
        """Write the file, and return its path, as ``people``.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self._save()
        finally:
            self._writer.close()
        return {"people": self._writer.path}

    def _look(self, frame: Frame, tracks: Tracks) -> None:
        if tracks.looks is None or not tracks.looks.shape[1]:
            if len(tracks) and not self._told:
                self._told = True
                logger.warning("the detector tells nothing of what people look like: %s stays empty", self._writer.path)
            return
        height, width = frame.image.shape[:2]
        qualities = sight_qualities(tracks.boxes, tracks.scores, (width, height)) * tracks.looks.any(axis=1)
        for row, (identity, quality) in enumerate(zip(tracks.ids.tolist(), qualities.tolist())):
            person = self._people.pop(identity, None) or _Person(frame.time)
            self._people[identity] = person  # behind all others
            person.seen = frame.time
            if quality <= 0 or frame.time - person.looked < BETWEEN:
                continue
            person.looked = frame.time
            left, top, wide, high = tracks.boxes[row].tolist()
            vector = tracks.looks[row].astype(np.float16)
            score = float(tracks.scores[row])
            person.views.add(View(vector, quality, frame.index + 1, frame.time, score, (left, top, wide, high)))

    def _rename(self, now: int, was: int) -> None:
        """Put the views of somebody who came back to those of before."""
        new, old = self._people.pop(now, None), self._people.get(was)
        if new is None:
            return
        for view in old.views.kept if old else ():
            new.views.add(view)
        self._people[was] = new

    def _save(self) -> None:
        begun = time.monotonic()
        self._writer.write({identity: person.views for identity, person in self._people.items()})
        ended = time.monotonic()
        self._next = ended + max(self._every, (ended - begun) / SHARE)
