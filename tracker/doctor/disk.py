"""Whether results can be written, how fast, and how much there is room for."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .findings import NOTE, OK, PROBLEM, Finding

_BLOCK, _BLOCKS = 1 << 20, 32  # bytes of a write, and writes
_FEW_HOURS = 1.0


def check_disk(output_dir: str, video_bytes: float | None) -> Iterator[Finding]:
    """Write into the output folder, or into the one that it would be made in. Nothing is left there.

    Args:
        output_dir: the folder of results; it need not exist.
        video_bytes: bytes of annotated video for each second of it; None where that is not known.
    """
    folder = Path(output_dir).absolute()
    try:
        while not os.path.lexists(folder):
            folder = folder.parent
        rate = _write_rate(folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        text = f"results cannot be written to {output_dir}: {error.strerror}; choose another folder by --output_dir"
        yield Finding("disk", PROBLEM, text)
        return
    text = f"{output_dir} can be written at {rate / 1e6:.0f} MB/s, {free / 1e9:.1f} GB are free"
    if not video_bytes:
        yield Finding("disk", OK, text)
        return
    hours = free / video_bytes / 3600
    text += f": {hours:.0f} hours of annotated video, at {video_bytes * 60 / 1e6:.0f} MB a minute as measured"
    if rate < 2 * video_bytes:
        yield Finding("disk", NOTE, f"{text}; too slow for it: choose another folder, or --visualization False")
    elif hours < _FEW_HOURS:
        yield Finding("disk", NOTE, f"{text}; free some space, or let --keep remove what is old")
    else:
        yield Finding("disk", OK, text)


def _write_rate(folder: Path) -> float:
    """Return the bytes per second that reach the disk, by a file that is removed again."""
    block = os.urandom(_BLOCK)  # what a file system cannot compress
    with tempfile.TemporaryFile(dir=folder, prefix=".doctor-") as file:
        started = time.perf_counter()
        for _ in range(_BLOCKS):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return _BLOCK * _BLOCKS / (time.perf_counter() - started)
