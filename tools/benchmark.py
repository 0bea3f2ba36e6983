"""Measure speed, both sides of a comparison in one run.

    python tools/benchmark.py tracker      association of one frame, ours and PaddleDetection's, by number of people
    python tools/benchmark.py memory       resident memory of the association over a long run
    python tools/benchmark.py forward --backend paddle openvino openvino:bf16
                                           a model's pass over one frame, in one backend and another
    python tools/benchmark.py forward --detector YOLOX.onnx --reid REID.onnx
                                           the same beside a detector with a ReID network a person

More people or frames: see --help of the part. --json FILE keeps the figures.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from tracker.associations import make_tracker
from tracker.config import ModelConfig, check_whole
from tracker.decode import Decoder, Detections
from tracker.errors import OptionError, TrackingError
from tracker.letterbox import Letterbox
from tracker.network import default_threads, open_network
from tracker.tracker_config import ASSOCIATIONS, TrackerConfig
from tracker.weights import find_model
from training.onnx_networks import OnnxNetwork, ReidNetwork

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
    at a time, so that none finds the processor's caches full of another's data at every frame."""
    times = np.zeros((len(updates), len(made)))
    for first in range(0, len(made), TURN):
        for contestant, update in enumerate(updates):
            for number in range(first, min(first + TURN, len(made))):
                start = time.perf_counter()
                update(made[number])
                times[contestant, number] = 1e3 * (time.perf_counter() - start)
    return times[:, warm_up:]


def _spread(values: np.ndarray) -> dict[str, float]:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return {"median": float(middle), "p10": float(low), "p90": float(high)}


def benchmark_tracker(arguments: argparse.Namespace) -> list[dict]:
    """ms per frame of our associations and of ppdet's JDETracker on the same detections."""
    from ppdet.modeling.mot.tracker import JDETracker as Reference

    rows = []
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
        row = {"people": people, **{f"{name}_ms": _spread(values) for name, values in zip(names, times)}}
        for name in arguments.association:
            row[f"{name}_ratio"] = row["ppdet_ms"]["median"] / row[f"{name}_ms"]["median"]
        rows.append(row)
        spreads = [row[f"{name}_ms"] for name in names]
        cells = [f"{v['median']:.2f} ({v['p10']:.2f}-{v['p90']:.2f})" for v in spreads]
        print(f"{people:>7} " + " ".join(f"{cell:>22}" for cell in cells), flush=True)
    return rows


def benchmark_memory(arguments: argparse.Namespace) -> list[dict]:
    """Resident memory of an association over many frames in which people come and go all the time."""
    tracker = make_tracker(TrackerConfig(association=arguments.association, conf_thres=0.65), FRAME_RATE)
    rows = []
    print(f"{'frame':>8} {'people so far':>14} {'resident MB':>12}")
    step = max(arguments.frames // 10, 1)
    frame = 0
    for part in itertools.count():
        # every part shows other people at other places
        for detections in walkers(arguments.people, min(500, arguments.frames - frame), 128, seed=part):
            tracker.update(detections)
            frame += 1
            if frame % step == 0 or frame == min(1000, step):
                rows.append({"frame": frame, "people": tracker.people, "resident_mb": _resident_mb()})
                print(f"{frame:>8} {tracker.people:>14} {rows[-1]['resident_mb']:>12.1f}", flush=True)
        if frame >= arguments.frames:
            break
    return rows


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def one_network(model: str, backend: str, people: int, threads: int) -> tuple[str, Callable[[], object]]:
    """A pass of a model over a frame: its maps, and the embeddings of so many people in it.

    Args:
        model: its folder or name.
        backend: that runs it, with ``:`` and a precision where it is not the usual one.
        people, threads: how many.

    Returns:
        What runs, in words, and the pass.
    """
    backend, _, precision = backend.partition(":")
    folder = find_model(model)
    config = ModelConfig.load(folder)
    network = open_network(folder, config, backend, precision or "auto", threads=threads)
    decoder = Decoder(config)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (config.letterbox.height, config.letterbox.width, 3), dtype=np.uint8)
    blob, placement = Letterbox(config.letterbox)(image)
    corner = random.uniform([0, 0], [placement.width - 40, placement.height - 100], (people, 2))
    boxes = np.concatenate([corner, corner + np.array([40, 100])], axis=1)

    def run() -> object:
        return decoder.embed_boxes(network.run(blob), placement, boxes, network.embed)

    return f"{model}, {network.description}", run


