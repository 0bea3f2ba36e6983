"""Measure how well embeddings tell people apart, on the boxes of a ground truth.

    python tools/eval_embedding.py --model compact --gt SEQUENCE
    python tools/eval_embedding.py --model FOLDER --reid REID.onnx --gt gt.txt --source VIDEO

Of every 20th frame, from the first on (1, 21, 41, ...), the true boxes that count (flag 1, pedestrian) and are at least
16 x 40 pixels large are embedded: by a model on the whole frame, as for a detection with that box; by a ReID network
on the crop of each. Two figures come out:

AUC: over all pairs of boxes from different frames of the video, however far apart, the probability that a pair of one
person is more similar (cosine) than a pair of two people; ties count half. 0.5 is chance, 1 is perfect. Two boxes of
one frame make no pair, for they are never of one person.

rank-1: of the people of a sampled frame who are in the next sampled one too, the share whose most similar box there is
their own. Among n equally similar boxes their own counts 1/n.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

import numpy as np

from tools.cli import progress, run_tool, write_json
from tracker.boxes import ltwh_to_ltrb
from tracker.detection.backends.network import thread_count
from tracker.detection.detector import Model
from tracker.errors import OptionError, SourceError
from tracker.evaluation.mot_files import BOX, gt_path, read_boxes, roles
from tracker.models.locate import find_model
from tracker.options import add_backend_arguments
from tracker.settings.checks import check_number, check_whole
from tracker.settings.runtime import RuntimeOptions, parse_input_size
from tracker.sinks.mot_text import FRAME, HEIGHT, ID, WIDTH
from tracker.sources import open_source
from training.teachers.reid import ReidNetwork

# image [H, W, 3] uint8 BGR and boxes [N, 4] left, top, right, bottom in its pixels to embeddings [N, D]
Embedder = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Sample(NamedTuple):
    """The people of one sampled frame.

    Attributes:
        ids: [N] int64 identities, each once.
        embeddings: [N, D], L2-normalised; of any width where N is 0.
    """

    ids: np.ndarray
    embeddings: np.ndarray


class Scores(NamedTuple):
    """How well embeddings tell people apart.

    Attributes:
        boxes: number of embedded boxes.
        same, different: numbers of pairs of boxes from different frames, of one person and of two.
        auc: probability that a pair of one person is more similar than a pair of two; nan without pairs of both kinds.
        followed: number of people in a sampled frame who are in the next one too, over all frames.
        rank1: share of those whose most similar box in the next sampled frame is their own; nan if there are none.
    """

    boxes: int
    same: int
    different: int
    auc: float
    followed: int
    rank1: float


def rank_auc(high: np.ndarray, low: np.ndarray) -> float:
    """Return the area under the ROC curve: the probability that a value of one sample exceeds one of another.

    Args:
        high: [N] values of the positives.
        low: [M] values of the negatives.

    Returns:
        A number from 0 to 1, ties counting half; nan where N or M is 0.
    """
    if not len(high) or not len(low):
        return float("nan")
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, "left").sum()
    not_above = np.searchsorted(ordered, high, "right").sum()
    return float((below + not_above) / 2 / len(high) / len(low))


def pair_auc(samples: Sequence[Sample]) -> tuple[int, int, float]:
    """Compare the boxes of different frames.

    Returns:
        Number of pairs of one person, number of pairs of two people, and the AUC of their cosine similarity.
    """
    same, different = [np.zeros(0)], [np.zeros(0)]
    for first, second in itertools.combinations([sample for sample in samples if len(sample.ids)], 2):
        similarity = first.embeddings @ second.embeddings.T
        one_person = first.ids[:, None] == second.ids
        same.append(similarity[one_person])
        different.append(similarity[~one_person])
    high, low = np.concatenate(same), np.concatenate(different)
    return len(high), len(low), rank_auc(high, low)


def rank1(samples: Sequence[Sample]) -> tuple[int, float]:
    """Look for everybody in the next sample by the most similar embedding.

    Args:
        samples: in the order of time.

    Returns:
        Number of people who are in the next sample too, and the share of them whose most similar box is their own.
    """
    hits: list[float] = []
    for now, following in itertools.pairwise(samples):
        stays = np.isin(now.ids, following.ids)
        if stays.any():
            similarity = now.embeddings[stays] @ following.embeddings.T
            nearest = similarity == similarity.max(axis=1, keepdims=True)
            own = now.ids[stays][:, None] == following.ids
            hits.extend((nearest & own).sum(axis=1) / nearest.sum(axis=1))
    return len(hits), float(np.mean(hits)) if hits else float("nan")


def measure(samples: Sequence[Sample]) -> Scores:
    """Return all figures of samples in the order of time."""
    return Scores(sum(len(sample.ids) for sample in samples), *pair_auc(samples), *rank1(samples))


def sampled_boxes(
    gt: np.ndarray, every: int = 20, min_width: float = 16, min_height: float = 40
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Select the true boxes to embed.

    Args:
        gt: [N, 10] as `read_boxes` returns it.
        every: frames 1, 1 + every, 1 + 2 * every, ... are sampled.
        min_width: least width of a box, pixels.
        min_height: least height of a box, pixels.

    Returns:
        By frame (from 1): ids [K] and boxes [K, 4] left, top, right, bottom in pixels. A sampled frame without such
        boxes, up to the last frame of the ground truth, has K = 0.
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
    """Read the sampled frames of a video or folder of images and embed their boxes.

    Args:
        source: the video or folder.
        boxes: ids and boxes by frame, as `sampled_boxes` returns them.
        embedders: each of them embeds all boxes.

    Returns:
        For each embedder the samples in the order of time.

    Raises:
        SourceError: the source cannot be read or lacks one of the frames.
    """
    samples: list[list[Sample]] = [[] for _ in embedders]
    missing = {frame for frame, (ids, _) in boxes.items() if len(ids)}
    with open_source(source) as frames:
        for frame in progress(frames, frames.name, "frames", max(missing, default=0)):
            if frame.index + 1 not in boxes:
                continue
            ids, corners = boxes[frame.index + 1]
            missing.discard(frame.index + 1)
            for collected, embed in zip(samples, embedders):
                collected.append(Sample(ids, embed(frame.image, corners) if len(ids) else np.zeros((0, 0))))
            if not missing:
                break  # videos are long
    if missing:
        raise SourceError(f"{source} lacks frame {min(missing)} of the ground truth; is it another video?")
    return samples


def format_table(rows: Sequence[tuple[str, Scores]]) -> str:
    """Lay out a header and a row for each name of an embedder and its scores."""
    width = max(len("embeddings"), *(len(name) for name, _ in rows))
    lines = [
        f"{'embeddings':{width}} {'boxes':>7} {'same':>8} {'different':>10} {'AUC':>6} {'followed':>9} {'rank-1':>7}"
    ]
    for name, s in rows:
        lines.append(
            f"{name:{width}} {s.boxes:>7} {s.same:>8} {s.different:>10} {s.auc:>6.3f} {s.followed:>9} {s.rank1:>7.3f}"
        )
    return "\n".join(lines)


def run(arguments: argparse.Namespace) -> None:
    """Measure what the command line asks for, print the table and write the JSON file."""
    if not arguments.model and not arguments.reid:
        raise OptionError("nothing to measure: give --model, --reid or both")
    if not arguments.source and not arguments.gt.is_dir():
        raise OptionError(f"{arguments.gt} is no sequence folder: give the video it belongs to as --source")
    check_whole("every", arguments.every)
    check_number("min_width", arguments.min_width, 0)
    check_number("min_height", arguments.min_height, 0)
    boxes = sampled_boxes(read_boxes(gt_path(arguments.gt)), arguments.every, arguments.min_width, arguments.min_height)
    if not any(len(ids) for ids, _ in boxes.values()):
        raise SourceError(f"{arguments.gt}: no sampled frame has a box that counts of that size")
    embedders: dict[str, Embedder] = {}
    if arguments.model:
        size = parse_input_size(arguments.input_size)
        runtime = RuntimeOptions(
            arguments.backend, arguments.precision, threads=arguments.threads, input_size=size, device=arguments.device
        )
        model = Model(find_model(arguments.model), runtime)
        embedders[model.config.name] = model.detector().embed_boxes
    if arguments.reid:
        embedders[arguments.reid.stem] = ReidNetwork(arguments.reid, arguments.threads).embed
    samples = embed_boxes(arguments.source or arguments.gt, boxes, list(embedders.values()))
    rows = [(name, measure(collected)) for name, collected in zip(embedders, samples)]
    print(format_table(rows))
    if arguments.json:
        write_json(arguments.json, {name: scores._asdict() for name, scores in rows})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("--model", help="inference folder, or compact or full")
    parser.add_argument("--reid", type=Path, help="ReID network on crops of 256x128 pixels, an .onnx or .xml file")
    parser.add_argument("--gt", type=Path, required=True, help="gt.txt or a sequence folder")
    parser.add_argument("--source", type=Path, help="video or folder of images (default: the sequence folder)")
    parser.add_argument(
        "--every", type=int, default=20, metavar="N", help="take every Nth frame (default: %(default)s)"
    )
    parser.add_argument("--min_width", type=float, default=16, help="of a box, pixels (default: %(default)s)")
    parser.add_argument("--min_height", type=float, default=40, help="of a box, pixels (default: %(default)s)")
    parser.add_argument(
        "--threads", type=int, default=thread_count(None), help="processor threads (default: all cores)"
    )
    add_backend_arguments(parser)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
