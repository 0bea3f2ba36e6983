"""Measure who is known again after an absence, from stored detections of sequences with ground truth.

    python tools/eval_model.py --model compact --sequences TUD-Campus --save_detections DET
    python tools/identities/eval_remember.py --sequence DET/TUD-Campus.npz TUD-Campus/gt/gt.txt 25 640x480 --choose
    python tools/identities/eval_remember.py --benchmark

Every sequence is tracked as it is, and cut in two by holes: at a quarter, half and three quarters everybody is away for
so many seconds. `absences` counts how often somebody was away for longer than the association remembers and was tracked
again; `right` and `wrong` are those who got a number of their own or another's. IDF1 has numbers that count over the
absence; `off` is without remembering, `same look` with one vector for everybody, which must join nobody.

--choose tries several thresholds, and takes for each sequence the best on the others: most right with at most one
wrong in 100 people. --benchmark times a search in a full gallery.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the script runs from any folder

import numpy as np

from tools.cli import progress, run_tool
from tools.identities.absences import Made, Recorded
from tools.identities.remembering import Associated, Remembered, measure
from tracker.appearance.gallery import MOST_PEOPLE, Gallery
from tracker.appearance.recogniser import FALSE_RATE, MARGIN, Recogniser
from tracker.appearance.views import MOST
from tracker.errors import OptionError
from tracker.evaluation.stored_detections import without_appearance
from tracker.models.locate import find_model
from tracker.settings.model import ModelConfig
from tracker.settings.tracking import TRACKER_FILE, TrackerConfig

RATES, MARGINS = (0.002, 0.001, 0.0005, 0.0003), (0.3, 0.6)
ALLOWED = 0.01  # wrong joins for a person
SEARCHES = 20

Settings = tuple[float, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the tool's arguments."""
    parser.add_argument(
        "--sequence",
        nargs=4,
        action="append",
        default=[],
        metavar=("DETECTIONS", "GT", "RATE", "WxH"),
        help="a recording: .npz of its detections, its ground truth, frames per second, size of the picture",
    )
    parser.add_argument("--holes", type=float, nargs="*", default=[5, 30, 120], help="seconds (default: 5 30 120)")
    parser.add_argument("--remember", type=float, default=300.0, help="seconds (default: %(default)g)")
    parser.add_argument("--model", default="compact", help="whose thresholds the association has (default: compact)")
    parser.add_argument("--choose", action="store_true", help="choose threshold and margin, leaving one sequence out")
    parser.add_argument("--benchmark", action="store_true", help="time a search in a full gallery")


def read(words: Sequence[str]) -> Recorded:
    """Read a recording that the command line names.

    Raises:
        OptionError: rate or size is no number.
        SourceError: a file is missing or damaged.
    """
    detections, gt, rate, size = words
    try:
        width, height = (int(side) for side in size.split("x"))
        frame_rate = float(rate)
    except ValueError:
        raise OptionError(f"--sequence needs a rate and a size such as 25 640x480, not {rate} {size}") from None
    return Recorded.read(Path(detections), Path(gt), frame_rate, (width, height))


def total(parts: Sequence[Remembered]) -> Remembered:
    """Add counts up; IDF1 is the mean."""
    sums = {
        name: sum(getattr(part, name) for part in parts) for name in ("people", "absences", "right", "wrong", "unknown")
    }
    means = {name: float(np.mean([getattr(part, name) for part in parts])) for name in ("idf1", "idf1_off")}
    return Remembered(**sums, **means)


def row(name: str, hole: str, found: Remembered, same_look: str) -> str:
    """Lay out a row of the table."""
    counts = f"{found.people:>7}{found.absences:>9}{found.right:>6}{found.wrong:>6}{found.unknown:>8}"
    shares = f"{found.recall:>8.2f}{found.precision:>10.2f}{100 * found.wrong / found.people:>10.2f}"
    return f"{name:16}{hole:>6}{counts}{shares}{found.idf1:>8.3f}{found.idf1_off:>8.3f}{same_look:>11}"


