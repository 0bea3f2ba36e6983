"""The networks alone on one frame, beside each other and beside the limit of the processor."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.benchmarks.figures import PAUSE, Figures, bar, cell, spread, take_turns
from tools.benchmarks.machine import matrix_products
from tools.benchmarks.models import Models, count_macs
from tracker.detection.backends.choice import open_network
from tracker.detection.backends.network import thread_count
from tracker.detection.decode import Decoder
from tracker.detection.letterbox import Letterbox, LetterboxedImage
from tracker.errors import OptionError
from tracker.settings.checks import check_number, check_whole
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions
from training.teachers.network import TeacherNetwork
from training.teachers.reid import ReidNetwork


@dataclass(frozen=True)
class Pass:
    """A forward pass of networks over a frame.

    Attributes:
        name: of the networks, for tables.
        run: makes one pass.
        macs: multiply-accumulate operations of the detector, None where they are not known.
    """

    name: str
    run: Callable[[], object]
    macs: float | None = None


def one_network(folder: Path, name: str, backend: str, people: int, threads: int) -> Pass:
    """Prepare a forward pass of a model: its raw outputs, and the embeddings of people at random places.

    Args:
        folder: of the model.
        name: of the model.
        backend: name of the backend, with ``:`` and a precision where it is not the usual one.
        people: number of people to embed.
        threads: number of processor threads.
    """
    backend, _, precision = backend.partition(":")
    config = ModelConfig.load(folder)
    network = open_network(folder, config, RuntimeOptions(backend, precision or "auto", threads=threads))
    decoder = Decoder(config)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (config.letterbox.height, config.letterbox.width, 3), dtype=np.uint8)
    letterboxed = LetterboxedImage(*Letterbox(config.letterbox)(image), image)
    corner = random.uniform([0, 0], [letterboxed.transform.width - 40, letterboxed.transform.height - 100], (people, 2))
    boxes = np.concatenate([corner, corner + np.array([40, 100])], axis=1)

    def run() -> object:
        return decoder.embed_boxes(network.run(letterboxed.pixels), letterboxed, boxes, network.embed)

    return Pass(f"{name}, {network.description}", run, count_macs(folder / "model.pdmodel"))


def two_networks(detector: Path, reid: Path, people: int, threads: int) -> Pass:
    """Prepare a forward pass of a detector over a frame and of a ReID network over the crop of each person.

    Args:
        detector: .onnx or .xml file.
        reid: .onnx or .xml file.
        people: number of crops.
        threads: number of processor threads of each.
    """
    detect, embed = TeacherNetwork(detector, threads), ReidNetwork(reid, threads)
    random = np.random.default_rng(0)
    frame, crop = (random.uniform(0, 255, network.shape).astype(np.float32) for network in (detect, embed))

    def run() -> None:
        detect(frame)
        for _ in range(people):
            embed(crop)

    return Pass(f"{detector.stem} + {people} x {reid.stem}", run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--model", nargs="+", default=["compact"], help="inference folders, or compact or full")
    parser.add_argument(
        "--backend", nargs="+", default=["auto"], help="what runs them: paddle, openvino, or openvino:bf16"
    )
    parser.add_argument("--detector", type=Path, help="an .onnx or .xml file, to compare with")
    parser.add_argument(
        "--reid", type=Path, help="an .onnx or .xml file for crops of 256x128 pixels, run once a person"
    )
    parser.add_argument("--people", type=int, default=12, help="people a frame (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=30, help="passes that count (default: %(default)s)")
    parser.add_argument("--warm_up", type=int, default=3, help="first passes that do not count")
    parser.add_argument("--threads", type=int, default=thread_count(None), help="of each network (default: all cores)")
    parser.add_argument("--pause", type=float, default=PAUSE, help="seconds before each pass (default: %(default)s)")


def run(arguments: argparse.Namespace) -> Figures:
    """Time the networks on one frame; decoding, cropping and resizing are left out on both sides.

    Raises:
        OptionError: an argument is out of its range.
        ModelError: a model cannot be had or run.
    """
    if bool(arguments.detector) != bool(arguments.reid):
        raise OptionError("--detector and --reid belong together, give both")
    for name in ("people", "repeats", "threads"):
        check_whole(name, getattr(arguments, name))
    check_number("pause", arguments.pause, 0)
    with Models() as models:
        return _measure(arguments, models)


def _measure(arguments: argparse.Namespace, models: Models) -> Figures:
    threads, people = arguments.threads, arguments.people
    folders = [models.find(model) for model in arguments.model]
    passes = [one_network(*folder, backend, people, threads) for folder in folders for backend in arguments.backend]
    if arguments.detector:
        passes.append(two_networks(arguments.detector, arguments.reid, people, threads))
    products, operations = matrix_products(threads)
    runs = [*(contestant.run for contestant in passes), *products.values()]
    times = take_turns(runs, arguments.repeats, arguments.pause, arguments.warm_up)
    # the fastest turn on both sides, which other processes disturbed least
    rates = {name: operations / float(values.min()) / 1e9 for name, values in zip(products, times[len(passes) :])}
    library, limit = max(rates.items(), key=lambda rate: rate[1])
    rows: list[dict[str, Any]] = []
    for contestant, values in zip(passes, times):
        row = {"networks": contestant.name, "people": people, "threads": threads, "ms": spread(1e3 * values)}
        row["ratio"] = row["ms"]["median"] / (rows or [row])[0]["ms"]["median"]
        if contestant.macs:
            row["gmacs"] = contestant.macs / 1e9
            row["fastest_ms"] = 1e3 * float(values.min())
            # one multiplication and one addition each
            row["limit_share"] = 2 * row["gmacs"] / (row["fastest_ms"] / 1e3) / limit
        rows.append(row)
    width = max(len(row["networks"]) for row in rows)
    print(
        f"{'networks':{width}} {'ms (p10-p90)':>24} {'ratio':>7} {'GMAC':>7} {'of limit':>9}"
        f"    {people} people, {threads} threads"
    )
    for row in rows:
        work = f"{row['gmacs']:>7.1f} {row['limit_share']:>9.0%}" if "gmacs" in row else f"{'-':>7} {'-':>9}"
        print(f"{row['networks']:{width}} {cell(row['ms']):>24} {row['ratio']:>6.2f}x {work}")
    print(
        f"limit: {limit:.0f} GFLOP/s, a float32 matrix product in {library}, in turns with the rest, fastest of each"
        + "".join(f"; {name} {rate:.0f}" for name, rate in rates.items() if name != library)
    )
    about = {"limit": {"library": library, "gflops": limit, "all": rates}}
    return Figures(rows, [bar(row["networks"], row["ms"]) for row in rows], "ms a frame", about)
