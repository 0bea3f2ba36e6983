"""Events as lines of JSON, in a file or on standard output, each flushed as it happens."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from pathlib import Path

from ..errors import OutputError
from .hub import Event
from .sender import Sender

try:
    import fcntl
except ImportError:  # Windows: two runs of one file are not told apart there
    fcntl = None  # type: ignore[assignment]

QUEUE = 100_000  # a disk that sleeps or a reader that is slow costs nothing but memory, some 40 MB


class EventFile(Sender):
    """Appends every event to a file, a line each.

    Lines of earlier runs stay. A file that another run is writing is refused, and so is one of something else.

    Args:
        path: of the file; ``-`` for standard output.
    """

    name = "events"

    def __init__(self, path: str) -> None:
        super().__init__("standard output" if path == "-" else path, QUEUE)
        self._path = path
        self._file: io.FileIO | None = None

    def open(self) -> None:
        """Open the file, and lock it.

        Raises:
            OutputError: it cannot be written, belongs to another run, or is no file of events.
        """
        try:
            self._file = _standard_output() if self._path == "-" else self._open()
        except OSError as error:
            raise OutputError(f"cannot write the events {self._path}: {error.strerror}; choose another file") from error
        super().open()

    def _open(self) -> io.FileIO:
        path = Path(self._path).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        file = io.FileIO(
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0), 0o666), "r+"
        )
        try:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                self._lock(file)
                _cut_half_line(file, self._path)
            os.set_blocking(file.fileno(), True)
        except BaseException:
            file.close()
            raise
        return file

    def _lock(self, file: io.FileIO) -> None:
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"another run writes its events to {self._path}: choose another file") from None
        except OSError:  # a network file system without locks
            pass

    def deliver(self, event: Event) -> bool:
        """Write a line."""
        if self._file is None:
            return False
        rest = json.dumps(event, ensure_ascii=False, default=str).encode() + b"\n"
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            self.failed(f"cannot write events ({error.strerror})", "what happens meanwhile is lost, the run goes on")
            if isinstance(error, BrokenPipeError):
                self.finish()
            return False
        return True

    def finish(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _standard_output() -> io.FileIO:
    """Return standard output by itself, so that a reader who leaves breaks nothing else."""
    try:
        sys.stdout.flush()
        return io.FileIO(os.dup(sys.stdout.fileno()), "w")
    except (io.UnsupportedOperation, AttributeError, ValueError):
        raise OutputError("this program has no standard output for events: give a file") from None


def _cut_half_line(file: io.FileIO, path: str) -> None:
    """Remove the line that a killed run could not finish; refuse a file of something else."""
    if file.seek(0, os.SEEK_END) == 0:
        return
    file.seek(0)
    if file.read(1) != b"{":
        raise OutputError(f"{path} is no file of events: choose another one, nothing was written to it")
    end = length = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 4096)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < length:
        file.truncate(end)
