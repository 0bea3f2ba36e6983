"""When and where the person in a picture was seen, among the people that runs have kept."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...detection.base import Detector
from ...errors import OptionError, SourceError
from ...settings.checks import check_whole, shown
from ...sinks.files import checked_folder
from ...sources.images import read_image
from .compare import Sightings, calibrate
from .join import write_text
from .recorded import Recorded, find_recording, read_recordings
from .reid import ReidNetwork
from .sheet import Card, write_sheet

HEADER = ("rank", "similarity", "chance", "camera", "id", "first_seen", "last_seen", "picture")
SURE, LIKELY = 0.01, 0.1  # chances that a stranger is as alike, below which a hit is called so
UNTESTED = (
    "Measured on outdoor scenes by day and on Market-1501. Never tested on uniforms, at night, on changed clothes, on "
    "thermal or fisheye cameras. A hit says where to look; it does not say who somebody is."
)


@dataclass(frozen=True)
class Hit:
    """Somebody who looks like the person.

    Attributes:
        rank: from 1.
        similarity: greatest cosine of any two views.
        chance: that the best of as many strangers is as alike, 0 to 1.
        camera: name of the recording.
        id: the number there.
        first_seen: seconds of the recording.
        last_seen: likewise.
        picture: of that person; None without one.
    """

    rank: int
    similarity: float
    chance: float
    camera: str
    id: int
    first_seen: float
    last_seen: float
    picture: Path | None

    @property
    def word(self) -> str:
        """How sure it is, in a word."""
        return "sure" if self.chance < SURE else "likely" if self.chance < LIKELY else "unsure"


@dataclass(frozen=True)
class FindResult:
    """What a search has found.

    Attributes:
        hits: the most alike first.
        compared: people that were compared.
        without: people who could not be compared, for nothing is known of what they look like.
        pairs: of people seen at once, by whom the chances were learnt.
        files: ``table`` and ``sheet``.
    """

    hits: list[Hit]
    compared: int
    without: int
    pairs: int
    files: dict[str, Path]

    def __str__(self) -> str:
        lines = [
            f"{hit.rank:3d}  {hit.similarity:.3f}  {hit.word:6}  {hit.camera} {hit.id}, {hit.first_seen:.1f} to "
            f"{hit.last_seen:.1f} s"
            for hit in self.hits
        ]
        lines.append(f"{self.compared} people compared, {self.without} without views; learnt from {self.pairs} pairs")
        return "\n".join([*lines, UNTESTED, *(f"{kind}: {path}" for kind, path in self.files.items())])


def find(
    wanted: str | Path,
    folders: Sequence[str | Path],
    load: Callable[[], Detector] | None = None,
    box: Sequence[float] | None = None,
    top: int = 20,
    reid: str | Path | None = None,
    output_dir: str | Path | None = None,
) -> FindResult:
    """Look for somebody among the people of runs with ``save_embeddings``.

    Writes ``find.csv`` and ``find.html``.

    Args:
        wanted: a picture, whose largest person it is; or ``NAME:ID``, somebody of these runs.
        folders: output folders of the runs.
        load: returns what finds and embeds the person in a picture: the detector that the runs had. It is not called
            where it is not needed.
        box: left, top, right, bottom of the person in the picture, pixels; None for the largest one.
        top: number of hits.
        reid: re-identification network, which then compares the pictures of people (``people/ID.jpg`` of the answers to
            a scene) in place of the views.
        output_dir: folder of the results; None for the first of the folders.

    Raises:
        OptionError: an option is not accepted, or nobody is in the picture.
        SourceError: a picture or a file of a run is missing or damaged.
        ModelError: the network cannot be read.
        OutputError: a result cannot be written.
    """
    check_whole("top", top)
    recordings = read_recordings(folders)
    total = sum(len(one.ids) for one in recordings)
    network = ReidNetwork(Path(reid)) if reid is not None else None
    if network:
        recordings = [_by_pictures(one, network) for one in recordings]
    named = re.fullmatch(r"(.+):(\d+)", str(wanted))
    itself = None
    if named and not Path(wanted).is_file():
        recording, identity = find_recording(recordings, named[1]), int(named[2])
        views = recording.people.vectors[recording.people.ids == identity]
        if not len(views):
            raise OptionError(f"nothing is known of what {wanted} looks like: choose another one, or give a picture")
        itself = recording.name, identity
    else:
        views = _picture_views(Path(wanted), load, network, box)
    sightings = Sightings.of(recordings)
    strangers = calibrate(sightings, recordings)
    if len(sightings) and sightings.vectors.shape[1] != views.shape[1]:
        raise OptionError(
            f"the vectors of the runs have {sightings.vectors.shape[1]} values, those of the model {views.shape[1]}: "
            "give the model of the runs as --model"
        )
    likeness = sightings.similarities(views)
    hits: list[Hit] = []
    for row in np.argsort(-likeness, kind="stable").tolist():
        recording, identity = recordings[sightings.cameras[row]], int(sightings.ids[row])
        if (recording.name, identity) == itself:
            continue
        similarity = float(likeness[row])
        chance = strangers.false_rate(similarity, len(sightings))
        first, last = recording.span(identity)
        picture = recording.picture(identity)
        hits.append(Hit(len(hits) + 1, similarity, chance, recording.name, identity, first, last, picture))
        if len(hits) == top:
            break
    folder = checked_folder(output_dir) if output_dir is not None else recordings[0].folder
    files = {"table": folder / "find.csv", "sheet": folder / "find.html"}
    _write_csv(files["table"], hits)
    cards = {
        f"{hit.rank}. {hit.word}": [
            Card(
                hit.picture,
                [
                    f"{hit.camera} {hit.id}",
                    f"{hit.first_seen:.1f} to {hit.last_seen:.1f} s",
                    f"similarity {hit.similarity:.3f}",
                    f"chance of a stranger {hit.chance:.2g}",
                ],
            )
        ]
        for hit in hits
    }
    write_text(files["sheet"], write_sheet(f"Who looks like {Path(wanted).name}", UNTESTED, cards))
    return FindResult(hits, len(sightings), total - len(sightings), strangers.pairs, files)


def _by_pictures(recording: Recorded, network: ReidNetwork) -> Recorded:
    """Return a recording with one vector of each person who has a picture, by another network."""
    ids, vectors = [], []
    for identity in recording.ids.tolist():
        path = recording.picture(identity)
        if path is not None:
            ids.append(identity)
            vectors.append(network.embed(_read_picture(path)))
    if not ids:
        raise SourceError(
            f"{recording.folder} has no pictures answers/{recording.stem}/people/ID.jpg, which --reid compares: track "
            "with --scene"
        )
    people = replace(recording.people, model=network.name, ids=np.array(ids, np.int64), vectors=np.stack(vectors))
    return replace(recording, people=people)


def _picture_views(
    path: Path,
    load: Callable[[], Detector] | None,
    network: ReidNetwork | None,
    box: Sequence[float] | None,
) -> np.ndarray:
    """Return the vector [1, D] of the person in a picture."""
    image = _read_picture(path)
    if box is not None:
        left, top, right, bottom = box
        if not (0 <= left < right <= image.shape[1] and 0 <= top < bottom <= image.shape[0]):
            raise OptionError(f"box must be left,top,right,bottom inside the picture, not {shown(tuple(box))}")
        person = np.array([left, top, right, bottom], np.float64)
    elif load is None:
        raise OptionError("without a detector the person in the picture must be given as box")
    else:
        detector = load()
        preprocessed = detector.preprocess(image)
        outputs = detector.start(preprocessed)()
        found = detector.embed(detector.decode(outputs, preprocessed), outputs, preprocessed, 0.0)
        sure = found.scores > detector.high_conf_thres
        if not sure.any():  # whoever asks knows of somebody there, and a small picture of one person alone scores low
            best = found.scores.max(initial=0)
            sure = (found.scores == best) & (best > detector.high_conf_thres / 2)
        if not sure.any():
            raise OptionError(f"nobody was found in {path}: give --box left,top,right,bottom")
        largest = np.where(sure, (found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1), -1).argmax()
        person = found.boxes[largest].astype(np.float64)
        if not network:
            return found.embeddings[largest][None]
    if network:
        low, high = np.floor(person[:2].clip(0)).astype(int), np.ceil(person[2:]).astype(int)
        return network.embed(image[low[1] : high[1], low[0] : high[0]])[None]
    embed = getattr(load() if load else None, "embed_boxes", None)
    if embed is None:
        raise OptionError("this detector cannot embed a given box: give --reid, or NAME:ID")
    return embed(image, person[None])


def _read_picture(path: Path) -> np.ndarray:
    image = read_image(path) if path.is_file() else None
    if image is None:
        raise SourceError(f"{path} is no picture that can be read")
    return image


def _write_csv(path: Path, hits: Sequence[Hit]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for hit in hits:
        times = f"{hit.first_seen:.3f}", f"{hit.last_seen:.3f}"
        writer.writerow(
            [hit.rank, f"{hit.similarity:.4f}", f"{hit.chance:.3g}", hit.camera, hit.id, *times, hit.picture or ""]
        )
    write_text(path, text.getvalue())
