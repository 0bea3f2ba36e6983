"""Association of one frame, ours and PaddleDetection's, on the same made-up detections."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from tools.benchmarks.figures import Figures, bar, cell, spread
from tracker.association.base import make_tracker
from tracker.settings.checks import check_whole
from tracker.settings.tracking import ASSOCIATIONS, TrackerConfig
from tracker.structures import Detections

FRAME_RATE = 30.0
TURN = 10  # frames


def walkers(people: int, frames: int, dimension: int = 512, seed: int = 0) -> list[Detections]:
    """Detections of people who walk at random through a picture that grows with their number.

    A tenth of them is missed in each frame; appearance and position are noisy.
    """
    random = np.random.default_rng(seed)
    field = np.array([1920, 1080]) * max(1.0, (people / 50) ** 0.5)
    centre = random.uniform([0, 0], field, (people, 2))
    velocity = random.normal(0, 3, (people, 2))
    height = random.uniform(60, 200, people)
    looks = random.normal(size=(people, dimension))
    made = []
    for _ in range(frames):
        centre = np.mod(centre + velocity, field)
        seen = random.random(people) > 0.1
        size = np.stack([height * 0.4, height], axis=1)[seen]
        middle = centre[seen] + random.normal(0, 1.5, (seen.sum(), 2))
        embeddings = looks[seen] + random.normal(0, 0.3, (seen.sum(), dimension))
        made.append(
            Detections(
                boxes=np.concatenate([middle - size / 2, middle + size / 2], axis=1).astype(np.float32),
                scores=random.uniform(0.6, 1, seen.sum()).astype(np.float32),
                embeddings=(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32),
            )
        )
    return made


def _milliseconds(updates: list[Callable[[Detections], object]], made: list[Detections], warm_up: int) -> np.ndarray:
    """[updates, frames] times; the contestants take turns, so that a busy machine slows all alike, but for some frames
    at a time, so that none finds the processor's caches full of another's data at every frame.
    """
    times = np.zeros((len(updates), len(made)))
    for first in range(0, len(made), TURN):
        for contestant, update in enumerate(updates):
            for number in range(first, min(first + TURN, len(made))):
                start = time.perf_counter()
                update(made[number])
                times[contestant, number] = 1e3 * (time.perf_counter() - start)
    return times[:, warm_up:]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--people", type=int, nargs="+", default=[10, 50, 100, 200, 300, 500])
    parser.add_argument("--association", nargs="+", choices=ASSOCIATIONS, default=ASSOCIATIONS)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--warm_up", type=int, default=10, help="first frames that do not count")


def run(arguments: argparse.Namespace) -> Figures:
    """Ms per frame of our associations and of ppdet's JDETracker on the same detections.

    Raises:
        OptionError: a number of people is less than 1, or all frames are warm-up.
    """
    check_whole("frames - warm_up", arguments.frames - arguments.warm_up)
    for people in arguments.people:
        check_whole("people", people)
    from ppdet.modeling.mot.tracker import JDETracker as Reference

    rows, bars = [], []
    names = [*arguments.association, "ppdet"]
    print(f"{'people':>7} " + " ".join(f"{f'{name} ms (p10-p90)':>22}" for name in names))
    for people in arguments.people:
        made = walkers(people, arguments.frames)
        # people score between 0.6 and 1: for fused and byte some are doubtful
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
        print(f"{people:>7} " + " ".join(f"{cell(row[f'{name}_ms'], 2):>22}" for name in names), flush=True)
    return Figures(rows, bars, "ms a frame")
