"""Resident memory over a long run: of the association alone, or of everything from video to video."""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tools.benchmarks.figures import Bar, Figures
from tools.benchmarks.tracker import FRAME_RATE, walkers
from tools.cli import print_line, progress
from tracker.association.base import SequenceTracker, make_tracker
from tracker.detection.detector import Model
from tracker.models.locate import find_model
from tracker.pipeline.outputs import OutputOptions
from tracker.pipeline.sequence import SequenceRun
from tracker.pipeline.timing import StageTimes
from tracker.pipeline.track import track_source
from tracker.settings.checks import check_whole
from tracker.settings.runtime import RuntimeOptions
from tracker.settings.tracking import ASSOCIATIONS, TrackerConfig
from tracker.sources import Source, open_source
from tracker.structures import Frame, SequenceInfo

DEFAULT_FRAMES, DEFAULT_PIPELINE_FRAMES = 100_000, 10_000
SCENE = 500  # frames until other people walk at other places
SETTLED = 1000  # frames after which memory should not grow any more


class Repeated(Source):
    """The frames of a video over and over, read from the file each time.

    Args:
        video: path of the file.
        frames: number of frames to yield.
        reached: called before each frame, and at the end, with the number of frames yielded so far.

    Raises:
        SourceError: the video cannot be read.
    """

    def __init__(self, video: Path, frames: int, reached: Callable[[int], None]) -> None:
        self._video, self._reached = video, reached
        with open_source(video) as source:
            super().__init__(repr(str(video)), source.name, source.frame_rate, frames)

    def _read(self) -> Iterator[Frame]:
        index = 0
        while index < self.frame_count:
            with open_source(self._video) as source:
                for frame in itertools.islice(source, self.frame_count - index):
                    self._reached(index)
                    yield replace(frame, index=index, time=index / self.frame_rate)
                    index += 1
        self._reached(index)


class _Table:
    """A table of the memory used, with a row at frame 1,000 and at ten frames evenly spread over the run.

    Args:
        frames: number of frames in the whole run.
    """

    def __init__(self, frames: int) -> None:
        self.rows: list[dict] = []
        self._step = max(frames // 10, 1)
        print_line(f"{'frame':>8} {'people so far':>14} {'resident MB':>12}")

    def reached(self, frame: int, people: Callable[[], int]) -> None:
        """Print and keep a row if one is due.

        Args:
            frame: number of frames done.
            people: returns the number of identities so far.
        """
        if frame == 0 or (frame % self._step and frame != SETTLED):
            return
        row = {"frame": frame, "people": people(), "resident_mb": resident_mb()}
        self.rows.append(row)
        print_line(f"{frame:>8} {row['people']:>14} {row['resident_mb']:>12.1f}")


def resident_mb() -> float:
    """Return the resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--association", choices=ASSOCIATIONS, default="fused")
    parser.add_argument("--people", type=int, default=12, help="at a time (default: %(default)s)")
    parser.add_argument(
        "--frames", type=int, help=f"how many (default: {DEFAULT_FRAMES}, with --pipeline {DEFAULT_PIPELINE_FRAMES})"
    )
    parser.add_argument(
        "--pipeline", type=Path, metavar="VIDEO", help="all of tracking, compact model, the video again and again"
    )
    parser.add_argument("--backend", default="auto", help="of the pipeline, see forward (default: %(default)s)")


def run(arguments: argparse.Namespace) -> Figures:
    """Measure the resident memory in the course of a long run.

    Raises:
        OptionError: an argument is out of its range.
        SourceError: the video cannot be read.
        ModelError: the model cannot be run.
    """
    frames = arguments.frames
    if frames is None:
        frames = DEFAULT_PIPELINE_FRAMES if arguments.pipeline else DEFAULT_FRAMES
    check_whole("frames", frames)
    check_whole("people", arguments.people)
    if arguments.pipeline:
        rows = _pipeline(arguments.pipeline, frames, arguments.association, arguments.backend)
    else:
        rows = _association(frames, arguments.people, arguments.association)
    bars = [Bar(f"frame {row['frame']}", *[row["resident_mb"]] * 3) for row in rows]
    return Figures(rows, bars, "MB resident")


def _association(frames: int, people: int, association: str) -> list[dict]:
    """Track generated detections of people who are replaced by others every 500 frames."""
    tracker = make_tracker(TrackerConfig(association=association, conf_thres=0.65), FRAME_RATE)
    table = _Table(frames)
    scenes = (walkers(people, min(SCENE, frames - first), 128, seed=first) for first in range(0, frames, SCENE))
    stream = itertools.chain.from_iterable(scenes)
    for frame, detections in enumerate(progress(stream, "tracking", "frames", frames), start=1):
        tracker.update(detections)
        table.reached(frame, lambda: tracker.num_identities)
    return table.rows


def _pipeline(video: Path, frames: int, association: str, backend: str) -> list[dict]:
    """Track a video with the compact model, from decoding to encoding.

    The frames that a row counts have been read; a few of them are still in the stages of the pipeline.
    """
    backend, _, precision = backend.partition(":")
    model = Model(find_model("compact"), RuntimeOptions(backend, precision or "auto"))
    config = TrackerConfig(association=association, conf_thres=model.config.thresholds.high_conf_thres)
    with tempfile.TemporaryDirectory() as folder:
        # the source needs the table, the table the run, and the run the frame rate of the source
        source = Repeated(video, frames, lambda frame: table.reached(frame, lambda: run.result().people))
        info, times, outputs = SequenceInfo(source.name, source.frame_rate), StageTimes(), OutputOptions(Path(folder))
        run = SequenceRun(
            info,
            model.detector(),
            SequenceTracker(config, info.frame_rate),
            outputs.recorders(config.refine),
            outputs.renderers(times),
            times,
            outputs.claim(),
        )
        table = _Table(frames)
        track_source(source, run)
    return table.rows
