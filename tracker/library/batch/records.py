"""What is known to be finished: the record of a batch in ``NAME_run.json``, and how results come to their place.

A video is tracked in a folder of its own under ``OUTPUT_DIR/.batch``. When it is finished its files move to where they
belong, ``NAME_run.json`` as the last one. So whatever ends a batch, and at whatever moment, a file of that name with a
record stands for results that are whole.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ...analysis.scene import Scene
from ...errors import OptionError, OutputError, SourceError
from ...settings.checks import shown
from ...sinks.files import run_path
from ..places import Place, is_address, is_stored, stored_identity

KEY = "batch"  # of the record in NAME_run.json
FILES = ("scene", "tracker_config")  # options that may name a file
_END = 1 << 16  # bytes at the beginning and the end of a file that are compared


@dataclass
class Row:
    """What became of one video of a batch.

    Attributes:
        name: stem of the names of its files.
        source: path, or address without passwords.
        state: ``tracked``; ``unchanged``, if an earlier run had done the same; ``failed``; or ``left`` when the batch
            was ended before.
        frames: number of frames tracked.
        seconds: wall time of its run.
        people: number of different identities.
        error: why it failed.
        files: the files written, by kind, as in `TrackingResult`.
        frames_per_second: rate of its run.
    """

    name: str
    source: str
    state: str = "left"
    frames: int = 0
    seconds: float = 0.0
    people: int = 0
    error: str = ""
    files: dict[str, str] = field(default_factory=dict)
    frames_per_second: float = 0.0


def plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of tracking as values that another process can be told, with absolute paths.

    Raises:
        OptionError: a value cannot be told.
    """
    made = {name: _plain(name, value) for name, value in options.items()}
    for name in FILES:
        if isinstance(made.get(name), str):
            made[name] = os.path.abspath(Path(made[name]).expanduser())  # noqa: PTH100 (resolves no links)
    return made


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Scene) and value.mask is None:
        return value.to_mapping()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_plain(name, part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(name, part) for key, part in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise OptionError(f"{name} of a batch must be a plain value, which another process can be told, not {shown(value)}")


def digest(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file of settings; whoever changes it asks for other results.

    Raises:
        OptionError: it cannot be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise OptionError(f"cannot read {path}: {error.strerror}") from error


def identity_of(source: str) -> dict[str, Any]:
    """Return what tells whether a source is still the same: of a file size, time of change, beginning and end.

    Of images it is their number, their sizes together and the newest change; of an address that FFmpeg reads itself.

    Raises:
        SourceError: it cannot be read.
    """
    if is_stored(source):
        return stored_identity(source)
    if is_address(source):
        return {"address": hashlib.sha256(source.encode()).hexdigest()}
    try:
        path = Path(source)
        if path.is_file():
            status = path.stat()
            with path.open("rb") as file:
                ends = file.read(_END)
                file.seek(max(status.st_size - _END, 0))
                ends += file.read(_END)
            return {"bytes": status.st_size, "changed": status.st_mtime_ns, "ends": hashlib.sha256(ends).hexdigest()}
        # a glob of images, or a folder, whose images may lie one below it
        files = map(Path, glob.glob(source, recursive=True)) if not path.is_dir() else path.glob("**/*")  # noqa: PTH207
        states = [file.stat() for file in files if file.is_file()]
    except OSError as error:
        raise SourceError(f"cannot read {source}: {error.strerror}") from error
    changed = max((state.st_mtime_ns for state in states), default=0)
    return {"files": len(states), "bytes": sum(state.st_size for state in states), "changed": changed}


def finished_row(row: Row, place: Place, record: Mapping[str, Any], state: str) -> Row:
    """Return the row of a video from the record of its results.

    Raises:
        KeyError: the record has no such value.
        TypeError: a value of it is of another type; ValueError and AttributeError likewise.
    """
    files = {kind: place.path_of(file) for kind, file in record["files"].items()}
    frames, seconds, people = int(record["frames"]), float(record["seconds"]), int(record["people"])
    rate = round(frames / seconds, 2) if seconds > 0 else 0.0
    return Row(row.name, row.source, state, frames, seconds, people, files=files, frames_per_second=rate)


def earlier_row(row: Row, place: Place, asked: Mapping[str, Any], identity: Mapping[str, Any]) -> Row | None:
    """Return the row of a video that an earlier batch has done with the same options, model and input.

    Args:
        row: name and source.
        place: of the results.
        asked: the options and the model.
        identity: of the input, see `identity_of`.

    Returns:
        The row; None if the video is to be tracked.
    """
    try:
        record = json.loads(place.read(_run_name(row.name)))[KEY]
        if record["asked"] != asked or record["input"] != identity:
            return None
        done = finished_row(row, place, record, "unchanged")
        return done if all(map(place.exists, record["files"].values())) else None
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None  # no file, or none of a batch


def publish(work: Path, place: Place, name: str, record: Mapping[str, Any] | None) -> None:
    """Move what a run has made to where it belongs, in place of what is there.

    Args:
        work: folder of the run.
        place: of the results.
        name: of the run.
        record: to be kept in ``NAME_run.json`` once everything else is in its place; None for a run that is not whole.

    Raises:
        OutputError: a file cannot be moved.
    """
    run = _run_name(name)
    try:
        if (work / run).is_file():
            values = json.loads((work / run).read_text(encoding="utf-8"))
            kept = {**values, KEY: dict(record)} if record is not None else values
            (work / run).write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        made = sorted(path.relative_to(work).as_posix() for path in work.glob("*/*"))
        if made:
            place.remove(run)
        for part in sorted(made, key=lambda part: part == run):  # the record comes last
            place.take(work / part, part)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot move the results of {name} to {place.root or 'this folder'}: {reason}") from error


def _run_name(name: str) -> str:
    return run_path(Path(), name).as_posix()
