"""A source tracked from end to end, stages overlapped; the one place where errors and interrupts end it in order."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from ..detection.letterbox import LetterboxedImage
from ..sources import Source
from ..structures import Frame, Tracks
from .interrupts import StopRequest
from .result import TrackingResult
from .sequence import SequenceRun
from .stages import Stages

PREFETCH = 4  # decoded frames of a file that may wait; those of a live source would only be older

# a frame whose forward pass is under way, and what waits for its maps
Started = tuple[Frame, LetterboxedImage, Callable[[], list[np.ndarray]]]

logger = logging.getLogger(__name__)


def track_source(source: Source, run: SequenceRun, progress: bool | None = None) -> TrackingResult:
    """Track a source to its end, or to Ctrl-C or SIGTERM.

    Reading, letterboxing, the forward passes and tracking have a thread each; this one draws and encodes. Of a live
    source that is faster than these, the oldest waiting frame is dropped.

    Args:
        source: is closed afterwards.
        run: not begun yet; is closed afterwards.
        progress: show a bar on stderr; None for when that is a terminal.

    Raises:
        TrackingError: as the source, the model or the outputs do. The files hold all frames before it.
        KeyboardInterrupt: Ctrl-C; the files are complete to the last finished frame.
        SystemExit: 143 after SIGTERM, likewise.
    """
    # StopRequest is the outermost: it speaks up when everything below it is closed
    with StopRequest() as stop, _bar(source, run, progress) as bar, source:
        with Stages() as stages, run:
            size, merge = (1, _drop) if source.live else (PREFETCH, None)
            frames = stages.prefetch(_read(source, run), size, merge)
            letterboxed = stages.prefetch(_place(frames, run), halted=lambda: stop.received is not None)
            started = stages.prefetch(_start(letterboxed, run), run.detector.max_in_flight)
            try:
                for frame, tracks in stages.prefetch(_track(started, run, source)):
                    run.show(frame, tracks)
                    bar.update()
            finally:
                stages.stop()  # nobody tracks any more when the files are closed
        if source.skipped:
            logger.warning("%d corrupt frames of %s were skipped", source.skipped, source.name)
        if frames.dropped:
            logger.warning("%d frames of %s were dropped, for they came too fast", frames.dropped, source.name)
        result = run.result(source.skipped, frames.dropped)
        if stop.received:
            logger.info("stopped on request\n%s", result)  # the way a camera's run ends: nobody gets it returned
        return result


def _bar(source: Source, run: SequenceRun, progress: bool | None) -> tqdm:
    if progress is None:
        progress = sys.stderr.isatty()
    title = f"{source.name} ({run.backend})"
    total = None if source.frame_count is None else -(-source.frame_count // run.skip_frames)
    return tqdm(total=total, desc=title, unit=" frames", disable=not progress, dynamic_ncols=True)


def _read(source: Source, run: SequenceRun) -> Generator[Frame, None, None]:
    frames = iter(source)
    skipped = None
    while True:
        with run.times.stage("read"):
            frame = next(frames, None)
        if frame is None:
            return
        if skipped is not None:
            frame = _drop(skipped, frame)
        skipped = frame if frame.index % run.skip_frames else None
        if skipped is None:
            yield frame


def _drop(frame: Frame, following: Frame) -> Frame:
    """The later of two frames, with the sound of both."""
    return replace(following, audio=frame.audio + following.audio)


def _place(frames: Iterable[Frame], run: SequenceRun) -> Generator[tuple[Frame, LetterboxedImage], None, None]:
    for frame in frames:
        with run.times.stage("letterbox"):
            letterboxed = run.detector.preprocess(frame.image)
        yield frame, letterboxed


def _start(items: Iterable[tuple[Frame, LetterboxedImage]], run: SequenceRun) -> Generator[Started, None, None]:
    for frame, letterboxed in items:
        with run.times.stage("network"):
            wait = run.detector.start(letterboxed)
        yield frame, letterboxed, wait


def _track(items: Iterable[Started], run: SequenceRun, source: Source) -> Generator[tuple[Frame, Tracks], None, None]:
    for frame, letterboxed, wait in items:
        with run.times.stage("network"):
            outputs = wait()
        yield frame, run.track(frame, outputs, letterboxed, source)
