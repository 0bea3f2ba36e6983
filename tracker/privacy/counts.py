"""Answers that tell of nobody: counts by intervals alone, without identities and without small numbers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import IO, Any

from ..analysis.analysis import SceneAnalysis, Step
from ..analysis.files import EVENTS, HEAT, PLAN, SCENE, SUMMARY, TABLES, table_fields, table_header
from ..analysis.rows import Count, Range, ZoneCount
from ..analysis.scene import Scene
from ..errors import OptionError, OutputError

FEW = 3  # smaller numbers are left out
LEAST_INTERVAL = 60.0  # seconds
KEPT = ("counts", "ranges", "zone_counts")  # of TABLES
# what a run that is not private leaves in the folder, and what a private one has to take away
TRACES = (
    *(file for name, (file, *_) in TABLES.items() if name not in KEPT),
    *(EVENTS, HEAT, PLAN, "report.html", "background.jpg", "light.json"),
)
PICTURES = ("*.mp4", ".*.mp4", "heat*.png", "heat*.npy", ".background.jpg.part", "people/*.jpg*", "crossings/*.jpg*")


def check_private(scene: Scene | None, interval: float) -> None:
    """Check that a private run can tell something, and nothing too closely.

    Raises:
        OptionError: there is no scene, or the interval is too short.
    """
    if scene is None:
        raise OptionError("private keeps nothing but the counts of a scene: give scene too")
    if interval < LEAST_INTERVAL:
        raise OptionError(f"private counts by intervals of {LEAST_INTERVAL:g} s or more, not of {interval:g} s")


def few(number: float | None) -> bool:
    """Return whether a number is too small to be told."""
    return number is not None and number < FEW


def without_small_numbers(row: Any) -> Any:
    """Return a row of `KEPT` without the numbers below `FEW`, and without those from which they would follow."""
    hidden: dict[str, None] = {}
    if isinstance(row, Range) and few(row.counted):
        hidden = dict.fromkeys(("counted", "low", "high"))
    elif isinstance(row, Count):
        hidden = dict.fromkeys(name for name in ("in_", "out", "unique_in", "unique_out") if few(getattr(row, name)))
        if hidden.keys() & {"in_", "out"}:
            hidden["net"] = None
    elif isinstance(row, ZoneCount):
        hidden = dict.fromkeys(("net", "drift"))  # their changes tell who came one by one
        hidden |= dict.fromkeys(
            name for name in ("entries", "exits", "max_inside", "served") if few(getattr(row, name))
        )
        if "max_inside" in hidden:
            hidden["mean_inside"] = None
        if hidden.keys() & {"exits", "mean_inside"}:
            hidden |= dict.fromkeys(("mean_dwell", "median_dwell", "p90_dwell", "expected_wait"))
    return row._replace(**hidden)


def without_any(row: Any) -> Any:
    """Return a row of `KEPT` with nothing but its interval and names."""
    names = ("start", "end", "line", "direction", "zone")
    return row._replace(**dict.fromkeys(name for name in row._fields if name not in names))


class PrivateFiles:
    """Writes counts, in place of `AnswerFiles`; what a run before left of people in the folder is taken away.

    The last interval is told only if a minute of it was recorded. Totals are those of the intervals and numbers told,
    for what is left out would follow from others.

    Args:
        folder: of the files; it is made if needed.
        analysis: whose answers these are.

    Raises:
        OptionError: see `check_private`.
        OutputError: a file cannot be made.
    """

    def __init__(self, folder: Path, analysis: SceneAnalysis) -> None:
        check_private(analysis.scene, analysis.recording.interval)
        self.folder = folder
        self._analysis = analysis
        self._files: dict[str, IO[str]] = {}
        self._totals: dict[tuple[str, str], int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._remove_traces()
            for name in KEPT:
                self._files[name] = (folder / TABLES[name][0]).open("w", encoding="utf-8", newline="")
                self._append(name, table_header(name, analysis.recording))
            self._write(SCENE, analysis.scene.to_mapping())
        except OSError as error:
            self._close()
            raise self._failure(error) from error

    def write(self, step: Step) -> None:
        """Append the intervals that are over, and flush them.

        Raises:
            OutputError: a file cannot be written.
        """
        recorded = self._analysis.end / 1000
        try:
            for name in KEPT:
                for row in getattr(step, name):
                    long_enough = min(row.end, recorded) - row.start >= LEAST_INTERVAL
                    self._tell(name, without_small_numbers(row) if long_enough else without_any(row))
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> dict[str, Path]:
        """Write the totals, and close all files.

        Returns:
            The folder, as ``answers``.

        Raises:
            OutputError: a file cannot be written; those that were are kept.
        """
        try:
            self._write(SUMMARY, self._summary())
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self._close()
        return {"answers": self.folder}

    def _tell(self, name: str, row: Any) -> None:
        self._append(name, table_fields(name, row, self._analysis.recording))
        if isinstance(row, Range) and row.counted is not None:
            place = (row.line, row.direction)
            self._totals[place] = self._totals.get(place, 0) + row.counted

    def _summary(self) -> dict[str, Any]:
        analysis, recording = self._analysis, self._analysis.recording
        people = analysis.people_counted
        lines = []
        for line, direction, *_ in analysis.totals:
            told = self._totals.get((line, direction))
            lines.append({"line": line, "direction": direction, "count": told, "low": told, "high": told})
        return {
            "name": recording.name,
            "private": True,
            "size": list(recording.size),
            "frame_rate": recording.frame_rate,
            "start": recording.start.isoformat() if recording.start else None,
            "interval": recording.interval,
            "seconds": analysis.end / 1000,
            "people": None if few(people) or analysis.end < 1000 * LEAST_INTERVAL else people,
            "still": [],
            "lines": lines,
            "plane_error": analysis.plane_error,
            "warnings": analysis.warnings(),
        }

    def _remove_traces(self) -> None:
        for name in TRACES:
            (self.folder / name).unlink(missing_ok=True)
        for pattern in PICTURES:
            for path in self.folder.glob(pattern):
                path.unlink()

    def _append(self, name: str, fields: list[str]) -> None:
        csv.writer(self._files[name], lineterminator="\n").writerow(fields)
        self._files[name].flush()

    def _write(self, name: str, values: Any) -> None:
        (self.folder / name).write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.folder}: {error.strerror}; choose another output_dir")
