"""A source tracked from end to end with overlapping stages, which errors and interrupts end in order."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from tqdm import tqdm

from ..errors import printable
from ..sources import Source
from ..structures import Frame, Tracks
from .interrupts import StopRequest
from .result import TrackingResult
from .sequence import SequenceRun
from .stages import Stages

PREFETCH = 4  # decoded frames of a file that may wait; those of a live source would only get old

# a frame, its network input, and the function that waits for its forward pass
Started = tuple[Frame, Any, Callable[[], Any]]

logger = logging.getLogger(__name__)


def track_source(source: Source, run: SequenceRun, progress: bool | None = None) -> TrackingResult:
    """Track a source to its end, or to Ctrl-C, SIGTERM or SIGHUP.

    Reading, letterboxing, the forward passes and tracking have a thread each; this one draws and encodes. Of a live
    source that is faster than these, the oldest waiting frame is dropped.

    Args:
        source: where the frames come from; closed at the end.
        run: the run of this sequence, which has had no frame yet; closed at the end.
        progress: whether to show a bar on stderr; None for when that is a terminal.

    Returns:
        The result, with all files.

    Raises:
        TrackingError: the source, the model or an output failed. The files hold all frames before it.
        KeyboardInterrupt: Ctrl-C; the files are complete to the last finished frame, and its ``result`` is the result.
        SystemExit: 143 after SIGTERM, 129 after SIGHUP, likewise.
    """
    # StopRequest is the outermost: it raises its exception once everything below it is closed
    with StopRequest() as stop, _bar(source, run, progress) as bar, source:
        with Stages() as stages, run:
            size, merge = (1, partial(_drop_waiting, run)) if source.live else (PREFETCH, None)
            frames = stages.prefetch(_read(source, run), size, merge)
            preprocessed = stages.prefetch(
                _preprocess(frames, run), halted=lambda: stop.received is not None or run.is_stopped
            )
            started = stages.prefetch(_start(preprocessed, run), run.detector.max_in_flight)
            try:
                for frame, tracks in stages.prefetch(_track(started, run)):
                    with _measured(run, "render"):
                        run.render(frame, tracks)
                    bar.update()
            finally:
                source.halt()
                stages.stop()  # no thread tracks any more when the files are closed
        name = printable(source.name)
        if source.skipped:
            logger.warning("%d corrupt frames of %s were skipped", source.skipped, name)
        dropped = run.keeping_up.all_dropped
        if dropped:
            logger.warning("%d frames of %s were dropped, for they came too fast", dropped, name)
        result = run.result(source.skipped, dropped)
        if stop.received:
            # an interrupt is how the run of a camera ends, and then no result is returned
            logger.info("stopped on request\n%s", result)
            stop.result = result
        return result


def _bar(source: Source, run: SequenceRun, progress: bool | None) -> tqdm:
    if progress is None:
        progress = sys.stderr is not None and sys.stderr.isatty()
    title = f"{source.name} ({run.detector.backend})"
    total = None if source.frame_count is None else -(-source.frame_count // run.info.skip_frames)
    return tqdm(total=total, desc=title, unit=" frames", disable=not progress, dynamic_ncols=True)


def _read(source: Source, run: SequenceRun) -> Generator[Frame, None, None]:
    frames = iter(source)
    skipped, known = None, False
    while True:
        with run.times.stage("read"):
            frame = next(frames, None)
        if frame is None:
            return
        if not known:
            known = True
            audio, aspect = source.audio_stream, source.pixel_aspect
            run.info = replace(run.info, start=source.start_time, audio=audio, pixel_aspect=aspect)
        if skipped is not None:
            frame = _drop(skipped, frame)
        skipped = None if _is_taken(frame, source, run) else frame
        if skipped is None:
            yield frame


def _is_taken(frame: Frame, source: Source, run: SequenceRun) -> bool:
    pace, number = run.keeping_up.pace, frame.index + 1 - source.first_frame
    return pace.takes(number) if pace else number % run.info.skip_frames == 0


def _drop(frame: Frame, following: Frame) -> Frame:
    """Return the later of two frames, with the sound of both."""
    return replace(following, audio=frame.audio + following.audio)


def _drop_waiting(run: SequenceRun, frame: Frame, following: Frame) -> Frame:
    run.keeping_up.dropped += 1
    return _drop(frame, following)


@contextmanager
def _measured(run: SequenceRun, stage: str) -> Iterator[None]:
    """Tell what keeps the pace how long a block takes."""
    started = time.perf_counter()
    yield
    run.keeping_up.spent(stage, time.perf_counter() - started)


def _preprocess(frames: Iterable[Frame], run: SequenceRun) -> Generator[tuple[Frame, Any], None, None]:
    for frame in frames:
        with run.times.stage("letterbox"), _measured(run, "letterbox"):
            preprocessed = run.preprocess(frame)
        yield frame, preprocessed


def _start(items: Iterable[tuple[Frame, Any]], run: SequenceRun) -> Generator[Started, None, None]:
    late = None
    for frame, preprocessed in items:
        if late is not None:
            frame = _drop(late, frame)
        late = frame if run.keeping_up.is_late(frame) else None
        if late is not None:
            continue
        with run.times.stage("network"), _measured(run, "start"):
            wait = run.detector.start(preprocessed)
        yield frame, preprocessed, wait


def _track(items: Iterable[Started], run: SequenceRun) -> Generator[tuple[Frame, Tracks], None, None]:
    for frame, preprocessed, wait in items:
        with _measured(run, "track"):
            with run.times.stage("network"):
                raw_outputs = wait()
            _, ready = run.track(frame, raw_outputs, preprocessed)
        yield from ready
    yield from run.rest()