HEADER = (
    f"{'sequence':16}{'hole':>6}{'people':>7}{'absences':>9}{'right':>6}{'wrong':>6}{'unknown':>8}{'recall':>8}"
    f"{'precision':>10}{'wrong/100':>10}{'IDF1':>8}{'off':>8}{'same look':>11}"
)


def run(arguments: argparse.Namespace) -> None:
    """Print the table, and what else was asked for."""
    if arguments.benchmark:
        benchmark()
    recordings = [read(words) for words in arguments.sequence]
    if not recordings:
        if not arguments.benchmark:
            raise OptionError("nothing to measure: give --sequence or --benchmark")
        return
    stated = ModelConfig.load(find_model(arguments.model)).thresholds.tracker_settings
    config = TrackerConfig.load(TRACKER_FILE).override(stated)
    sequences = [made for one in recordings for made in [one.whole(), *one.with_holes(arguments.holes)]]
    associated = [Associated.of(made, config) for made in progress(sequences, "tracking", "sequences")]
    print(HEADER)
    everything = []
    for name in dict.fromkeys(made.name for made in sequences):
        for hole in dict.fromkeys(made.hole for made in sequences):
            here = [one for one in associated if (one.made.name, one.made.hole) == (name, hole)]
            found = [measure(one, Recogniser(arguments.remember, one.memory)) for one in here]
            alike = [same_look(one.made, config, arguments.remember) for one in here]
            everything += found
            joins = sum(one.right + one.wrong + one.unknown for one in alike)
            print(row(name, f"{hole:g}s" if hole else "none", total(found), f"{joins} joins"), flush=True)
    print(row("all", "", total(everything), ""))
    if arguments.choose:
        choose(associated, arguments.remember)


def same_look(made: Made, config: TrackerConfig, remember: float) -> Remembered:
    """Measure a sequence in which everybody looks the same."""
    frames = {number: without_appearance(found) for number, found in made.frames.items()}
    alike = Associated.of(replace(made, frames=frames), config)
    return measure(alike, Recogniser(remember, alike.memory), score=False)


def choose(associated: Sequence[Associated], remember: float) -> None:
    """Choose threshold and margin on all sequences but one, and print what they do on that one."""
    grid: dict[Settings, dict[str, Remembered]] = {}
    for rate in RATES:
        for margin in MARGINS:
            parts: dict[str, list[Remembered]] = {}
            for one in associated:
                found = measure(one, Recogniser(remember, one.memory, rate, margin), score=False)
                parts.setdefault(one.made.name, []).append(found)
            grid[rate, margin] = {name: total(found) for name, found in parts.items()}
    print(f"\nchosen on the other sequences (the default is {FALSE_RATE:g}, {MARGIN:g}):")
    for name in next(iter(grid.values())):
        chosen = best({key: [found for other, found in by.items() if other != name] for key, by in grid.items()})
        print(row(name, "", grid[chosen][name], "") + f"   rate {chosen[0]:g}, margin {chosen[1]:g}")


def best(grid: dict[Settings, list[Remembered]]) -> Settings:
    """Return the settings with most joins that are right, among those with few that are wrong."""

    def merit(key: Settings) -> tuple[bool, float]:
        sums = total(grid[key])
        few = sums.wrong <= ALLOWED * sums.people
        return few, sums.right if few else -sums.wrong

    return max(grid, key=merit)


def benchmark() -> None:
    """Print how large a full gallery is and how long a search takes."""
    rng = np.random.default_rng(0)
    for dimension in (128, 256, 512):
        gallery = Gallery(dimension)
        for number in range(MOST_PEOPLE):
            views = rng.normal(size=(MOST, dimension)).astype(np.float32)
            gallery.add(number + 1, views / np.linalg.norm(views, axis=1, keepdims=True), float(number))
        times = []
        for _ in range(SEARCHES):
            begun = time.perf_counter()
            gallery.search(views[:5])
            times.append(1000 * (time.perf_counter() - begun))
        print(
            f"gallery of {len(gallery)} people with {MOST} vectors of {dimension}: {gallery.nbytes / 1e6:.1f} MB, a "
            f"search {np.median(times):.1f} ms (slowest {max(times):.1f})"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; see `run_tool`."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
