"""The answers as files: CSV, JSON lines, heat maps; written row by row, and read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Generic, TypeVar, get_args, get_type_hints

import numpy as np

from ..errors import OutputError
from .analysis import SceneAnalysis, Step
from .measures.heat import draw_flow, draw_heat
from .recording import Recording
from .rows import Count, Crossing, FloorPoint, Person, Range, Suspect, Visit, ZoneCount

# attribute of `Step`: file, kind of its rows, and the columns whose clock time is added where the start is known
TABLES: dict[str, tuple[str, type, tuple[str, ...]]] = {
    "crossings": ("crossings.csv", Crossing, ()),
    "counts": ("counts.csv", Count, ("start", "end")),
    "ranges": ("ranges.csv", Range, ("start", "end")),
    "visits": ("visits.csv", Visit, ("entered", "left")),
    "zone_counts": ("zones.csv", ZoneCount, ("start", "end")),
    "people": ("people.csv", Person, ("first_seen", "last_seen")),
    "floor": ("floor.csv", FloorPoint, ()),
    "suspects": ("suspects.csv", Suspect, ()),
}
EVENTS, SCENE, SUMMARY = "events.jsonl", "scene.json", "summary.json"
HEAT_PARTS = "heat_[0-9]*.*"  # maps of intervals, numbered from 1
HEAT, PLAN = "heat.npy", "floor.png"
VIDEO = "video.mp4"  # with the tracks drawn into it, where an analysis is asked for one
RENAMED = {"in_": "in", "counted": "count"}  # fields whose names Python keeps for itself
DIGITS = {"x": 2, "y": 2, "score": 4, "mean_score": 4, "path_px": 1, "mean_inside": 3}  # else 3

Row = TypeVar("Row")


def columns(kind: Any) -> list[str]:
    """Return the names of the columns of a kind of rows."""
    return [RENAMED.get(name, name) for name in kind._fields]


def field_text(name: str, value: Any) -> str:
    """Return a value as the files have it: with the digits of its column, empty where it is not known."""
    if value is None:
        return ""
    if isinstance(value, float):
        text = f"{value:.{DIGITS.get(name, 3)}f}"
        return text.removeprefix("-") if not float(text) else text
    return str(value)


def table_header(table: str, recording: Recording) -> list[str]:
    """Return the names of a table's columns, those of clock times last where the start is known."""
    _, kind, timed = TABLES[table]
    return [*columns(kind), *(f"{column}_time" for column in timed if recording.start)]


def table_fields(table: str, row: Any, recording: Recording) -> list[str]:
    """Return a row of a table as the file has it, one text for each column of `table_header`."""
    fields = [field_text(column, value) for column, value in zip(row._fields, row)]
    if recording.start:
        fields += [recording.clock_time(getattr(row, column)) or "" for column in TABLES[table][2]]
    return fields


