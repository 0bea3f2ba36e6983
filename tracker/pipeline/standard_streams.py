"""Standard output and error that may be closed or broken, which must not cost a run its results."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


def reserve_descriptors() -> None:
    """Point those of descriptors 0, 1 and 2 that are closed to the null device.

    The next file opened would get the number, and take in what libraries print there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """Let ``sys.stdout`` and ``sys.stderr`` exist, and what cannot be written to the latter be lost."""
    reserve_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stdout or _null()
    sys.stderr = _Lenient(sys.stderr or _null())
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _null() -> TextIO:
    return Path(os.devnull).open("w")  # as long as somebody may print


def use_null_for(stream: TextIO) -> None:
    """Point the descriptor of a broken stream to the null device, so that it can be flushed and closed."""
    with contextlib.suppress(OSError, ValueError):  # a stream of a notebook or a test has no descriptor
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


class _Lenient(io.TextIOBase):
    """A stream that goes nowhere from the first failure on, such as a pipe that nobody reads any more.

    Args:
        stream: what it writes to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text and return its length."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            use_null_for(self._stream)
        return len(text)

    def flush(self) -> None:
        """Write what is in the buffer."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            use_null_for(self._stream)

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding, by which tqdm chooses its characters."""
        return self._stream.encoding
