"""Measure how well embeddings tell people apart, on the boxes of a ground truth.

    python tools/eval_embedding.py --model compact --gt SEQUENCE
    python tools/eval_embedding.py --model FOLDER --reid REID.onnx --gt gt.txt --source VIDEO

Of every 20th frame, from the first on (1, 21, 41, ...), the boxes that count (flag 1, pedestrian) and are at least
16 x 40 pixels large are embedded: by a model on the whole frame, as for a detection with that box; by a ReID network
on the crop of each. Two figures come out:

AUC: over all pairs of boxes from different frames of the video, however far apart, the chance that a pair of one person
is more alike (cosine) than a pair of two people; equal counts half. 0.5 is chance, 1 is perfect. Two boxes of one frame
make no pair: they are never the same person.

rank-1: of the people of a sampled frame who are in the next sampled one too, the share whose nearest box there is their
own. Where several are equally near, each of them counts its part.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the script runs from any folder, installed or not

import numpy as np

from tracker.boxes import ltwh_to_ltrb
from tracker.detection.backends.network import default_threads
from tracker.detection.detector import Model
from tracker.errors import OptionError, OutputError, SourceError, TrackingError
from tracker.evaluation.mot_files import BOX, FRAME, HEIGHT, ID, WIDTH, gt_path, read_mot, roles
from tracker.models.locate import find_model
from tracker.options import add_backend_arguments
from tracker.settings.checks import check_number, check_whole
from tracker.sources import open_source
from training.onnx_networks import ReidNetwork

Embedder = Callable[[np.ndarray, np.ndarray], np.ndarray]  # image, boxes [N, 4] left, top, right, bottom to [N, D]


class Sample(NamedTuple):
    """The people of one sampled frame.

    Attributes:
        ids: [N] int64, different ones.
        embeddings: [N, D], L2-normalised; of any shape where nobody is there.
    """

    ids: np.ndarray
    embeddings: np.ndarray


class Scores(NamedTuple):
    """How well some embeddings tell people apart.

    Attributes:
        boxes: that were embedded.
        same, different: pairs of boxes from different frames, of one person and of two.
        auc: see the top of this file; nan without a pair of either kind.
        followed: people of a frame who are in the next one too.
        rank1: see the top of this file; nan without such people.
    """

    boxes: int
    same: int
    different: int
    auc: float
    followed: int
    rank1: float


def rank_auc(high: np.ndarray, low: np.ndarray) -> float:
    """The area under the ROC curve: the chance that a value of ``high`` [N] exceeds one of ``low`` [M], equal ones
    counting half; nan where either is empty.
    """
    if not len(high) or not len(low):
        return float("nan")
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, "left").sum()
    not_above = np.searchsorted(ordered, high, "right").sum()
    return float((below + not_above) / 2 / len(high) / len(low))


def pair_auc(samples: Sequence[Sample]) -> tuple[int, int, float]:
    """Number of pairs of one person and of two, and the AUC of their cosine similarity, as at the top of this file."""
    same, different = [np.zeros(0)], [np.zeros(0)]
    for first, second in itertools.combinations([sample for sample in samples if len(sample.ids)], 2):
        alike = first.embeddings @ second.embeddings.T
        one_person = first.ids[:, None] == second.ids
        same.append(alike[one_person])
        different.append(alike[~one_person])
    high, low = np.concatenate(same), np.concatenate(different)
    return len(high), len(low), rank_auc(high, low)


def rank1(samples: Sequence[Sample]) -> tuple[int, float]:
    """Number of people followed from a sample to the next, and the share of them found, as at the top of this file."""
    found = []
    for now, following in itertools.pairwise(samples):
        stays = np.isin(now.ids, following.ids)
        if stays.any():
            alike = now.embeddings[stays] @ following.embeddings.T
            nearest = alike == alike.max(axis=1, keepdims=True)
            own = now.ids[stays][:, None] == following.ids
            found.extend((nearest & own).sum(axis=1) / nearest.sum(axis=1))
    return len(found), float(np.mean(found)) if found else float("nan")


def measure(samples: Sequence[Sample]) -> Scores:
    """All figures of the samples, which are in the order of time."""
    return Scores(sum(len(sample.ids) for sample in samples), *pair_auc(samples), *rank1(samples))


def sampled_boxes(
    gt: np.ndarray, every: int = 20, min_width: float = 16, min_height: float = 40
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """The boxes to embed.

    Args:
        gt: [N, 10] from `read_mot`.
        every: frames 1, 1 + every, 1 + 2 every, ... are taken.
        min_width, min_height: of a box in pixels.

    Returns:
        By frame (from 1): ids [K] and boxes [K, 4] left, top, right, bottom. A sampled frame without such boxes, up to
        the last frame of the ground truth, has K = 0: nobody of the sample before is in it.
    """
    large = roles(gt)[0] & (gt[:, WIDTH] >= min_width) & (gt[:, HEIGHT] >= min_height)
    taken = {}
    for frame in range(1, int(gt[:, FRAME].max(initial=0)) + 1, every):
        rows = gt[large & (gt[:, FRAME] == frame)]
        taken[frame] = rows[:, ID].astype(np.int64), ltwh_to_ltrb(rows[:, BOX])
    return taken


def embed_boxes(
    source: Path, boxes: dict[int, tuple[np.ndarray, np.ndarray]], embedders: Sequence[Embedder]
) -> list[list[Sample]]:
    """Read the frames of ``boxes`` from a video or folder of images and embed their boxes.

    Returns:
        For each embedder the samples in the order of time.

    Raises:
        SourceError: the source cannot be read or lacks one of the frames.
    """
    samples = [[] for _ in embedders]
    missing = {frame for frame, (ids, _) in boxes.items() if len(ids)}
    with open_source(source) as frames:
        for frame in frames:
            ids, corners = boxes.get(frame.index + 1, (None, None))
            if ids is None:
                continue
            missing.discard(frame.index + 1)
            for collected, embed in zip(samples, embedders):
                collected.append(Sample(ids, embed(frame.image, corners) if len(ids) else np.zeros((0, 0))))
            if not missing:
                break  # videos are long
    if missing:
        raise SourceError(f"{source} lacks frame {min(missing)} of the ground truth; is it another video?")
    return samples


def format_table(rows: Sequence[tuple[str, Scores]]) -> str:
    """Lays out (name, scores) rows under a header."""
    width = max(len("embeddings"), *(len(name) for name, _ in rows))
    lines = [
        f"{'embeddings':{width}} {'boxes':>7} {'same':>8} {'different':>10} {'AUC':>6} {'followed':>9} {'rank-1':>7}"
    ]
    for name, s in rows:
        lines.append(
            f"{name:{width}} {s.boxes:>7} {s.same:>8} {s.different:>10} {s.auc:>6.3f} {s.followed:>9} {s.rank1:>7.3f}"
        )
    return "\n".join(lines)


def run(args: argparse.Namespace) -> None:
    """Measures what the command line asks for, prints the table and writes the JSON file."""
    if not args.model and not args.reid:
        raise OptionError("nothing to measure: give --model, --reid or both")
    if not args.source and not args.gt.is_dir():
        raise OptionError(f"{args.gt} is no sequence folder: give the video it belongs to as --source")
    check_whole("every", args.every)
    check_number("min_width", args.min_width, 0)
    check_number("min_height", args.min_height, 0)
    boxes = sampled_boxes(read_mot(gt_path(args.gt)), args.every, args.min_width, args.min_height)
    if not any(len(ids) for ids, _ in boxes.values()):
        raise SourceError(f"{args.gt}: no sampled frame has a box that counts of that size")
    embedders: dict[str, Embedder] = {}
    if args.model:
        model = Model(find_model(args.model), False, args.threads, args.backend, args.precision)
        embedders[model.config.name] = model.detector().embed
    if args.reid:
        embedders[args.reid.stem] = ReidNetwork(args.reid, args.threads).embed
    samples = embed_boxes(args.source or args.gt, boxes, list(embedders.values()))
    rows = [(name, measure(collected)) for name, collected in zip(embedders, samples)]
    print(format_table(rows))
    if args.json:
        try:
            args.json.write_text(json.dumps({name: scores._asdict() for name, scores in rows}, indent=2) + "\n")
        except OSError as error:
            raise OutputError(f"{args.json}: cannot be written ({error.strerror})") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="inference folder, or compact or full")
    parser.add_argument("--reid", type=Path, help="ReID network on crops [1, 256, 128, 3] BGR 0 to 255, an .onnx file")
    parser.add_argument("--gt", type=Path, required=True, help="gt.txt or a sequence folder")
    parser.add_argument("--source", type=Path, help="video or folder of images (default: the sequence folder)")
    parser.add_argument("--every", type=int, default=20, help="take every so many-th frame (default: %(default)s)")
    parser.add_argument("--min_width", type=float, default=16, help="of a box, pixels (default: %(default)s)")
    parser.add_argument("--min_height", type=float, default=40, help="of a box, pixels (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=default_threads(), help="processor threads (default: all cores)")
    add_backend_arguments(parser)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    try:
        run(parser.parse_args(argv))
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
