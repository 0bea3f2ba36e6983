"""Track the two halves of a recording as two cameras, join them, and score the numbers over both.

    python tools/identities/eval_halves.py --video vtest.avi --gt gt.txt --reid REID.xml

IDF1 is of the whole recording with the global numbers: each half by itself (nobody is known again), joined by the
vectors of the bundled network, by those of a re-identification network on the same views, and by one look for all.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the script runs from any folder

import numpy as np

from tools.cli import progress, run_tool
from tracker.appearance.store import PeopleWriter, StoredPeople, read_people
from tracker.appearance.views import View, Views
from tracker.evaluation.mot_files import read_boxes, roles
from tracker.evaluation.mot_metrics import combine, score_boxes
from tracker.library.identities.join import FALSE_RATE, join
from tracker.library.identities.reid import ReidNetwork
from tracker.predictor import Predictor
from tracker.sinks.mot_text import FRAME, ID, read_mot
from tracker.sources import open_source

Embed = Callable[[np.ndarray], np.ndarray]  # picture of a person to its vector
NAMES = ("first", "second")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the tool's arguments."""
    parser.add_argument("--video", type=Path, required=True, help="a recording")
    parser.add_argument("--gt", type=Path, required=True, help="its ground truth")
    parser.add_argument("--reid", type=Path, help="re-identification network to compare with")
    parser.add_argument("--rates", type=float, nargs="*", default=[0.01, FALSE_RATE, 0.0002], help="false matches")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default: %(default)d)")


def run(arguments: argparse.Namespace) -> None:
    """Print a row for each network and threshold."""
    gt = read_boxes(arguments.gt)
    gt = gt[roles(gt)[0]]
    with tempfile.TemporaryDirectory() as scratch, open_source(arguments.video) as source:
        folder = Path(scratch, "model")
        middle = int(gt[:, FRAME].max()) // 2
        predictor = Predictor("compact", threads=arguments.threads)
        frames = iter(progress(source, "tracking", "frames"))
        pictures: dict[int, np.ndarray] = {}
        for name, last in zip(NAMES, (middle, int(gt[:, FRAME].max()))):
            with predictor.stream_mode(
                folder, visualization=False, name=name, frame_rate=source.frame_rate, save_embeddings=True
            ) as stream:
                while len(pictures) < last and (frame := next(frames, None)) is not None:
                    pictures[len(pictures) + 1] = frame.image
                    stream.predict([frame.image])
        print(f"{'vectors by':38}{'rate':>7}{'people':>8}{'both':>6}{'IDF1':>8}")
        apart = [read_mot(folder / "mot_results" / f"{name}.txt") for name in NAMES]
        apart[1][:, ID] += apart[0][:, ID].max()
        people = sum(len(np.unique(table[:, ID])) for table in apart)
        print(f"{'each half by itself':38}{'':>7}{people:>8}{0:>6}{scored(apart, middle, gt):>8.3f}")
        networks: dict[str, Embed | None] = {
            "the bundled network": None,
            "one look for everybody": lambda _: np.ones(1),
        }
        if arguments.reid:
            networks[arguments.reid.stem] = ReidNetwork(arguments.reid, arguments.threads).embed
        for name, embed in networks.items():
            there = folder if embed is None else with_vectors(folder, Path(scratch, name), embed, pictures, middle)
            for rate in arguments.rates:
                result = join([there], false_matches=rate)
                tables = [read_mot(result.files[half]) for half in NAMES]
                value = scored(tables, middle, gt)
                print(f"{name:38}{rate:>7g}{result.people:>8}{result.in_several:>6}{value:>8.3f}", flush=True)


def scored(tables: Sequence[np.ndarray], middle: int, gt: np.ndarray) -> float:
    """Return the IDF1 of two halves with numbers that count over both."""
    second = tables[1].copy()
    second[:, FRAME] += middle
    return combine([score_boxes(gt, np.concatenate([tables[0], second]))])["IDF1"]


def with_vectors(folder: Path, target: Path, embed: Embed, pictures: dict[int, np.ndarray], middle: int) -> Path:
    """Return a copy of an output folder whose people have other vectors of the same views."""
    shutil.copytree(folder, target)
    for name, before in zip(NAMES, (0, middle)):
        path = target / "mot_results" / f"{name}_people.npz"
        people = read_people(path)
        writer = PeopleWriter(path, "another")
        for identity in np.unique(people.ids).tolist():
            writer.add(identity, _other_views(people, identity, embed, pictures, before))
        writer.write({})
        writer.close()
    return target


def _other_views(
    people: StoredPeople, identity: int, embed: Embed, pictures: dict[int, np.ndarray], before: int
) -> Views:
    made = []
    for view in people.of(identity).kept:
        left, top, width, height = (max(round(side), 0) for side in view.box)
        crop = pictures[view.frame + before][top : top + max(height, 1), left : left + max(width, 1)]
        made.append(View(embed(crop).astype(np.float16), view.quality, view.frame, view.seconds))
    return Views(tuple(made))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; see `run_tool`."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
