"""A batch of short clips, shared out to jobs in one way and another, by processes of this machine or by Ray."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tools.benchmarks.clips import cut
from tools.benchmarks.figures import Figures, bar, cell, spread, take_turns
from tracker.detection.backends.network import default_threads
from tracker.errors import ModelError, OptionError
from tracker.library.batch.track import track_batch
from tracker.models.child import ROOT
from tracker.models.locate import find_model
from tracker.settings.checks import check_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    cores = default_threads()
    parser.add_argument("--video", type=Path, default=ROOT / "demo" / "pedestrians.mp4", help="to cut the clips from")
    parser.add_argument("--clips", type=int, default=20, help="number of clips (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=100, help="of each (default: %(default)s)")
    parser.add_argument("--model", default="compact", help="default: %(default)s")
    parser.add_argument(
        "--jobs",
        nargs="+",
        default=[f"1x{cores}", f"{cores}x1"],
        metavar="[ray:]JOBSxTHREADS",
        help="the contestants: jobs at once, and threads of each; with ray: on a Ray that is started for it "
        "(default: %(default)s)",
    )
    parser.add_argument("--turns", type=int, default=3, help="batches of each that count (default: %(default)s)")
    parser.add_argument("--warm_up", type=int, default=1, help="batches that do not count (default: %(default)s)")
    parser.add_argument("--without_video", action="store_true", help="make no annotated videos")


def run(arguments: argparse.Namespace) -> Figures:
    """Time the batches in turns, from the call to the last file, children started and models loaded.

    Raises:
        OptionError: an argument is out of its range.
        SourceError: the video cannot be read.
        ModelError: a clip was not tracked.
    """
    for name in ("clips", "frames", "turns"):
        check_whole(name, getattr(arguments, name))
    check_whole("warm_up", arguments.warm_up, 0)
    model = str(find_model(arguments.model))
    contestants = list(map(_read, arguments.jobs))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clips").mkdir()
        first = folder / "clips" / "clip1.mp4"
        frames = cut(arguments.video, arguments.frames, first) * arguments.clips
        for number in range(2, arguments.clips + 1):
            shutil.copy(first, folder / "clips" / f"clip{number}.mp4")
        used: list[list[float]] = [[] for _ in contestants]
        runs = [
            partial(_batch, folder, model, contestant, not arguments.without_video, seconds)
            for contestant, seconds in zip(contestants, used)
        ]
        rates = frames / take_turns(runs, arguments.turns, warm_up=arguments.warm_up)
    rows = []
    head = f"{'jobs x threads':>14} {'frames/s (p10-p90)':>22} {'rate':>6} {'CPU ms a frame':>15}"
    print(f"{arguments.clips} clips, {frames} frames\n{head}")
    for contestant, values, seconds in zip(contestants, rates, used):
        ratio = spread(values / rates[0])["median"]
        cost = 1000 * float(np.median(seconds[arguments.warm_up :])) / frames
        figures = {"frames_per_second": spread(values), "ratio": ratio, "cpu_ms": cost}
        rows.append({"jobs": contestant.jobs, "threads": contestant.threads, "ray": contestant.ray, **figures})
        told = "-" if contestant.ray else f"{cost:.1f}"
        print(f"{contestant.name:>14} {cell(figures['frames_per_second']):>22} {ratio:6.2f} {told:>15}")
    bars = [bar(contestant.name, row["frames_per_second"]) for contestant, row in zip(contestants, rows)]
    return Figures(rows, bars, "frames/s", {"clips": arguments.clips, "frames": frames})


@dataclass(frozen=True)
class Contestant:
    """A way to share a batch out."""

    jobs: int
    threads: int
    ray: bool

    @property
    def name(self) -> str:
        """Name for the table."""
        return f"{'ray: ' * self.ray}{self.jobs} x {self.threads}"


def _read(words: str) -> Contestant:
    found = re.fullmatch(r"(ray:)?(\d{1,4})x(\d{1,4})", words)
    if not found:
        raise OptionError(f"--jobs must be JOBSxTHREADS, such as 2x1 or ray:2x1, not {words!r}")
    return Contestant(check_whole("jobs", int(found[2])), check_whole("threads", int(found[3])), bool(found[1]))


def _batch(folder: Path, model: str, contestant: Contestant, video: bool, used: list[float]) -> None:
    """Track all clips, and note the processor time that this process and its children have taken."""
    before = _processor_seconds()
    options = {"visualization": video, "progress": False, "ray": "local" if contestant.ray else None}
    shares = {"jobs": contestant.jobs, "threads": contestant.threads}
    result = track_batch(folder / "clips", folder / "out", model=model, **shares, **options)
    if result.failed:
        raise ModelError(f"{result.failed[0].name} was not tracked: {result.failed[0].error}")
    used.append(_processor_seconds() - before)


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
