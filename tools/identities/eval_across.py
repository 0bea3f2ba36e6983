"""Measure joining and finding over cameras: the compact network, a re-identification network, and one look for all.

    python tools/identities/eval_across.py --market market1501 --people 100 --reid REID.xml
    python tools/identities/eval_across.py --video vtest.avi --gt gt.txt

--market takes a folder of Market-1501's pictures, one folder a person, and of those the last ones by number; the people
of one camera are a recording. --video takes two halves of a recording as two cameras, with the boxes of the ground
truth.

rank-1 and mAP are of finding a sighting in the other cameras; IDF1, precision and recall are of one number over all.
The threshold follows from people of one camera, as `join` learns it from people seen at once. The bundled network
learnt from none of these people. What the public networks learnt from is not published.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the script runs from any folder

import cv2
import numpy as np

from tools.cli import progress, run_tool
from tools.identities.across import measure, sightings_of
from tracker.appearance.quality import sight_qualities
from tracker.detection.detector import Model
from tracker.errors import OptionError, SourceError
from tracker.evaluation.mot_files import BOX, read_boxes, roles
from tracker.library.identities.join import FALSE_RATE
from tracker.library.identities.reid import ReidNetwork
from tracker.models.locate import find_model
from tracker.settings.runtime import RuntimeOptions
from tracker.sinks.mot_text import FRAME, ID
from tracker.sources import open_source

CANVAS = (8, 8)  # pictures side by side and below each other, for one pass of the network
CROP = (128, 64)
EVERY = 5  # frames of the video

Vectors = dict[int, dict[int, np.ndarray]]  # by person, then camera
Embedder = Callable[[list[np.ndarray]], np.ndarray]  # pictures of people to vectors [N, D]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the tool's arguments."""
    parser.add_argument("--market", type=Path, help="folder of Market-1501, a folder a person")
    parser.add_argument("--people", type=int, default=100, help="the last so many of them (default: %(default)d)")
    parser.add_argument("--video", type=Path, help="a recording, whose halves are two cameras")
    parser.add_argument("--gt", type=Path, help="its ground truth")
    parser.add_argument("--reid", type=Path, help="re-identification network to compare with")
    parser.add_argument("--model", default="compact", help="model whose vectors are measured (default: %(default)s)")
    parser.add_argument("--rates", type=float, nargs="*", default=[0.01, FALSE_RATE, 0.0002], help="false matches")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default: %(default)d)")


def market(folder: Path, count: int) -> dict[int, dict[int, list[np.ndarray]]]:
    """Return the pictures of the last people by person, then camera.

    Raises:
        SourceError: the folder has none.
    """
    people: dict[int, dict[int, list[Path]]] = {}
    for path in sorted(folder.glob("*/*.jpg")):
        match = re.fullmatch(r"(\d+)_c(\d).*", path.stem)
        if match:
            people.setdefault(int(match[1]), {}).setdefault(int(match[2]), []).append(path)
    if not people:
        raise SourceError(f"{folder} has no pictures PERSON/PERSON_cCAMERA....jpg")
    chosen = sorted(people)[-count:]
    return {
        person: {camera: [cv2.imread(str(path)) for path in paths] for camera, paths in people[person].items()}
        for person in chosen
    }


def halves(video: Path, gt_file: Path) -> dict[int, dict[int, list[np.ndarray]]]:
    """Return pictures of the people of a recording by person, then half."""
    gt = read_boxes(gt_file)
    gt = gt[roles(gt)[0]]
    middle = gt[:, FRAME].max() / 2
    people: dict[int, dict[int, list[np.ndarray]]] = {}
    with open_source(video) as source:
        for frame in source:
            rows = gt[gt[:, FRAME] == frame.index + 1]
            if frame.index % EVERY or not len(rows):
                continue
            height, width = frame.image.shape[:2]
            good = sight_qualities(rows[:, BOX], np.ones(len(rows)), (width, height)) > 0
            for row in rows[good]:
                left, top, wide, high = np.rint(row[BOX]).astype(int)
                crop = frame.image[top : top + high, left : left + wide].copy()
                people.setdefault(int(row[ID]), {}).setdefault(int(row[FRAME] > middle), []).append(crop)
    return people


def by_model(name: str, threads: int) -> Embedder:
    """Return what embeds pictures by a model: many of them side by side in one picture."""
    detector = Model(find_model(name), RuntimeOptions(threads=threads)).detector()

    def embed(pictures: list[np.ndarray]) -> np.ndarray:
        found = []
        many = CANVAS[0] * CANVAS[1]
        for start in range(0, len(pictures), many):
            canvas = np.full((CANVAS[0] * CROP[0], CANVAS[1] * CROP[1], 3), 127, np.uint8)
            boxes = []
            for place, picture in enumerate(pictures[start : start + many]):
                top, left = place // CANVAS[1] * CROP[0], place % CANVAS[1] * CROP[1]
                canvas[top : top + CROP[0], left : left + CROP[1]] = cv2.resize(picture, CROP[::-1])
                boxes.append([left, top, left + CROP[1], top + CROP[0]])
            found.append(detector.embed_boxes(canvas, np.array(boxes)))
        return np.concatenate(found)

    return embed


def by_reid(path: Path, threads: int) -> Embedder:
    """Return what embeds pictures by a re-identification network."""
    network = ReidNetwork(path, threads)
    return lambda pictures: np.stack([network.embed(picture) for picture in pictures])


def same_look(pictures: list[np.ndarray]) -> np.ndarray:
    """Return one vector for all pictures."""
    return np.ones((len(pictures), 1), np.float32)


def run(arguments: argparse.Namespace) -> None:
    """Print a row for each network and threshold.

    Raises:
        OptionError: there is nothing to measure.
    """
    sets = {}
    if arguments.market:
        sets["Market-1501"] = market(arguments.market, arguments.people)
    if arguments.video and arguments.gt:
        sets[f"{arguments.video.stem}, halves"] = halves(arguments.video, arguments.gt)
    if not sets:
        raise OptionError("nothing to measure: give --market, or --video and --gt")
    networks = {arguments.model: by_model(arguments.model, arguments.threads)}
    if arguments.reid:
        networks[arguments.reid.stem] = by_reid(arguments.reid, arguments.threads)
    networks["same look"] = same_look
    print(
        f"{'people of':18}{'vectors by':36}{'rate':>7}{'people':>8}{'seen':>6}{'rank-1':>8}{'mAP':>7}{'IDF1':>7}"
        f"{'precision':>11}{'recall':>8}"
    )
    for name, people in sets.items():
        for network, embed in networks.items():
            vectors: Vectors = {
                person: {camera: embed(pictures) for camera, pictures in cameras.items()}
                for person, cameras in progress(people.items(), f"{name} by {network}", "people")
            }
            sightings, truth = sightings_of(vectors)
            for rate in arguments.rates:
                found = measure(sightings, truth, rate)
                print(
                    f"{name:18}{network:36}{rate:>7g}{found.people:>8}{found.sightings:>6}{found.rank1:>8.3f}"
                    f"{found.mean_ap:>7.3f}{found.idf1:>7.3f}{found.precision:>11.3f}{found.recall:>8.3f}",
                    flush=True,
                )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; see `run_tool`."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
