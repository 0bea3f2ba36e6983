"""A batch of short clips, shared out to jobs in one way and another."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from functools import partial
from pathlib import Path

from tools.benchmarks.clips import cut
from tools.benchmarks.figures import Figures, bar, cell, spread, take_turns
from tracker.detection.backends.network import default_threads
from tracker.errors import ModelError
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
        metavar="JOBSxTHREADS",
        help="the contestants: jobs at once, and threads of each (default: %(default)s)",
    )
    parser.add_argument("--turns", type=int, default=3, help="batches of each that count (default: %(default)s)")
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
    model = str(find_model(arguments.model))
    contestants = [tuple(map(int, words.split("x"))) for words in arguments.jobs]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clips").mkdir()
        first = folder / "clips" / "clip1.mp4"
        frames = cut(arguments.video, arguments.frames, first) * arguments.clips
        for number in range(2, arguments.clips + 1):
            shutil.copy(first, folder / "clips" / f"clip{number}.mp4")
        runs = [partial(_batch, folder, model, *shares, not arguments.without_video) for shares in contestants]
        rates = frames / take_turns(runs, arguments.turns, warm_up=1)
    rows = []
    print(f"{arguments.clips} clips, {frames} frames\n{'jobs x threads':>14} {'frames/s (p10-p90)':>22} {'rate':>6}")
    for (jobs, threads), values in zip(contestants, rates):
        ratio = spread(values / rates[0])["median"]
        rows.append({"jobs": jobs, "threads": threads, "frames_per_second": spread(values), "ratio": ratio})
        print(f"{f'{jobs} x {threads}':>14} {cell(rows[-1]['frames_per_second']):>22} {ratio:6.2f}")
    bars = [bar(f"{row['jobs']} x {row['threads']}", row["frames_per_second"]) for row in rows]
    return Figures(rows, bars, "frames/s", {"clips": arguments.clips, "frames": frames})


def _batch(folder: Path, model: str, jobs: int, threads: int, video: bool) -> None:
    options = {"jobs": jobs, "threads": threads, "visualization": video, "progress": False}
    result = track_batch(folder / "clips", folder / "out", model=model, **options)
    if result.failed:
        raise ModelError(f"{result.failed[0].name} was not tracked: {result.failed[0].error}")