def two_networks(detector: Path, reid: Path, people: int, threads: int) -> Callable[[], object]:
    """A pass of a detector over a frame, and one of a ReID network over the crop of each of so many people."""
    find, tell_apart = OnnxNetwork(detector, threads), ReidNetwork(reid, threads)
    random = np.random.default_rng(0)
    frame, crop = (random.uniform(0, 255, network.shape).astype(np.float32) for network in (find, tell_apart))

    def run() -> None:
        find(frame)
        for _ in range(people):
            tell_apart(crop)

    return run


def benchmark_forward(arguments: argparse.Namespace) -> list[dict]:
    """ms of the networks on one frame; decoding of boxes, crops and resizing are left out on both sides."""
    if bool(arguments.detector) != bool(arguments.reid):
        raise OptionError("--detector and --reid belong together, give both")
    for name in ("people", "repeats", "threads"):
        check_whole(name, getattr(arguments, name))
    threads, people = arguments.threads, arguments.people
    contestants = dict(
        one_network(model, backend, people, threads) for model in arguments.model for backend in arguments.backend
    )
    if arguments.detector:
        name = f"{arguments.detector.stem} + {people} x {arguments.reid.stem}"
        contestants[name] = two_networks(arguments.detector, arguments.reid, people, threads)
    times = np.zeros((len(contestants), arguments.repeats + arguments.warm_up))
    for turn in range(times.shape[1]):
        for contestant, run in enumerate(contestants.values()):
            # threads of the network before may wait busily for more work: Paddle's for 0.2 s
            time.sleep(arguments.pause)
            start = time.perf_counter()
            run()
            times[contestant, turn] = 1e3 * (time.perf_counter() - start)
    rows = []
    for name, values in zip(contestants, times[:, arguments.warm_up :]):
        row = {"networks": name, "people": people, "threads": threads, "ms": _spread(values)}
        row["ratio"] = row["ms"]["median"] / (rows or [row])[0]["ms"]["median"]
        rows.append(row)
    width = max(map(len, contestants))
    print(f"{'networks':{width}} {'ms (p10-p90)':>24} {'ratio':>7}    {people} people, {threads} threads")
    for row in rows:
        values = row["ms"]
        cell = f"{values['median']:.1f} ({values['p10']:.1f}-{values['p90']:.1f})"
        print(f"{row['networks']:{width}} {cell:>24} {row['ratio']:>6.2f}x")
    return rows


def processor() -> str:
    """The processor's name, as Linux tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    tracker = parts.add_parser("tracker", help="association alone")
    tracker.add_argument("--people", type=int, nargs="+", default=[10, 50, 100, 200, 300, 500])
    tracker.add_argument("--association", nargs="+", choices=ASSOCIATIONS, default=ASSOCIATIONS)
    tracker.add_argument("--frames", type=int, default=40)
    tracker.add_argument("--warm_up", type=int, default=10, help="first frames that do not count")
    tracker.add_argument("--json", type=Path, help="write the figures here")
    tracker.set_defaults(run=benchmark_tracker)
    memory = parts.add_parser("memory", help="resident memory of the association")
    memory.add_argument("--association", choices=ASSOCIATIONS, default="fused")
    memory.add_argument("--people", type=int, default=12, help="at a time (default: %(default)s)")
    memory.add_argument("--frames", type=int, default=100_000)
    memory.add_argument("--json", type=Path, help="write the figures here")
    memory.set_defaults(run=benchmark_memory)
    forward = parts.add_parser("forward", help="networks alone")
    forward.add_argument("--model", nargs="+", default=["compact"], help="inference folders, or compact or full")
    forward.add_argument(
        "--backend", nargs="+", default=["auto"], help="what runs them: paddle, openvino, or openvino:bf16"
    )
    forward.add_argument("--detector", type=Path, help="an .onnx file, to compare with")
    forward.add_argument("--reid", type=Path, help="an .onnx file for crops [1, 256, 128, 3], run once a person")
    forward.add_argument("--people", type=int, default=12, help="people a frame (default: %(default)s)")
    forward.add_argument("--repeats", type=int, default=30, help="passes that count (default: %(default)s)")
    forward.add_argument("--warm_up", type=int, default=3, help="first passes that do not count")
    forward.add_argument("--threads", type=int, default=default_threads(), help="of each network (default: all cores)")
    forward.add_argument("--pause", type=float, default=0.25, help="seconds before each pass (default: %(default)s)")
    forward.add_argument("--json", type=Path, help="write the figures here")
    forward.set_defaults(run=benchmark_forward)
    arguments = parser.parse_args(argv)
    try:
        rows = arguments.run(arguments)
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"part": arguments.part, "processor": processor(), "rows": rows}, indent=1)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
