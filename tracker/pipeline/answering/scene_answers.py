"""The answers to a scene as they are written: tables row by row, pictures, and the report at the end."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ...analysis.analysis import SceneAnalysis, Step
from ...analysis.edits import Edits
from ...analysis.files import TABLES, AnswerFiles
from ...analysis.measures.crossings import Crossed
from ...analysis.recording import Recording
from ...analysis.report.page import write_report
from ...analysis.rows import Crossing
from ...analysis.scene import Scene
from ...analysis.trajectories import ID
from ...delivery.hub import Tell
from ...errors import OutputError
from ...settings.groups.answers import AnswerOptions
from ...sinks.files import answers_path
from ...sinks.pictures.scene_pictures import (
    BACKGROUND,
    PEOPLE,
    UNEDITED,
    Edited,
    ScenePictures,
    borrow_pictures,
    edited_pictures,
    remove_all_pictures,
)
from ...sinks.pictures.view import View
from ...sinks.records.run_file import read_run
from ...structures import Frame, Tracks


@dataclass(frozen=True)
class Asked:
    """What is asked of tracks, and how it is told.

    Attributes:
        scene: lines, zones and regions.
        language: of the report, ``en`` or ``zh``.
        view: what pictures may show of a frame; None for all of it.
        options: what is made on request.
    """

    scene: Scene
    language: str = "en"
    view: View | None = None
    options: AnswerOptions = field(default_factory=AnswerOptions)


class SceneAnswers:
    """Answers a scene into the files of a folder, a portion of frames at a time.

    Args:
        folder: of the files.
        asked: what is asked.
        recording: what is known of the recording.
        text: MOT text of the tracks.
        run: ``NAME_run.json``, which tells what made them; it may be missing.
        with_frames: whether `write` gets the frames, for pictures. Without them the pictures that the run of the text
            made are kept, as far as they still hold.
        edits: corrections that the tracks went through, by whose names people are told.
        borrow: whether pictures that are there already can be those of the run; without, they are removed.
        tell: called with every event, once the files have it; None for nobody.

    Raises:
        OutputError: in all methods: a file cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        asked: Asked,
        recording: Recording,
        text: Path,
        run: Path,
        with_frames: bool,
        edits: Edits | None = None,
        borrow: bool = True,
        tell: Tell | None = None,
    ) -> None:
        edits = edits or Edits()
        recording = replace(recording, heat_interval=asked.options.heat_seconds)
        self._tell = tell
        self._folder, self._asked, self._text, self._run = folder, asked, text, run
        # where the run of the text has its answers, with their pictures
        in_run = borrow and text.parent.name == "mot_results"
        self._source = answers_path(text.parent.parent, text.stem) if in_run else folder
        edited = Edited(str(edits.edits), sorted(edits.identities)) if edits.edits else UNEDITED
        before = edited_pictures(self._source)
        # the pictures that may be somebody else's, if those that are there are kept
        self._changed = set() if before.edits == edited.edits else {*edited.people, *before.people}
        self._crossings_of_run = _digest(self._source / TABLES["crossings"][0])
        self._pictures: ScenePictures | None = None
        picture: Callable[[int], str | None] = self._picture_of_run
        if with_frames:
            size = np.array(recording.size, float)
            lines = {name: np.array(line.points) * size for name, line in asked.scene.lines.items()}
            self._pictures = ScenePictures(
                folder, lines, asked.scene.memory, asked.view, edited, asked.options.people_count
            )
            picture = self._pictures.path
        elif not borrow:
            remove_all_pictures(folder)
        self.analysis = SceneAnalysis(asked.scene, recording, picture, edits.staff)
        self._files = AnswerFiles(folder, self.analysis, edits.names)

    def write(
        self,
        observations: np.ndarray,
        now: float,
        frame: Frame | None = None,
        tracks: Tracks | None = None,
        crossed: list[Crossed] | None = None,
    ) -> None:
        """Take the next frames, see `SceneAnalysis.update`.

        Args:
            observations: [N, 8] of whole frames; of this one frame where it is given.
            now: time of the last of them, milliseconds.
            frame: the frame, for pictures.
            tracks: all people in sight in it.
            crossed: of a segment of a run, see `SceneAnalysis.update`.
        """
        if self._pictures and frame and tracks:
            self._pictures.update(frame, tracks, now, self.analysis.regions.of(observations)[:, ID:])
        self._take(self.analysis.update(observations, now, crossed))

    def close(self, crossed: list[Crossed] | None = None) -> dict[str, Path]:
        """Write what is left, and the report.

        Args:
            crossed: of a segment of a run, see `SceneAnalysis.update`.

        Returns:
            The folder, as ``answers``, and the report, as ``report``.
        """
        try:
            self._take(self.analysis.close(crossed))
            if self._pictures:
                self._pictures.close()
            else:
                people = {person.id for person in self.analysis.people.everybody()} - self._changed
                same = _digest(self._folder / TABLES["crossings"][0]) == self._crossings_of_run
                borrow_pictures(self._source, self._folder, people, same)
        finally:
            made = self._files.close(self._folder / BACKGROUND)
        run = read_run(self._run) if self._run.exists() else {}
        return {**made, "report": write_report(self._folder, run, self._text.name, self._asked.language)}

    def _take(self, step: Step) -> None:
        self._files.write(step)
        if self._tell:
            for event in step.events:
                self._tell(event)
        if self._pictures:
            for row in step.crossings:
                self._pictures.crossed(row.id, row.line, row.seconds, row.x, row.y)

    def _picture_of_run(self, identity: int) -> str | None:
        name = f"{PEOPLE}/{identity}.jpg"
        return name if identity not in self._changed and (self._source / name).is_file() else None


def _digest(path: Path) -> bytes | None:
    """Return a digest of a table of crossings but for clock times and names of people; None where there is none."""
    try:
        if not path.is_file():
            return None
        digest = hashlib.sha256()
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                digest.update(repr(row[1 : len(Crossing._fields)]).encode())
        return digest.digest()
    except (OSError, ValueError, csv.Error) as error:
        raise OutputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
