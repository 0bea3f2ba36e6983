"""The result of a batch: a row a video, as a table and as ``batch.jsonl``."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from ...errors import OutputError, printable
from ..places import LocalPlace, Place
from .records import Row

FILE = "batch.jsonl"


@dataclass(frozen=True)
class BatchResult:
    """What became of the videos of a batch.

    Attributes:
        rows: one a video, in the order of the sources.
        seconds: wall time of the batch.
        path: path or address of ``batch.jsonl``, which has the rows.
    """

    rows: list[Row]
    seconds: float
    path: str

    @property
    def failed(self) -> list[Row]:
        """The videos that could not be tracked."""
        return [row for row in self.rows if row.state == "failed"]

    @property
    def left(self) -> list[Row]:
        """The videos that the batch was ended before."""
        return [row for row in self.rows if row.state == "left"]

    @property
    def when_stopped(self) -> str:
        """What is there if the batch was stopped before its end, as a clause of a message."""
        return f"{len(self.left)} of {len(self.rows)} videos are left; --resume goes on with them"

    def __str__(self) -> str:
        head = ("video", "frames", "frames/s", "people", "")
        cells = [head, *(_cells(row) for row in self.rows)]
        widths = [max(_width(line[column]) for line in cells) for column in range(4)]
        lines = []
        for name, *numbers, note in cells:
            padded = name + " " * (widths[0] - _width(name))
            figures = "  ".join(number.rjust(width) for number, width in zip(numbers, widths[1:]))
            lines.append(f"{padded}  {figures}  {note}".rstrip())
        states = Counter(row.state for row in self.rows)
        parts = [f"{states[state]} {state}" for state in ("tracked", "unchanged", "failed", "left") if states[state]]
        frames = sum(row.frames for row in self.rows if row.state == "tracked")
        rate = f" ({frames / self.seconds:.1f} frames/s)" if frames and self.seconds > 0 else ""
        lines.append(f"{len(self.rows)} videos in {self.seconds:.1f} s{rate}: {', '.join(parts)}")
        return "\n".join([*lines, f"  rows: {printable(self.path)}"])


def _cells(row: Row) -> tuple[str, ...]:
    name = printable(row.name)
    if row.state in ("failed", "left"):
        error = printable(f"error: {row.error}") if row.state == "failed" else row.state
        return name, "-", "-", "-", error
    note = row.state if row.state == "unchanged" else ""
    return name, str(row.frames), f"{row.frames_per_second:.1f}", str(row.people), note


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: Chinese and the like take two a character."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


class RowsFile:
    """The file ``batch.jsonl``: it grows while the batch runs, and has all rows in order at the end.

    Args:
        place: of the results. One that is not on this machine gets the rows at the end only.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self.path = place.path_of(FILE)
        self._grows = isinstance(place, LocalPlace)
        if self._grows:
            self.finish([])

    def add(self, row: Row) -> None:
        """Add the row of a video.

        Raises:
            OutputError: it cannot be written.
        """
        if self._grows:
            try:
                with Path(self.path).open("a", encoding="utf-8") as file:
                    file.write(_line(row))
            except OSError as error:
                raise self._error(error) from error

    def finish(self, rows: list[Row]) -> None:
        """Write all rows anew.

        Raises:
            OutputError: they cannot be written.
        """
        try:
            self._place.write(FILE, "".join(map(_line, rows)))
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.path}: {error.strerror or error}; choose another output_dir")


def _line(row: Row) -> str:
    return json.dumps(asdict(row), ensure_ascii=False) + "\n"
