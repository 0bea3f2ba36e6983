"""All pictures beside the answers to a scene, made while its frames pass."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...boxes import ltwh_to_ltrb
from ...errors import OutputError
from ...structures import Frame, Tracks
from .background import Background
from .people import BestPictures
from .proof import Crossed, ProofStrips
from .view import View, numbered_pictures, plain_view, remove_pictures

PEOPLE, PROOFS, BACKGROUND, LIGHT = "people", "crossings", "background.jpg", "light.json"
DARK = 40  # mean grey of somebody below which they are in the dark, 0 to 255
_LOOK = 1000  # milliseconds from one look at the light to the next
_EVERY = 4  # pixels from one that is looked at to the next


class Edited(NamedTuple):
    """Corrections of identities that pictures of people were made with.

    Attributes:
        edits: the corrections, as text; "" for none.
        people: identities that may be somebody else after them.
    """

    edits: str = ""
    people: Sequence[int] = ()


UNEDITED = Edited()


def edited_pictures(folder: Path) -> Edited:
    """Return the corrections that the pictures in a folder were made with.

    Raises:
        OutputError: the file that tells of them cannot be read.
    """
    path = folder / LIGHT
    try:
        values = json.loads(path.read_text()) if path.is_file() else {}
        edited = Edited(**values.get("edited", {}))
        return Edited(str(edited.edits), [int(one) for one in edited.people])
    except (OSError, ValueError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not of this program; remove it"
        raise OutputError(f"cannot read {path}: {reason}") from error


class ScenePictures:
    """Makes the pictures of people, of crossings and of the empty scene.

    Args:
        folder: of the answers.
        lines: [N, 2] points of each line by its name, pixels.
        memory: how long somebody out of sight is remembered, seconds.
        view: what may be shown of a frame; None for all of it.
        edited: by which corrections the people are told, see `edited_pictures`.
        people_count: pictures of each person.

    Raises:
        OutputError: in all methods: a picture cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        lines: Mapping[str, np.ndarray],
        memory: float,
        view: View | None = None,
        edited: Edited = UNEDITED,
        people_count: int = 1,
    ) -> None:
        self.folder = folder
        self._edited = edited
        self._view = view or plain_view
        self._people = BestPictures(folder / PEOPLE, people_count)
        self._proofs = ProofStrips(folder / PROOFS, lines, memory)
        self._background = Background(folder / BACKGROUND)
        self._crossings = 0
        self._looked, self._boxes, self._dark = -np.inf, 0, 0

    def path(self, identity: int) -> str | None:
        """Return the path of somebody's best picture, relative to the folder; None without one."""
        return self._people.path(identity)

    def update(self, frame: Frame, tracks: Tracks, now: float, kept: np.ndarray) -> None:
        """Look at a frame.

        Args:
            frame: the frame.
            tracks: all people in sight.
            now: time of the frame, milliseconds.
            kept: [N, 6] id, left, top, width, height, score of those who are asked about.
        """
        image = self._view(frame, tracks)
        ids, boxes = kept[:, 0].astype(np.int64), kept[:, 1:5]
        self._people.update(image, now, ids, boxes, kept[:, 5])
        self._proofs.update(image, now, ids, boxes)
        self._background.update(image, now)
        if now - self._looked >= _LOOK:
            self._looked = now
            self._look(image, boxes)

    def crossed(self, identity: int, line: str, seconds: float, x: float, y: float) -> None:
        """Prove the next crossing: who, which line, when, and where in pixels."""
        self._crossings += 1
        self._proofs.add(Crossed(self._crossings, identity, line, 1000 * seconds, x, y))

    def close(self) -> None:
        """Write what is left."""
        self._people.close()
        self._proofs.close()
        self._background.close()
        about: dict[str, Any] = {"boxes": self._boxes, "dark": self._dark}
        if self._edited.edits:
            about["edited"] = self._edited._asdict()
        try:
            (self.folder / LIGHT).write_text(json.dumps(about) + "\n")
        except OSError as error:
            raise OutputError(f"cannot write {self.folder / LIGHT}: {error.strerror}") from error

    def _look(self, image: np.ndarray, boxes: np.ndarray) -> None:
        height, width = image.shape[:2]
        corners = np.clip(np.rint(ltwh_to_ltrb(boxes)), 0, [width, height, width, height]).astype(int)
        for left, top, right, bottom in corners.tolist():
            seen = image[top:bottom:_EVERY, left:right:_EVERY]
            if seen.size:
                self._boxes += 1
                self._dark += bool(seen.mean() < DARK)


def borrow_pictures(source: Path, folder: Path, people: set[int], with_proofs: bool) -> None:
    """Keep, of the pictures that a run made, those that still hold for answers made anew from its text.

    Args:
        source: folder of the answers of the run; may be that of the new answers, or missing.
        folder: of the new answers.
        people: the identities that they have.
        with_proofs: whether the crossings are the same, so that their proofs hold.

    Raises:
        OutputError: a picture cannot be copied or removed.
    """
    try:
        if source != folder:
            remove_all_pictures(folder)
            for name in (BACKGROUND, LIGHT):
                if (source / name).is_file():
                    shutil.copyfile(source / name, folder / name)
        for name in (PEOPLE, PROOFS):
            for path, number in numbered_pictures(source / name).items():
                holds = number in people if name == PEOPLE else with_proofs
                if holds and source != folder:
                    (folder / name).mkdir(exist_ok=True)
                    shutil.copyfile(path, folder / name / path.name)
                elif not holds and source == folder:
                    path.unlink()
    except OSError as error:
        raise OutputError(f"cannot write the pictures in {folder}: {error.strerror}") from error


def remove_all_pictures(folder: Path) -> None:
    """Remove the pictures beside the answers in a folder.

    Raises:
        OutputError: one cannot be removed.
    """
    for name in (PEOPLE, PROOFS):
        remove_pictures(folder / name)
    for path in (folder / BACKGROUND, folder / LIGHT):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove {path}: {error.strerror}") from error
