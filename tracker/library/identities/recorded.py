"""What runs have left of people: their views, when they were in sight and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from ...appearance.store import StoredPeople, read_people
from ...errors import OptionError, SourceError
from ...sinks.files import answers_path, run_path, text_path, times_path
from ...sinks.mot_text import FRAME, HEIGHT, ID, LEFT, TOP, WIDTH, read_mot
from ...sinks.records.run_file import read_run
from ...sinks.records.times import Clock, read_times

ENDING = "_people.npz"
MOST_PEOPLE = 20_000  # of all recordings together: every two are compared


@dataclass(frozen=True)
class Recorded:
    """A recording of one camera.

    Attributes:
        name: of the camera, by which it is called in results.
        folder: output folder of the run.
        stem: name of the run's files.
        people: views of the people.
        table: [N, 10] rows of the MOT text.
        seconds: [N] time of each row, from the first frame on.
        size: width and height of the picture, pixels.
        start: clock time of the first frame; None where it is not known.
    """

    name: str
    folder: Path
    stem: str
    people: StoredPeople
    table: np.ndarray
    seconds: np.ndarray
    size: tuple[int, int]
    start: datetime | None

    @classmethod
    def read(cls, path: Path) -> Recorded:
        """Read a recording by its file of people, whose neighbours are the text and what tells of the run.

        Raises:
            SourceError: a file is missing or damaged.
        """
        folder, stem = path.parent.parent, path.name.removesuffix(ENDING)
        people, run = read_people(path), read_run(run_path(folder, stem))
        table = read_mot(text_path(folder, stem))
        marks = times_path(folder, stem)
        clock = Clock(run["frame_rate"], read_times(marks) if marks.is_file() else ())
        start = datetime.fromisoformat(run["start"]) if run.get("start") else None
        width, height = run["size"]
        seconds = clock.at(table[:, FRAME]) / 1000
        return cls(stem, folder, stem, people, table, seconds, (int(width), int(height)), start)

    @property
    def ids(self) -> np.ndarray:
        """Numbers of all people of the text, in order, [P] int64."""
        return np.unique(self.table[:, ID]).astype(np.int64)

    def span(self, identity: int) -> tuple[float, float]:
        """Return when somebody was in sight first and last, seconds."""
        seconds = self.seconds[self.table[:, ID] == identity]
        return (float(seconds.min()), float(seconds.max())) if len(seconds) else (0.0, 0.0)

    def feet(self, identity: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the times [N] of somebody, seconds, and where they stood [N, 2], pixels."""
        rows = self.table[:, ID] == identity
        boxes = self.table[rows, LEFT : HEIGHT + 1]
        x, y = boxes[:, 0] + boxes[:, WIDTH - LEFT] / 2, boxes[:, TOP - LEFT] + boxes[:, HEIGHT - LEFT]
        return self.seconds[rows], np.stack([x, y], axis=1)

    def together(self) -> set[tuple[int, int]]:
        """Return the pairs of people, the smaller number first, who were in sight at once: surely two people."""
        pairs: set[tuple[int, int]] = set()
        order = np.argsort(self.table[:, FRAME], kind="stable")
        frames, ids = self.table[order, FRAME], self.table[order, ID].astype(np.int64)
        known: tuple[int, ...] = ()
        for here in np.split(ids, np.flatnonzero(np.diff(frames)) + 1):
            now = tuple(sorted(here.tolist()))
            if now != known:
                known = now
                pairs |= {(one, other) for place, one in enumerate(now) for other in now[place + 1 :]}
        return pairs

    def picture(self, identity: int) -> Path | None:
        """Return the picture of somebody that the answers to a scene have; None without one."""
        path = answers_path(self.folder, self.stem) / "people" / f"{identity}.jpg"
        return path if path.is_file() else None


def read_recordings(folders: Sequence[Path | str]) -> list[Recorded]:
    """Read all recordings of some output folders, in the order of their names.

    Two of the same name are called by their folders too.

    Raises:
        OptionError: there is none in a folder, too many people, or two networks made the vectors.
        SourceError: a file is missing or damaged.
    """
    paths: list[Path] = []
    for folder in map(Path, folders):
        found = [folder] if folder.is_file() else sorted((folder / "mot_results").glob(f"*{ENDING}"))
        if not found:
            raise OptionError(
                f"{folder} has no mot_results/NAME{ENDING}: track with --save_embeddings, and give OUTPUT_DIR"
            )
        paths += found
    recordings = [Recorded.read(path) for path in dict.fromkeys(path.resolve() for path in paths)]
    stems = [one.stem for one in recordings]
    named = [
        replace(one, name=f"{one.folder.name}/{one.stem}") if stems.count(one.stem) > 1 else one for one in recordings
    ]
    names = [one.name for one in named]
    if len(set(names)) < len(names):
        raise OptionError(
            f"two recordings are called {max(names, key=names.count)}: give one of the folders another name"
        )
    models = {one.people.model for one in named if len(one.people.ids)}
    if len(models) > 1:
        raise OptionError(f"vectors of {' and '.join(sorted(models))} cannot be compared: track all with one model")
    if sum(len(np.unique(one.people.ids)) for one in named) > MOST_PEOPLE:
        raise OptionError(f"there are more than {MOST_PEOPLE} people: give fewer folders")
    return sorted(named, key=lambda one: one.name)


def find_recording(recordings: Sequence[Recorded], name: str) -> Recorded:
    """Return the recording of a name.

    Raises:
        SourceError: there is none.
    """
    for one in recordings:
        if name in (one.name, one.stem):
            return one
    raise SourceError(f"there is no recording {name!r}, only {', '.join(one.name for one in recordings)}")
