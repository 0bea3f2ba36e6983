"""Association of one frame, ours and PaddleDetection's, on the same generated detections."""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import numpy as np

from tools.benchmarks.figures import Figures, bar, cell, spread
from tools.cli import print_line, progress
from tracker.association.base import make_tracker
from tracker.settings.checks import check_whole
from tracker.settings.tracking import ASSOCIATIONS, TrackerConfig
from tracker.structures import Detections

FRAME_RATE = 30.0
TURN = 10  # frames that one contestant gets before the next


def walkers(people: int, frames: int, dimension: int = 512, seed: int = 0) -> list[Detections]:
    """Generate detections of people who walk at random through an image that grows with their number.

    A tenth of them is missed in each frame; positions and embeddings are noisy.

    Args:
        people: number of people.
        frames: number of frames.
        dimension: length of an embedding.
        seed: of the random numbers.

    Returns:
        The detections of each frame.
    """
    random = np.random.default_rng(seed)
    field = np.array([1920, 1080]) * max(1.0, (people / 50) ** 0.5)
    centre = random.uniform([0, 0], field, (people, 2))
    velocity = random.normal(0, 3, (people, 2))
    height = random.uniform(60, 200, people)
    appearance = random.normal(size=(people, dimension))
    made = []
    for _ in range(frames):
        centre = np.mod(centre + velocity, field)
        seen = random.random(people) > 0.1
        size = np.stack([height * 0.4, height], axis=1)[seen]
        middle = centre[seen] + random.normal(0, 1.5, (seen.sum(), 2))
        embeddings = appearance[seen] + random.normal(0, 0.3, (seen.sum(), dimension))
        made.append(
            Detections(
                boxes=np.concatenate([middle - size / 2, middle + size / 2], axis=1).astype(np.float32),
                scores=random.uniform(0.6, 1, seen.sum()).astype(np.float32),
                embeddings=(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32),
            )
        )
    return made


def _milliseconds(updates: list[Callable[[Detections], object]], frames: list[Detections], warm_up: int) -> np.ndarray:
    """Time trackers on the same frames.

    They take turns, so that a busy machine slows all alike, but for some frames at a time, so that none finds the
    processor's caches full of another's data at every frame.

    Args:
        updates: takes the detections of a frame, for each tracker.
        frames: the detections of each frame.
        warm_up: number of first frames that do not count.

    Returns:
        [trackers, frames - warm_up] milliseconds.
    """
    times = np.zeros((len(updates), len(frames)))
    turns = list(itertools.product(range(0, len(frames), TURN), range(len(updates))))
    for first, contestant in progress(turns, "tracking", "turns"):
        for number in range(first, min(first + TURN, len(frames))):
            start = time.perf_counter()
            updates[contestant](frames[number])
            times[contestant, number] = 1e3 * (time.perf_counter() - start)
    return times[:, warm_up:]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--people", type=int, nargs="+", default=[10, 50, 100, 200, 300, 500], help="in a frame")
    parser.add_argument("--association", nargs="+", choices=ASSOCIATIONS, default=ASSOCIATIONS, help="of ours")
    parser.add_argument("--frames", type=int, default=40, help="all frames (default: %(default)s)")
    parser.add_argument("--warm_up", type=int, default=10, help="first frames that do not count")


def run(arguments: argparse.Namespace) -> Figures:
    """Time our associations and ppdet's JDETracker on the same detections.

    Raises:
        OptionError: a number of people is less than 1, or all frames are warm-up.
    """
    check_whole("frames - warm_up", arguments.frames - arguments.warm_up)
    for people in arguments.people:
        check_whole("people", people)
    from ppdet.modeling.mot.tracker import JDETracker as Reference

    rows, bars = [], []
    names = [*arguments.association, "ppdet"]
    print_line(f"{'people':>7} " + " ".join(f"{f'{name} ms (p10-p90)':>22}" for name in names))
    for people in arguments.people:
        made = walkers(people, arguments.frames)
        # scores are from 0.6 to 1, so that fused and byte get some low-confidence detections
        settings = [TrackerConfig(association=name, conf_thres=0.65) for name in arguments.association]
        updates = [make_tracker(config, FRAME_RATE).update for config in settings]
        theirs = Reference(metric_type="euclidean", conf_thres=0.65)
        tables = {
            id(frame): np.concatenate([np.zeros((len(frame), 1)), frame.scores[:, None], frame.boxes], axis=1)
            for frame in made
        }

        def reference_update(frame: Detections) -> None:
            theirs.update(tables[id(frame)], frame.embeddings.copy())  # noqa: B023 (called within this iteration)

        times = _milliseconds([*updates, reference_update], made, arguments.warm_up)
        row = {"people": people, **{f"{name}_ms": spread(values) for name, values in zip(names, times)}}
        for name in arguments.association:
            row[f"{name}_ratio"] = row["ppdet_ms"]["median"] / row[f"{name}_ms"]["median"]
        rows.append(row)
        bars += [bar(f"{people} people, {name}", row[f"{name}_ms"]) for name in names]
        print_line(f"{people:>7} " + " ".join(f"{cell(row[f'{name}_ms'], 2):>22}" for name in names))
    return Figures(rows, bars, "ms a frame")
