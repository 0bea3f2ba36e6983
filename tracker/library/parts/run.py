"""Long videos of a batch, cut into parts that any worker tracks, and joined when all are done."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import OptionError, OutputError, SourceError, TrackingError
from ...pipeline.analyse import analyse
from ...sinks.files import fitting_name, run_path, text_path, times_path
from ...sinks.mot_text import ID, read_table, write_table
from ...sinks.records.times import Clock, read_times, write_times
from ...sources.base import MAX_PIXELS
from ..batch.records import Row, earlier_row, finished_row, identity_of, publish
from ..batch.work import Task
from ..places import WORK, LocalPlace, Place, is_address
from .cuts import OVERLAP, Part, cut
from .join import join

logger = logging.getLogger(__name__)

_UNFIT = {
    "refine": "it needs all tracks of the video with their appearance",
    "private": "it keeps no tracks that could be joined",
    "anonymise": "no video is made in parts",
    "remember": "who comes back into another part is not known there",
    "save_embeddings": "each part has people of its own",
    "split": "each is a way of its own to cut a video",
}
PARTS = ".parts"  # folder, in that of unfinished results; no video is called so
_OF_ANSWERS = ("scene", "start", "interval", "language", "people_count", "heat_interval")


def check_options(place: Place, options: Mapping[str, Any]) -> LocalPlace:
    """Check that options of tracking go together with parts, and return the place of the results.

    Raises:
        OptionError: they do not.
    """
    for name, reason in _UNFIT.items():
        if options.get(name):
            raise OptionError(f"parts and {name} do not go together: {reason}")
    if not isinstance(place, LocalPlace):
        raise OptionError(f"parts need a folder that all workers share, not {place.root}")
    if options.get("visualization", True):
        logger.info("a video that is tracked in parts gets no annotated video")
    return place


@dataclass
class _Video:
    """A video in parts.

    Attributes:
        task: the whole of it.
        parts: where it is cut.
        folder: of the results of the parts.
        rows: of the parts that have ended.
    """

    task: Task
    parts: list[Part]
    folder: Path
    rows: dict[str, Row] = field(default_factory=dict)

    def tasks(self, resume: bool) -> list[Task]:
        """Return the parts that are to be tracked, and note those that an earlier batch has done."""
        task, place = self.task, LocalPlace(self.folder)
        if not resume and self.folder.exists():
            shutil.rmtree(self.folder)
        identity = identity_of(task.source)
        made = []
        options = {**task.options, "visualization": False}
        for number, part in enumerate(self.parts, start=1):
            row = Row(fitting_name(task.row.name, f".{number:04d}"), task.row.source)
            asked = {**task.asked, "part": asdict(part)}
            done = earlier_row(row, place, asked, identity)
            if done:
                self.rows[row.name] = done
            else:
                made.append(Task(row, task.source, str(self.folder), options, asked, asdict(part)))
        return made

    def result(self, place: Place) -> Row:
        """Join the parts, once all have ended, and return the row of the whole."""
        whole = self.task.row
        rows = [self.rows[name] for name in sorted(self.rows)]
        for state in ("failed", "left"):
            for row in rows:
                if row.state == state:
                    return replace(whole, state=state, error=f"{row.name}: {row.error}" if row.error else "")
        try:
            with place.work(whole.name) as work:
                record = self._join(rows, work)
                publish(work, place, whole.name, record)
            shutil.rmtree(self.folder, ignore_errors=True)  # the next batch removes what is left
            with contextlib.suppress(OSError):  # there are parts of others
                self.folder.parent.rmdir()
        except TrackingError as error:
            return replace(whole, state="failed", error=str(error))
        return finished_row(whole, place, record, "tracked")

    def _join(self, rows: list[Row], work: Path) -> dict[str, Any]:
        name = self.task.row.name
        text, run, times = (path_of(work, name) for path_of in (text_path, run_path, times_path))
        table = join([read_table(Path(row.files["text"])) for row in rows], self.parts)
        people = len(np.unique(table[:, ID]))
        try:
            about = json.loads(Path(rows[0].files["run"]).read_text(encoding="utf-8"))
            last = json.loads(Path(rows[-1].files["run"]).read_text(encoding="utf-8"))["last_frame"]
            parts = {"overlap": OVERLAP, "first_frames": [part.first + 1 for part in self.parts]}
            for of_the_part in ("batch", "stage_seconds"):
                about.pop(of_the_part, None)
            about |= {"name": name, "last_frame": last, "parts": parts}
            text.parent.mkdir(parents=True)
            run.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except (OSError, ValueError, KeyError) as error:
            raise OutputError(f"the parts of {name} cannot be joined: {error}") from error
        write_table(text, table)
        frames = self._write_times(rows, times, about)
        files = {"text": text, "times": times, "run": run}
        options = self.task.options
        if options.get("scene") is not None:
            asked = {option: options[option] for option in _OF_ANSWERS if options.get(option) is not None}
            answered = analyse(text, output_dir=work, **asked)
            files["answers"] = answered.folder
            report = answered.folder / "report.html"
            files |= {"report": report} if report.exists() else {}
        told = {kind: path.relative_to(work).as_posix() for kind, path in files.items()}
        seconds = round(sum(row.seconds for row in rows), 3)
        identity = identity_of(self.task.source)
        figures = {"frames": frames, "seconds": seconds, "people": people, "files": told}
        return {"asked": self.task.asked, "input": identity, **figures}

    def _write_times(self, rows: list[Row], path: Path, about: Mapping[str, Any]) -> int:
        """Write the times of the whole, and return how many frames were tracked."""
        step, rate = about["skip_frames"], about["frame_rate"]
        clocks = []
        for row, part, following in zip(rows, self.parts, [*self.parts[1:], None]):
            stop = following.first if following else about["last_frame"]
            frames = np.arange(1 + -(-part.first // step) * step, stop + 1, step)
            clocks.append((frames, Clock(rate, read_times(Path(row.files["times"]))).at(frames)))
        numbers = np.concatenate([frames for frames, _ in clocks])
        write_times(path, rate, numbers, np.concatenate([times for _, times in clocks]))
        return len(numbers)


def track_in_parts(
    tasks: Sequence[Task],
    length: float,
    place: LocalPlace,
    resume: bool,
    run: Callable[..., Iterator[Row]],
    **arguments: Any,
) -> Iterator[Row]:
    """Track videos of a batch, those that are long in parts.

    Args:
        tasks: the videos.
        length: of a part, seconds; what is not clearly longer is tracked in one piece.
        place: of the results, a folder that all workers share.
        resume: take parts that an earlier batch has done.
        run: tracks tasks, as `track_in_children`.
        arguments: of that function.

    Yields:
        Row of each video.
    """
    pieces: list[Task] = []
    videos: dict[str, _Video] = {}
    ended: list[_Video] = []
    for task in tasks:
        try:
            pixels = task.options.get("max_pixels") or MAX_PIXELS
            parts = [] if is_address(task.source) else cut(Path(task.source), length, pixels)
            if not parts:
                pieces.append(task)
                continue
            video = _Video(task, parts, place.folder / WORK / PARTS / task.row.name)
            left = video.tasks(resume)
        except (SourceError, OSError) as error:
            yield replace(task.row, state="failed", error=str(error))
            continue
        pieces += left
        videos |= {piece.row.name: video for piece in left}
        if not left:
            ended.append(video)
    for video in ended:
        yield video.result(place)
    for row in run(pieces, **arguments) if pieces else ():
        video = videos.get(row.name)  # type: ignore[assignment]
        if video is None:
            yield row
            continue
        video.rows[row.name] = row
        if len(video.rows) == len(video.parts):
            yield video.result(place)
