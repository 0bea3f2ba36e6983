"""A batch from end to end: what is left to do is shared out, and every video gets a row."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ...detection.backends.network import default_threads
from ...errors import OptionError, SourceError
from ...models.locate import find_model
from ...pipeline.interrupts import StopRequest
from ...predictor import Predictor
from ...settings.checks import check_flag, check_whole
from ...settings.groups.delivery import DeliveryOptions
from ...settings.tracking import TRACKER_FILE
from ...sinks.records.run_file import folder_digest
from ..cluster.on_ray import import_ray, track_on_ray
from ..parts.cuts import read_length
from ..parts.run import check_options as check_parts
from ..parts.run import track_in_parts
from ..places import Place, open_place
from .children import track_in_children
from .clips import Clip, find_clips
from .lock import working_folder
from .records import FILES, Row, digest, earlier_row, identity_of, plain_options
from .result import BatchResult, RowsFile
from .work import Task

logger = logging.getLogger(__name__)

UNFIT = {"sinks": "give them to mot_predict, video by video", "from_device": "a camera has no end"}
Runner = Callable[..., Iterator[Row]]  # tracks tasks, with `model` and `stopping` as `track_in_children`


def track_batch(
    sources: str | os.PathLike | Iterable[str | os.PathLike],
    output_dir: str | os.PathLike = "mot_result",
    *,
    list_file: str | os.PathLike | None = None,
    jobs: int | None = None,
    resume: bool = False,
    ray: str | None = None,
    parts: float | str | None = None,
    model: str = "auto",
    threads: int | None = None,
    backend: str = "auto",
    precision: str = "auto",
    input_size: str | Sequence[int] = "auto",
    device: str = "auto",
    progress: bool | None = None,
    **options: Any,
) -> BatchResult:
    """Track many videos, each with the files that ``mot_predict`` makes. One that fails does not stop the others.

    A video is tracked in ``OUTPUT_DIR/.batch``, and its files come to their place when it is finished, so that what is
    there is whole. ``OUTPUT_DIR/batch.jsonl`` has a line a video.

    Args:
        sources: videos, folders of videos, folders of images, globs, addresses.
        output_dir: folder of the results of all. Videos of one name get that of their folders too: ``a_street``.
        list_file: text file with further sources, one a line; ``-`` for standard input.
        jobs: videos tracked at once, in processes of their own, which share the cores out; None for as many as there
            are cores (one with ``use_gpu``).
        ray: run on Ray: the address of a cluster, ``auto``, or ``local``; None for processes of this machine. Jobs are
            then workers, by default as many as there is room for, with one thread each.
        parts: length of the parts that longer videos are tracked in, at once, seconds or as ``10m``; None to track
            every video in one piece. Parts get no annotated video.
        resume: leave out what an earlier batch has done with the same options, model and input.
        model: as for `Predictor`.
        threads: processor threads of the network of each job; None for an equal share of the cores.
        backend: as for `Predictor`.
        precision: likewise.
        input_size: likewise.
        device: likewise.
        progress: whether to show a bar of videos; None for when stderr is a terminal.
        options: as for ``Predictor.mot_predict``, but for ``sinks`` and ``from_device``.

    Returns:
        A row a video.

    Raises:
        OptionError: an option is unknown or out of range.
        SourceError: there is no video.
        ModelError: the model cannot be found.
        OutputError: nothing can be written into output_dir.
        KeyboardInterrupt: Ctrl-C; the videos under way were ended in order, its ``result`` has the rows.
        SystemExit: 143 after SIGTERM, 129 after SIGHUP, likewise.
    """
    for name, advice in UNFIT.items():
        if options.pop(name, None):
            raise OptionError(f"a batch takes no {name}: {advice}")
    if options.get("events") == "-":
        raise OptionError("a batch has several processes, which share no standard output: give events a file")
    if jobs is not None:
        check_whole("jobs", jobs)
    check_flag("resume", resume)
    place = open_place(output_dir)
    chosen: dict[str, Any] = {"model": model, "threads": threads, "backend": backend, "precision": precision}
    chosen |= {"input_size": input_size, "device": device}
    told = plain_options({**chosen, **options})
    chosen, told = ({name: told.pop(name) for name in chosen}, told)
    _check_options(chosen, told)
    length = None if parts is None else read_length(parts)
    shared = None if length is None else check_parts(place, told)
    clips = find_clips(sources, list_file, place.root)
    path = find_model(model, progress)
    asked = {**_asked({**chosen, **told}, path), **({} if length is None else {"parts": length})}
    chosen["model"] = str(path)
    tasks = [Task(Row(clip.name, clip.shown), clip.source, place.root, told, asked) for clip in clips]
    run: Runner
    on_gpu = bool(told.get("use_gpu")) or device not in ("auto", "cpu")
    with working_folder(place) as locks:
        if ray is None:
            jobs = jobs or (1 if on_gpu else default_threads())
            jobs = jobs if length else min(jobs, len(tasks))
            cores = max(default_threads() // jobs, 1)
            chosen["threads"] = threads or cores
            run = partial(track_in_children, jobs=jobs, cores=cores, held=locks)
        else:
            import_ray()
            tasks = [task.anywhere() for task in tasks]
            run = partial(track_on_ray, address=ray, jobs=jobs, threads=threads or 1, gpus=int(on_gpu))
        if shared is not None and length is not None:
            run = partial(track_in_parts, length=length, place=shared, resume=resume, run=run)
        return _run(clips, tasks, chosen, place, resume, run, progress)


def _check_options(model: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Check all options once, rather than let every video fail."""
    try:
        # all of them are checked before the source, and this is none
        Predictor(**model).mot_predict("", progress=False, **options)
    except SourceError:
        return
    except TypeError as error:
        raise OptionError(f"{error}") from error