class AnswerFiles:
    """Writes the answers to a scene, each row as soon as it is known.

    Args:
        folder: of the files; it is made if needed.
        analysis: whose answers these are.
        names: of identities; with any, a last column has them.

    Raises:
        OutputError: a file cannot be made.
    """

    def __init__(self, folder: Path, analysis: SceneAnalysis, names: Mapping[int, str] | None = None) -> None:
        self.folder = folder
        self._names = names or {}
        self._analysis = analysis
        self._files: dict[str, IO[str]] = {}
        self._heat_parts: list[int] = []
        recording = analysis.recording
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / SUMMARY).unlink(missing_ok=True)  # of a run before: it says that the answers are complete
            (folder / VIDEO).unlink(missing_ok=True)
            for path in folder.glob(HEAT_PARTS):
                path.unlink()
            for name, (file, kind, _) in TABLES.items():
                if name == "floor" and not analysis.floor:
                    (folder / file).unlink(missing_ok=True)  # of a run before
                    continue
                self._files[name] = (folder / file).open("w", encoding="utf-8", newline="")
                header = table_header(name, recording)
                if self._names and "id" in columns(kind):
                    header.append("name")
                csv.writer(self._files[name], lineterminator="\n").writerow(header)
                self._files[name].flush()
            self._files["events"] = (folder / EVENTS).open("w", encoding="utf-8")
            (folder / SCENE).write_text(_json(analysis.scene.to_mapping()), encoding="utf-8")
        except OSError as error:
            self._close()
            raise self._failure(error) from error

    def write(self, step: Step) -> None:
        """Append rows, and flush them.

        Raises:
            OutputError: a file cannot be written.
        """
        try:
            for name in TABLES:
                rows = getattr(step, name)
                if rows and name in self._files:
                    self._append(name, rows)
            for number, values in step.heat_parts:
                self._save(f"heat_{number + 1:04d}", values)
                self._heat_parts.append(number)
            if step.events:
                named = (event | self._name(event.get("id")) for event in step.events)
                self._files["events"].write("".join(f"{_line(event)}\n" for event in named))
                self._files["events"].flush()
        except OSError as error:
            raise self._failure(error) from error

    def close(self, background: Path | None = None) -> dict[str, Path]:
        """Write what is known at the end only, and close all files.

        Args:
            background: picture that the heat maps are drawn over; grey where there is none.

        Returns:
            The folder, as ``answers``.

        Raises:
            OutputError: a file cannot be written; those that were are kept.
        """
        try:
            # Rows of people were appended as they went; a person who came back has two until here.
            self._files.pop("people").close()
            self._rewrite_people()
            (self.folder / SUMMARY).write_text(_json(self._summary()), encoding="utf-8")
            self._write_heat(background)
            self._write_plan()
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self._close()
        return {"answers": self.folder}

    def _append(self, name: str, rows: Iterable[Any], file: IO[str] | None = None) -> None:
        file = file or self._files[name]
        writer = csv.writer(file, lineterminator="\n")
        for row in rows:
            fields = table_fields(name, row, self._analysis.recording)
            if self._names and hasattr(row, "id"):
                fields.append(self._names.get(row.id, ""))
            writer.writerow(fields)
        file.flush()

    def _name(self, identity: int | None) -> dict[str, str]:
        name = None if identity is None else self._names.get(identity)
        return {"name": name} if name else {}

    def _rewrite_people(self) -> None:
        path = self.folder / TABLES["people"][0]
        part = path.with_name(f".{path.name}.part")
        header = path.open(encoding="utf-8").readline()
        with part.open("w", encoding="utf-8", newline="") as file:
            file.write(header)
            self._append("people", self._analysis.people.everybody(), file)
        part.replace(path)

    def _summary(self) -> dict[str, Any]:
        analysis, recording = self._analysis, self._analysis.recording
        lines = [
            {"line": line, "direction": direction, "count": count, "low": low, "high": high}
            for line, direction, count, low, high in analysis.totals
        ]
        return {
            "name": recording.name,
            "size": list(recording.size),
            "frame_rate": recording.frame_rate,
            "start": recording.start.isoformat() if recording.start else None,
            "interval": recording.interval,
            "seconds": analysis.end / 1000,
            "people": analysis.people_counted,
            "still": sorted(analysis.things),
            **(
                {"names": {str(identity): name for identity, name in sorted(self._names.items())}}
                if self._names
                else {}
            ),
            **({"staff": analysis.staff} if analysis.staff else {}),
            "health": analysis.health.result()._asdict(),
            "lines": lines,
            "plane_error": analysis.plane_error,
            "warnings": analysis.warnings(),
        }

    def _write_heat(self, background: Path | None) -> None:
        import cv2

        heat, recording = self._analysis.heat, self._analysis.recording
        behind = cv2.imread(str(background)) if background and background.is_file() else None
        if behind is not None:
            behind = cv2.resize(behind, recording.size)
        period = f"0 to {self._analysis.end / 1000:.0f} s"
        for name, values, unit in (("heat", heat.time(), "person-s"), ("heat_people", heat.people(), "people")):
            self._save(name, values)
            cv2.imwrite(str(self.folder / f"{name}.png"), draw_heat(values, recording.size, unit, period, behind))
        for number in self._heat_parts:
            name, length = f"heat_{number + 1:04d}", recording.heat_interval
            values = np.load(self.folder / f"{name}.npy")
            part = f"{number * length:g} to {min((number + 1) * length, self._analysis.end / 1000):.0f} s"
            picture = draw_heat(values, recording.size, "person-s", part, behind)
            cv2.imwrite(str(self.folder / f"{name}.png"), picture)
        motion, count = heat.flow()
        picture = draw_flow(motion, count, recording.size, heat.cell, behind)
        cv2.imwrite(str(self.folder / "heat_flow.png"), picture)

    def _save(self, name: str, values: np.ndarray) -> None:
        content = io.BytesIO()  # numpy's own writing to a file does not tell that the disk is full
        np.save(content, values)
        (self.folder / f"{name}.npy").write_bytes(content.getvalue())

    def _write_plan(self) -> None:
        import cv2

        plan = self._analysis.plan
        if plan is None:
            (self.folder / PLAN).unlink(missing_ok=True)  # of a run before
        else:
            cv2.imwrite(str(self.folder / PLAN), plan.draw())

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.folder}: {error.strerror}; choose another output_dir")


def _json(values: Any) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def _line(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False)


class Table(Generic[Row]):
    """The rows of an answer, read from its file each time that they are iterated over.

    Args:
        path: CSV file.
        kind: of its rows.

    Raises:
        OutputError: while iterating: the file cannot be read, or was changed since.
    """

    def __init__(self, path: Path, kind: type[Row]) -> None:
        self._path = path
        self._kind = kind

    def __iter__(self) -> Iterator[Row]:
        fields: tuple[str, ...] = self._kind._fields  # type: ignore[attr-defined]
        hints = get_type_hints(self._kind)
        readers = [
            next(kind for kind in (*get_args(hints[name]), hints[name]) if kind in (int, float, str)) for name in fields
        ]
        try:
            with self._path.open(encoding="utf-8", newline="") as file:
                rows = csv.reader(file)
                if next(rows, [])[: len(fields)] != columns(self._kind):
                    raise ValueError("it has other columns")
                for row in rows:
                    values = (None if text == "" else read(text) for read, text in zip(readers, row))
                    yield self._kind(*values)
        except (OSError, ValueError, TypeError) as error:
            raise OutputError(f"cannot read {self._path}: {getattr(error, 'strerror', None) or error}") from error

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def to_dataframe(self) -> Any:
        """Return the rows as a pandas table, a column for each field.

        Raises:
            ImportError: pandas is not installed.
        """
        return _dataframe(self, columns(self._kind))


class RowList(list[Row]):
    """Rows that were computed, as a list.

    Args:
        rows: the rows.
        kind: of the rows.
    """

    def __init__(self, rows: Iterable[Row], kind: type[Row]) -> None:
        super().__init__(rows)
        self._kind = kind

    def to_dataframe(self) -> Any:
        """Return the rows as a pandas table, a column for each field.

        Raises:
            ImportError: pandas is not installed.
        """
        return _dataframe(self, columns(self._kind))


def _dataframe(rows: Iterable[Any], names: list[str]) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError("to_dataframe() needs pandas: pip install pandas") from error
    return pandas.DataFrame(list(rows), columns=names)
