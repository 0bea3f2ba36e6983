"""From a video file to the text and the annotated video, ours and others, with models that are loaded already."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tools.benchmarks.clips import cut, decode_and_encode
from tools.benchmarks.figures import PAUSE, Figures, bar, cell, spread, take_turns
from tools.benchmarks.models import Models
from tools.benchmarks.original import OriginalTracker
from tools.benchmarks.separate import SeparateNetworks
from tools.cli import progress
from tracker.detection.backends.choice import open_network
from tracker.detection.backends.network import thread_count
from tracker.detection.letterbox import Letterbox
from tracker.pipeline.result import TrackingResult
from tracker.settings.checks import check_number, check_whole
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions
from tracker.sources import open_source

CODEC_ONLY = "decode + encode"


@dataclass
class Contestant:
    """Something that is done with every frame of a clip.

    Attributes:
        name: for the table.
        run: does it with the whole clip.
        frames: number of frames in that clip.
        end_to_end: whether it goes from video to video; otherwise it is a part of that.
        results: what the runs of our module returned.
        forward: the forward passes of our module alone.
        note: returns a further remark for the table, once ``run`` has been called.
    """

    name: str
    run: Callable[[], object]
    frames: int
    end_to_end: bool = True
    results: list[TrackingResult] = field(default_factory=list)
    forward: Contestant | None = None
    note: Callable[[], str] | None = None


@dataclass(frozen=True)
class Clip:
    """A video that contestants get, the number of its frames, and the folder of their results."""

    path: Path
    frames: int
    output: Path


def ours(folder: Path, name: str, backend: str, threads: int, clip: Clip) -> Contestant:
    """Prepare our module, through its Python API, and its forward passes alone.

    Args:
        folder: of the model.
        name: of the model.
        backend: name of the backend, with ``:`` and a precision where it is not the usual one.
        threads: number of processor threads of the network.
        clip: video to track.
    """
    from tracker.predictor import Predictor

    backend, _, precision = backend.partition(":")
    precision = precision or "auto"
    config = ModelConfig.load(folder)
    network = open_network(folder, config, RuntimeOptions(backend, precision, threads=threads, throughput=True))
    with open_source(str(clip.path)) as source:
        pixels, _ = Letterbox(config.letterbox)(next(iter(source)).image)
    predictor = Predictor(model=str(folder), threads=threads, backend=backend, precision=precision)

    def passes() -> None:
        in_flight: deque[Callable[[], object]] = deque()
        for _ in range(clip.frames):
            in_flight.append(network.start(pixels))
            if len(in_flight) > network.max_in_flight:  # as many as in the module
                in_flight.popleft()()
        for wait in in_flight:
            wait()

    def track() -> None:
        made.results.append(predictor.mot_predict(str(clip.path), output_dir=clip.output, progress=False))

    title = f"{name}, {network.description}"
    made = Contestant(title, track, clip.frames)
    made.forward = Contestant(f"forward pass, {title}", passes, clip.frames, end_to_end=False)
    return made


def separate(detector: str, reid: str, threads: int, clip: Clip) -> Contestant:
    """Prepare a detector with a ReID network a person."""
    networks = SeparateNetworks(detector, Path(reid), threads)
    made = Contestant(f"{Path(detector).stem} + {Path(reid).stem}", lambda: None, clip.frames)
    predictor = networks.predictor(made.name)

    def track() -> None:
        before = networks.crops
        predictor.mot_predict(clip.path, clip.output, progress=False)
        made.note = lambda: f"{(networks.crops - before) / clip.frames:.1f} people a frame"

    made.run = track
    return made


def original(weights: Path, name: str, threads: int, clip: Clip) -> Contestant:
    """Prepare the original module's way."""
    tracker = OriginalTracker(weights, threads)
    return Contestant(f"original way ({name})", lambda: tracker.mot_predict(clip.path, clip.output), clip.frames)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--video", type=Path, required=True, help="a file to track")
    parser.add_argument(
        "--frames", type=int, default=50, help="number of its first frames to take (default: %(default)s)"
    )
    parser.add_argument("--model", nargs="+", default=["compact"], help="inference folders, or compact or full")
    parser.add_argument(
        "--backend", nargs="+", default=["auto"], help="what runs them: paddle, openvino, or openvino:bf16"
    )
    parser.add_argument("--original", action="store_true", help="the original module's way beside them")
    parser.add_argument(
        "--original_frames",
        type=int,
        default=3,
        help="number of frames for that way, which is slow (default: %(default)s)",
    )
    parser.add_argument(
        "--separate",
        nargs=2,
        metavar=("DETECTOR[:CLASS][@WxH]", "REID"),
        help=".onnx or .xml files: a detector (class of people, input size), and a ReID network a person beside them",
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs that count (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=thread_count(None), help="of each network (default: all cores)")
    parser.add_argument("--pause", type=float, default=PAUSE, help="seconds before each run (default: %(default)s)")


def run(arguments: argparse.Namespace) -> Figures:
    """Time all contestants from video to video, and those parts of our module that can be run alone.

    Raises:
        OptionError: an argument is out of its range.
        SourceError: the video cannot be read.
        ModelError: a model cannot be had or run.
    """
    for name in ("frames", "original_frames", "repeats", "threads"):
        check_whole(name, getattr(arguments, name))
    check_number("pause", arguments.pause, 0)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = stack.enter_context(Models())
        contestants = _contestants(arguments, models, folder)
        for contestant in progress(contestants, "warming up", "runs"):  # loads what is loaded at first use
            contestant.run()
            contestant.results.clear()
        times = take_turns([contestant.run for contestant in contestants], arguments.repeats, arguments.pause)
    return _report(arguments, contestants, times)


def _contestants(arguments: argparse.Namespace, models: Models, folder: Path) -> list[Contestant]:
    """Prepare the reference first, then the others, then their parts."""
    clip = _clip(arguments.video, arguments.frames, folder, "clip")
    made: list[Contestant] = []
    if arguments.original:
        short = _clip(arguments.video, arguments.original_frames, folder, "short")
        made.append(original(*models.full_weights(arguments.model), arguments.threads, short))
    for model in arguments.model:
        found = models.find(model)
        made += [ours(*found, backend, arguments.threads, clip) for backend in arguments.backend]
    if arguments.separate:
        made.append(separate(*arguments.separate, arguments.threads, clip))
    made += [contestant.forward for contestant in made if contestant.forward]
    again = folder / "again.mp4"
    made.append(Contestant(CODEC_ONLY, lambda: decode_and_encode(clip.path, again), clip.frames, end_to_end=False))
    return made


def _clip(video: Path, frames: int, folder: Path, name: str) -> Clip:
    path = folder / f"{name}.mp4"
    return Clip(path, cut(video, frames, path), folder / "output")


def _report(arguments: argparse.Namespace, contestants: list[Contestant], times: np.ndarray) -> Figures:
    rows: list[dict[str, Any]] = []
    medians: dict[int, float] = {}
    for contestant, values in zip(contestants, times):
        ms = spread(1e3 * values / contestant.frames)
        medians[id(contestant)] = ms["median"]
        row = {"name": contestant.name, "end_to_end": contestant.end_to_end, "frames": contestant.frames, "ms": ms}
        row |= {"fps": 1e3 / ms["median"], "speed": medians[id(contestants[0])] / ms["median"]}
        if contestant.results:
            stages = contestant.results[0].stage_fps
            rates = {name: np.median([result.stage_fps[name] for result in contestant.results]) for name in stages}
            row["stages_ms"] = {name: 1e3 / float(rate) for name, rate in rates.items()}
        if contestant.note:
            row["note"] = contestant.note()
        rows.append(row)
    for contestant, row in zip(contestants, rows):
        if contestant.forward:
            row["beside_forward"] = 1 - medians[id(contestant.forward)] / row["ms"]["median"]
    _print(arguments, rows)
    about = {"video": arguments.video.name, "threads": arguments.threads, "repeats": arguments.repeats}
    return Figures(rows, [bar(row["name"], row["ms"]) for row in rows], "ms a frame", about)


def _print(arguments: argparse.Namespace, rows: list[dict]) -> None:
    width = max(len(row["name"]) for row in rows)
    print(
        f"{arguments.video.name}, {arguments.threads} threads, {arguments.repeats} runs each in turns; "
        "models are loaded beforehand, which is not counted"
    )
    print(f"{'':{width}} {'frames':>7} {'ms a frame (p10-p90)':>24} {'frames/s':>9} {'speed':>7}")
    for row in rows:
        speed = f"{row['speed']:.2f}x" if row["end_to_end"] else "-"
        note = f"  {row['note']}" if "note" in row else ""
        print(f"{row['name']:{width}} {row['frames']:>7} {cell(row['ms']):>24} {row['fps']:>9.1f} {speed:>7}{note}")
    for row in rows:
        if "stages_ms" in row:
            stages = ", ".join(f"{name} {ms:.1f}" for name, ms in row["stages_ms"].items())
            print(f"stages of {row['name']}, ms a frame, side by side: {stages}")
        if "beside_forward" in row:
            print(f"  {row['beside_forward']:.0%} of its time is not the forward pass")
