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
from tracker.association.base import make_tracker
from tracker.detection.detector import Model
from tracker.models.locate import find_model
from tracker.pipeline.sequence import OutputOptions, SequenceRun
from tracker.pipeline.track import track_source
from tracker.settings.checks import check_whole
from tracker.settings.tracking import ASSOCIATIONS, TrackerConfig
from tracker.sources.source import Source, open_source
from tracker.structures import Frame

FRAMES, PIPELINE_FRAMES = 100_000, 10_000  # by default
SETTLED = 1000  # frames after which memory should not grow any more


class Repeated(Source):
    """The frames of a video over and over, read from the file each time.

    Args:
        video: path of the file.
        frames: how many to give.
        reached: called with the number of frames given, before each next one.

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
    """Prints and keeps a row at frame 1,000 and at ten others.

    Args:
        frames: of the whole run.
    """

    def __init__(self, frames: int) -> None:
        self.rows: list[dict] = []
        self._step = max(frames // 10, 1)
        print(f"{'frame':>8} {'people so far':>14} {'resident MB':>12}")

    def reached(self, frame: int, people: Callable[[], int]) -> None:
        """Note the memory, if it is the time for it."""
        if frame == 0 or (frame % self._step and frame != SETTLED):
            return
        row = {"frame": frame, "people": people(), "resident_mb": resident_mb()}
        self.rows.append(row)
        print(f"{frame:>8} {row['people']:>14} {row['resident_mb']:>12.1f}", flush=True)


def resident_mb() -> float:
    """Memory that this process uses now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--association", choices=ASSOCIATIONS, default="fused")
    parser.add_argument("--people", type=int, default=12, help="at a time (default: %(default)s)")
    parser.add_argument("--frames", type=int, help=f"how many (default: {FRAMES}, with --pipeline {PIPELINE_FRAMES})")
    parser.add_argument(
        "--pipeline", type=Path, metavar="VIDEO", help="all of tracking, compact model, the video again and again"
    )
    parser.add_argument("--backend", default="auto", help="of the pipeline, see forward (default: %(default)s)")


def run(arguments: argparse.Namespace) -> Figures:
    """MB after so many frames.

    Raises:
        OptionError, SourceError, ModelError: of the arguments.
    """
    frames = arguments.frames if arguments.frames is not None else PIPELINE_FRAMES if arguments.pipeline else FRAMES
    check_whole("frames", frames)
    check_whole("people", arguments.people)
    if arguments.pipeline:
        rows = _pipeline(arguments.pipeline, frames, arguments.association, arguments.backend)
    else:
        rows = _association(frames, arguments.people, arguments.association)
    bars = [Bar(f"frame {row['frame']}", *[row["resident_mb"]] * 3) for row in rows]
    return Figures(rows, bars, "MB resident")


def _association(frames: int, people: int, association: str) -> list[dict]:
    """People come and go all the time."""
    tracker = make_tracker(TrackerConfig(association=association, conf_thres=0.65), FRAME_RATE)
    table = _Table(frames)
    frame = 0
    for part in itertools.count():
        # every part shows other people at other places
        for detections in walkers(people, min(500, frames - frame), 128, seed=part):
            tracker.update(detections)
            frame += 1
            table.reached(frame, lambda: tracker.people)
        if frame >= frames:
            return table.rows


def _pipeline(video: Path, frames: int, association: str, backend: str) -> list[dict]:
    """The video is decoded, tracked, drawn and encoded; a few frames of those counted are still under way."""
    backend, _, precision = backend.partition(":")
    model = Model(find_model("compact"), backend=backend, precision=precision or "auto")
    config = TrackerConfig(association=association, conf_thres=model.config.thresholds.high_conf_thres)
    with tempfile.TemporaryDirectory() as folder:
        # the source needs the table and the table the run, which needs the source's frame rate
        source = Repeated(video, frames, lambda frame: table.reached(frame, lambda: run.result().people))
        run = SequenceRun(source.name, source.frame_rate, model, model.detector(), config, OutputOptions(Path(folder)))
        table = _Table(frames)
        track_source(source, run, progress=False)
    return table.rows
