"""Several streams in one process against one: how much of one stream's rate they have together."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.benchmarks.clips import cut
from tools.benchmarks.figures import Figures, bar, cell, spread, take_turns
from tracker.cameras.config import Camera
from tracker.cameras.run import run_cameras
from tracker.detection.backends.network import thread_count
from tracker.predictor import Predictor
from tracker.settings.checks import check_whole

DEFAULT_VIDEO = Path(__file__).resolve().parents[3] / "demo" / "pedestrians.mp4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part."""
    parser.add_argument("--video", type=Path, default=DEFAULT_VIDEO, help="what every stream shows")
    parser.add_argument("--streams", type=int, default=4, help="how many at once (default: %(default)d)")
    parser.add_argument("--frames", type=int, default=100, help="of each stream (default: %(default)d)")
    parser.add_argument("--turns", type=int, default=5, help="runs of each side (default: %(default)d)")
    parser.add_argument("--model", default="compact", help="as for hub run (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="of the network (default: all cores)")
    parser.add_argument("--no_video", action="store_true", help="make no annotated videos")


def run(arguments: argparse.Namespace) -> Figures:
    """Measure one stream and several, in turns; print frames per second and their ratio.

    Raises:
        TrackingError: an argument is not accepted, or the video or the model cannot be read.
    """
    streams, frames = check_whole("streams", arguments.streams, 2), check_whole("frames", arguments.frames)
    turns = check_whole("turns", arguments.turns)
    predictor = Predictor(arguments.model, arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "stream.mp4"
        frames = cut(arguments.video, frames, clip)
        visualization = not arguments.no_video
        cameras = [Camera(f"stream {number}", clip) for number in range(1, streams + 1)]
        spent: dict[str, list[float]] = {"one": [], "several": []}

        def timed(label: str, track: Callable[[], object]) -> None:
            before = time.process_time()
            track()
            spent[label].append(time.process_time() - before)

        def track_one() -> object:
            return predictor.mot_predict(clip, folder / "one", visualization, progress=False)

        def track_several() -> object:
            return run_cameras(predictor, cameras, output_dir=folder / "several", visualization=visualization)

        one, several = take_turns(
            [lambda: timed("one", track_one), lambda: timed("several", track_several)], turns, warm_up=1
        )
    labels = ("one stream", f"{streams} streams together")
    rates = dict(zip(labels, (frames / one, streams * frames / several)))
    used = dict(
        zip(
            labels,
            (1000 * np.array(spent["one"][1:]) / frames, 1000 * np.array(spent["several"][1:]) / frames / streams),
        )
    )
    rows = [
        {"streams": label, **spread(rate), "processor_ms": float(np.median(used[label]))}
        for label, rate in rates.items()
    ]
    ratio = spread(rates[labels[1]] / rates[labels[0]])
    print(f"{frames} frames a stream, {thread_count(arguments.threads)} threads of the network")
    for row in rows:
        print(f"{row['streams']:<22} {cell(row)} frames/s, {row['processor_ms']:.1f} ms of the processor a frame")
    print(f"{'together to one':<22} {cell(ratio, 2)}")
    bars = [bar(row["streams"], row) for row in rows]
    return Figures(rows, bars, "frames/s", {"frames": frames, "ratio": ratio})