def _asked(options: Mapping[str, Any], model: Path) -> dict[str, Any]:
    """Return what decides on the results, but for the input: options, and the contents of the files that they name.

    Who is told of events does not, and addresses may hold passwords.
    """
    parameters = inspect.signature(Predictor.mot_predict).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty and one.name not in UNFIT}
    told = {field.name for field in dataclasses.fields(DeliveryOptions)}
    given = {name: value for name, value in {**defaults, **options}.items() if value is not None and name not in told}
    files = {name: digest(given[name]) for name in FILES if isinstance(given.get(name), str)}
    return {**given, "model": folder_digest(model), "files": {**files, "defaults": digest(TRACKER_FILE)}}


def _run(
    clips: Sequence[Clip],
    tasks: Sequence[Task],
    model: Mapping[str, Any],
    place: Place,
    resume: bool,
    run: Runner,
    progress: bool | None,
) -> BatchResult:
    started = time.monotonic()
    rows = {task.row.name: task.row for task in tasks}
    with StopRequest() as stop:
        file = RowsFile(place)
        bar = _bar(len(tasks), progress)
        with bar:

            def note(row: Row) -> None:
                rows[row.name] = row
                file.add(row)
                bar.update()
                if bar.disable and row.state != "left":
                    logger.info("%s", _told(row, bar.n, len(rows)))

            remaining = []
            for clip, task in zip(clips, tasks):
                done = _known(clip, task, place, resume)
                if done:
                    note(done)
                else:
                    remaining.append(task)
            for row in run(remaining, model=model, stopping=lambda: stop.received is not None) if remaining else ():
                note(row)
        result = BatchResult([rows[task.row.name] for task in tasks], time.monotonic() - started, file.path)
        file.finish(result.rows)
        stop.result = result
    return result


def _known(clip: Clip, task: Task, place: Place, resume: bool) -> Row | None:
    """Return the row of a video for which nothing is left to do."""
    row = task.row
    if clip.error:
        return Row(row.name, row.source, "failed", error=clip.error)
    if not resume:
        return None
    try:
        return earlier_row(row, place, task.asked, identity_of(clip.source))
    except SourceError as error:
        return Row(row.name, row.source, "failed", error=str(error))


def _bar(total: int, progress: bool | None) -> tqdm:
    if progress is None:
        progress = sys.stderr is not None and sys.stderr.isatty()
    return tqdm(total=total, desc="batch", unit=" videos", disable=not progress, dynamic_ncols=True)


def _told(row: Row, done: int, total: int) -> str:
    if row.state == "failed":
        return f"{row.name} failed: {row.error}"
    return f"{row.name}: {row.frames} frames, {row.people} people, {row.state}"
