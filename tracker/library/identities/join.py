"""One number for a person over several cameras, from what their runs have left."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import OutputError
from ...settings.checks import check_number
from ...sinks.files import checked_folder, make_parent
from ...sinks.mot_text import ID, SCORE, write_table
from .compare import Sightings, calibrate
from .places import Places, impossible, placed, read_places
from .recorded import Recorded, read_recordings
from .sheet import Card, write_sheet

FALSE_RATE = 0.0005  # share of the pairs of different people that may be as alike as two sightings of one
NEVER = 4.0  # distance of two who cannot be one; a cosine distance is 2 at most
HEADER = ("global_id", "camera", "id", "first_seen", "last_seen", "similarity")


@dataclass(frozen=True)
class JoinedPerson:
    """Somebody in one camera.

    Attributes:
        global_id: the number over all cameras, from 1 in the order in which people were seen first.
        camera: name of the camera.
        id: the number there.
        first_seen: seconds of that recording.
        last_seen: likewise.
        similarity: to the most alike other sighting of the same person; None where there is none.
    """

    global_id: int
    camera: str
    id: int
    first_seen: float
    last_seen: float
    similarity: float | None


@dataclass(frozen=True)
class JoinResult:
    """What a join has made.

    Attributes:
        cameras: their number.
        people: different people over all cameras.
        sightings: people, counted in every camera.
        in_several: people who were seen in more than one camera.
        threshold: similarity from which two sightings may be of one person.
        pairs: of people seen at once, from whom the threshold was learnt.
        files: paths by kind: ``people``, ``sheet``, and ``NAME`` of each recording for its text.
    """

    cameras: int
    people: int
    sightings: int
    in_several: int
    threshold: float
    pairs: int
    files: dict[str, Path]

    def __str__(self) -> str:
        lines = [
            f"{self.people} people in {self.cameras} cameras, {self.in_several} of them in several; "
            f"{self.sightings} were counted one by one",
            f"two are one from a similarity of {self.threshold:.3f}, by {self.pairs} pairs of people seen at once",
        ]
        return "\n".join([*lines, *(f"{kind}: {path}" for kind, path in self.files.items())])


def join(
    folders: Sequence[str | Path],
    cameras: str | Path | None = None,
    output_dir: str | Path | None = None,
    false_matches: float = FALSE_RATE,
) -> JoinResult:
    """Give people one number over all cameras.

    Writes ``mot_results/NAME_global.txt`` beside each text, and ``people_global.csv`` and ``people_global.html``.

    Args:
        folders: output folders of runs with ``save_embeddings``; each recording in them is a camera.
        cameras: file of clock times, ways and floors, see `places`.
        output_dir: folder of the table and the sheet; None for the first of the folders.
        false_matches: share, 0 to 1, of the pairs of different people that may be as alike as two sightings of one.

    Raises:
        OptionError: an option is not accepted.
        SourceError: a file of a run is missing or damaged.
        OutputError: a result cannot be written.
    """
    check_number("false_matches", false_matches, 1e-9, 0.5)
    recordings = read_recordings(folders)
    places = Places()
    if cameras is not None:
        places = read_places(Path(cameras), [one.name for one in recordings])
        recordings = placed(recordings, places)
    sightings = Sightings.of(recordings)
    strangers = calibrate(sightings, recordings)
    threshold = strangers.threshold(false_matches)
    alike = sightings.similarities()
    groups = cluster(alike, impossible(sightings, recordings, places), threshold)
    people = _numbered(recordings, sightings, groups, alike)

    folder = checked_folder(output_dir) if output_dir is not None else recordings[0].folder
    files = {"people": folder / "people_global.csv", "sheet": folder / "people_global.html"}
    for one in recordings:
        files[one.name] = one.folder / "mot_results" / f"{one.stem}_global.txt"
        numbers = {person.id: person.global_id for person in people if person.camera == one.name}
        table = one.table[:, : SCORE + 1].copy()
        table[:, ID] = [numbers[identity] for identity in table[:, ID].astype(np.int64).tolist()]
        write_table(files[one.name], table)
    _write_csv(files["people"], people)
    _write_sheet(files["sheet"], people, recordings)
    seen: dict[int, set[str]] = {}
    for person in people:
        seen.setdefault(person.global_id, set()).add(person.camera)
    several = sum(len(names) > 1 for names in seen.values())
    return JoinResult(len(recordings), len(seen), len(people), several, threshold, strangers.pairs, files)


def cluster(alike: np.ndarray, never: np.ndarray, threshold: float) -> np.ndarray:
    """Put people together by complete linkage: any two of a group are alike enough, and may be one.

    Args:
        alike: [P, P] similarities.
        never: [P, P] bool, who cannot be one.
        threshold: least similarity of any two of a group.

    Returns:
        [P] group of each.
    """
    if len(alike) < 2:
        return np.arange(len(alike))
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    distance = np.where(never, NEVER, 1 - (alike + alike.T) / 2)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(np.maximum(distance, 0), checks=False), "complete")
    return fcluster(tree, 1 - threshold, "distance")


def _numbered(
    recordings: Sequence[Recorded], sightings: Sightings, groups: np.ndarray, alike: np.ndarray
) -> list[JoinedPerson]:
    """Return all people, those without views too, with numbers in the order in which they were seen first."""
    rows = {key: row for row, key in enumerate(zip(sightings.cameras.tolist(), sightings.ids.tolist()))}
    found = []
    for camera, one in enumerate(recordings):
        begun = one.start.timestamp() if one.start else 0.0
        for identity in one.ids.tolist():
            first, last = one.span(identity)
            row = rows.get((camera, identity))
            found.append((begun + first, one.name, identity, first, last, row))
    numbers: dict[object, int] = {}
    people = []
    for _, name, identity, first, last, row in sorted(found, key=lambda item: item[:3]):
        group: object = (name, identity) if row is None else int(groups[row])
        similarity = None
        if row is not None:
            others = (groups == groups[row]) & (np.arange(len(groups)) != row)
            similarity = float(alike[row, others].max()) if others.any() else None
        number = numbers.setdefault(group, len(numbers) + 1)
        people.append(JoinedPerson(number, name, identity, first, last, similarity))
    return sorted(people, key=lambda person: (person.global_id, person.camera, person.first_seen, person.id))


def _write_csv(path: Path, people: Sequence[JoinedPerson]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for one in people:
        similarity = "" if one.similarity is None else f"{one.similarity:.4f}"
        writer.writerow(
            [one.global_id, one.camera, one.id, f"{one.first_seen:.3f}", f"{one.last_seen:.3f}", similarity]
        )
    write_text(path, text.getvalue())


def _write_sheet(path: Path, people: Sequence[JoinedPerson], recordings: Sequence[Recorded]) -> None:
    by_name = {one.name: one for one in recordings}
    groups: dict[str, list[Card]] = {}
    for one in people:
        lines = [f"{one.camera} {one.id}", f"{one.first_seen:.1f} to {one.last_seen:.1f} s"]
        if one.similarity is not None:
            lines.append(f"similarity {one.similarity:.3f}")
        groups.setdefault(str(one.global_id), []).append(Card(by_name[one.camera].picture(one.id), lines))
    in_several = dict(sorted(groups.items(), key=lambda item: (-len(item[1]), int(item[0]))))
    write_text(path, write_sheet("People over all cameras", "Those seen in most cameras come first.", in_several))


def write_text(path: Path, text: str) -> None:
    """Write a text file.

    Raises:
        OutputError: it cannot be written.
    """
    make_parent(path)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another output_dir") from error
