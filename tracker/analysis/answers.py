"""The answers of one recording, read back from their files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError
from ..settings.checks import check_number
from .files import HEAT, SCENE, SUMMARY, TABLES, RowList, Table
from .measures.counts import count_crossings
from .rows import Count, Crossing, FloorPoint, HeatCell, Person, Range, Suspect, Visit, ZoneCount
from .scene import load_scene


@dataclass(frozen=True)
class Heat:
    """Where people stood, as the cells where anybody did.

    Attributes:
        seconds: [rows, columns] float32 person-seconds in each cell of the picture.
        cell: width and height of a cell, pixels.
    """

    seconds: np.ndarray
    cell: int

    def __iter__(self) -> Iterator[HeatCell]:
        for row, column in zip(*np.nonzero(self.seconds)):
            seconds = float(self.seconds[row, column])
            yield HeatCell(int(column) * self.cell, int(row) * self.cell, self.cell, seconds)

    def to_dataframe(self) -> Any:
        """Return the cells as a pandas table: x, y, size, seconds.

        Raises:
            ImportError: pandas is not installed.
        """
        return RowList(self, HeatCell).to_dataframe()


class Answers:
    """The answers in a folder such as ``answers/NAME``. Every method reads its file anew.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def crossings(self) -> Table[Crossing]:
        """Return who crossed which line, when and where.

        Returns:
            The crossings in the order in which they were known; iterable, with `to_dataframe`.

        Raises:
            OutputError: while iterating: the file cannot be read.
        """
        return self._table("crossings")

    def counts(self, interval: float | None = None) -> Table[Count] | RowList[Count]:
        """Return how many crossed each line, by intervals.

        Args:
            interval: seconds; None for that of the files.

        Raises:
            OptionError: the interval is no positive number.
            OutputError: a file cannot be read.
        """
        summary = self.summary()
        if interval is None or interval == summary["interval"]:
            return self._table("counts")
        check_interval(interval)
        lines = load_scene(self._json(SCENE)).lines
        return RowList(count_crossings(list(self.crossings()), lines, interval, summary["seconds"]), Count)

    def ranges(self) -> Table[Range]:
        """Return between which numbers each count likely lies."""
        return self._table("ranges")

    def visits(self) -> Table[Visit]:
        """Return who was in which zone, from when to when."""
        return self._table("visits")

    def zones(self) -> Table[ZoneCount]:
        """Return how many came to, left and were in each zone, by intervals."""
        return self._table("zone_counts")

    def people(self) -> Table[Person]:
        """Return when each person was seen, and how far they went."""
        return self._table("people")

    def floor(self) -> Table[FloorPoint]:
        """Return where people were on the floor, second by second; the scene must have a plane."""
        return self._table("floor")

    def suspects(self) -> Table[Suspect]:
        """Return places where numbers may be wrong, with the edits that would correct them."""
        return self._table("suspects")

    def heat(self) -> Heat:
        """Return where people stood for how long.

        Raises:
            OutputError: the file cannot be read.
        """
        path = self.folder / HEAT
        try:
            seconds = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise OutputError(f"cannot read {path}: {error}") from error
        width, _ = self.summary()["size"]
        return Heat(seconds, -(-width // seconds.shape[1]))

    def summary(self) -> dict[str, Any]:
        """Return the totals and what they were made with.

        Raises:
            OutputError: the file cannot be read.
        """
        return self._json(SUMMARY)

    def _table(self, name: str) -> Table[Any]:
        file, kind, _ = TABLES[name]
        return Table(self.folder / file, kind)

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def check_interval(interval: Any) -> float:
    """Check the length of the intervals that are counted by.

    Raises:
        OptionError: it is no number of seconds from a tenth to a year.
    """
    return check_number("interval", interval, 0.1, 366 * 86400)
