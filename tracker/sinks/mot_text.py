"""The MOT text: its one writer, its one reader, and the sink of a run.

A line is ``frame,id,left,top,width,height,score,-1,-1,-1``: frames and ids from 1, pixels of the original image, one
line a person and frame. Ground truth of the MOTChallenge has the same form with other values from the seventh on.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import OutputError, SourceError
from ..structures import Frame, SequenceInfo, Tracks
from .files import is_at, make_parent, text_path

FRAME, ID, LEFT, TOP, WIDTH, HEIGHT, SCORE = range(7)  # columns
MIN_COLUMNS, MAX_COLUMNS = 7, 10
MAX_VALUE = 2**53  # ids are exact in float64 up to here
LINES_AT_ONCE = 4096  # that are parsed in one go


class MotWriter:
    """Writes the MOT text of one sequence, whole lines only, flushed at every frame.

    Args:
        path: file to write; an older one is emptied.

    Raises:
        OutputError: the file cannot be opened or written. What was written before stays readable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}; choose another output_dir") from error
        self._size = 0

    def write(self, frame: int, tracks: Tracks) -> None:
        """Append the lines of a frame.

        Args:
            frame: its number from 1.
            tracks: the people in sight.
        """
        lines = "".join(
            f"{frame},{track_id},{left:.2f},{top:.2f},{width:.2f},{height:.2f},{score:.4f},-1,-1,-1\n"
            for track_id, (left, top, width, height), score in zip(
                tracks.ids.tolist(), tracks.boxes.tolist(), tracks.scores.tolist()
            )
        ).encode()
        written = 0
        try:
            while written < len(lines):
                written += self._file.write(lines[written:])
        except OSError as error:
            # a full disk may have taken half a line; a device cannot be cut
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), self._size)
            raise OutputError(f"cannot write {self.path}: {error.strerror}; free some space") from error
        self._size += written

    def is_in_place(self) -> bool:
        """Return whether the open file is still found at its path."""
        return is_at(self.path, self._file.fileno())

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()


class MotTextSink:
    """Writes the MOT text of a run, flushed at every frame.

    Args:
        folder: output folder; the text is ``mot_results/NAME.txt`` in it.
    """

    name = "text"

    def __init__(self, folder: Path) -> None:
        self.readable_files: dict[str, Path] = {}
        self._folder = folder
        self._writer: MotWriter

    def open(self, info: SequenceInfo) -> None:
        """Create the file.

        Raises:
            OutputError: the file or its folder cannot be made.
        """
        path = text_path(self._folder, info.name)
        make_parent(path)
        self._writer = MotWriter(path)
        self.readable_files = {"text": path}

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Append the lines of a frame."""
        self._writer.write(frame.index + 1, tracks)

    def close(self) -> dict[str, Path]:
        """Close the file and return its path, as ``text``.

        Raises:
            OutputError: the file is no longer at its path.
        """
        in_place = self._writer.is_in_place()
        self._writer.close()
        if not in_place:
            self.readable_files = {}
            raise OutputError(f"{self._writer.path} was moved or removed while it was written")
        return self.readable_files


def read_frames(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Read a MOT text frame by frame, so that a long one takes no more memory than a short one.

    Args:
        path: a text whose lines are in the order of their frames.

    Yields:
        The number of each frame that has lines, and its rows [N, 10] as `read_mot` returns them.

    Raises:
        SourceError: the file cannot be read, or a line is malformed.
    """
    for rows in read_portions(path):
        starts = np.flatnonzero(np.diff(rows[:, FRAME], prepend=np.nan))
        yield from ((int(frame[0, FRAME]), frame) for frame in np.split(rows, starts[1:]))


def read_portions(path: Path) -> Iterator[np.ndarray]:
    """Read a MOT text some thousand lines at a time, without cutting a frame in two.

    Args:
        path: a text whose lines of one frame follow each other.

    Yields:
        Rows [N, 10] as `read_mot` returns them.

    Raises:
        SourceError: the file cannot be read, or a line is malformed.
    """
    rest = np.zeros((0, MAX_COLUMNS))
    for rows in _read_rows(path):
        rows = np.concatenate([rest, rows])
        starts = np.flatnonzero(np.diff(rows[:, FRAME], prepend=np.nan))
        if len(starts):
            rows, rest = np.split(rows, starts[-1:])
            if len(rows):
                yield rows
    if len(rest):
        yield rest


def read_mot(path: Path) -> np.ndarray:
    """Read the whole of a MOT text, ground truth or result.

    Returns:
        [N, 10] float64, a row for each box in the order of the file: frame (from 1), id, left, top, width, height
        (pixels), then score and -1 (results), or flag, class and visibility (ground truth of MOT16 and later), or flag
        and world coordinates (MOT15). Columns that the file lacks are -1.

    Raises:
        SourceError: the file cannot be read, or a line is malformed.
    """
    return np.concatenate([np.zeros((0, MAX_COLUMNS)), *_read_rows(path)])


def read_table(path: Path) -> np.ndarray:
    """Read back the tracks that a run has written.

    Returns:
        [N, 7] frame, id, left, top, width, height, score.

    Raises:
        OutputError: the file cannot be read, or is no MOT text any more.
    """
    try:
        return read_mot(path)[:, : SCORE + 1]
    except SourceError as error:
        raise OutputError(f"cannot read the tracks back from {error}") from error


def _read_rows(path: Path) -> Iterator[np.ndarray]:
    """Yield the rows [n, 10] of the file, some thousand lines at a time."""
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            number = 1
            while lines := list(itertools.islice(file, LINES_AT_ONCE)):
                yield _parse(lines, path, number)
                number += len(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as text ({getattr(error, 'strerror', None) or error})") from error


def _parse(lines: list[str], path: Path, number: int) -> np.ndarray:
    """Parse lines to [n, 10], all at once where each is well formed and has as many columns; number is the first's."""
    try:
        rows = np.loadtxt(lines, delimiter=",", ndmin=2, comments=None)
    except ValueError:
        rows = np.zeros((0, 0))
    # without one line of the other kind numpy drops no line
    if len(rows) == len(lines) and MIN_COLUMNS <= rows.shape[1] <= MAX_COLUMNS and not _faults(rows).any():
        return np.pad(rows, ((0, 0), (0, MAX_COLUMNS - rows.shape[1])), constant_values=-1)
    kept = [_parse_line(line, f"{path}, line {at}") for at, line in enumerate(lines, number) if line.strip(", \t\r\n")]
    return np.array(kept, np.float64).reshape(-1, MAX_COLUMNS)


def _faults(rows: np.ndarray) -> np.ndarray:
    """Return [4] bool: a value that is not finite or too large, a broken number, a frame below 1, a negative size."""
    with np.errstate(invalid="ignore"):
        return np.array(
            [
                not (np.abs(rows) < MAX_VALUE).all(),
                (rows[:, [FRAME, ID]] % 1 != 0).any(),
                (rows[:, FRAME] < 1).any(),
                (rows[:, [WIDTH, HEIGHT]] < 0).any(),
            ]
        )


def _parse_line(line: str, where: str) -> list[float]:
    """Parse a line into `MAX_COLUMNS` values; ``where`` names it in errors."""
    fields = line.rstrip(", \t\r\n").split(",")  # spreadsheets end lines with commas
    try:
        row = [float(field) for field in fields]
    except ValueError:
        raise SourceError(f"{where}: expected numbers between commas, got {line.strip()!r}") from None
    if not MIN_COLUMNS <= len(row) <= MAX_COLUMNS:
        raise SourceError(f"{where}: expected {MIN_COLUMNS} to {MAX_COLUMNS} columns, got {len(row)}")
    too_large, broken, below_1, negative = _faults(np.array([row]))
    if too_large:
        raise SourceError(f"{where}: every value must be finite and below 2^53, got {line.strip()!r}")
    if broken or below_1:
        raise SourceError(f"{where}: frame (from 1) and id must be whole numbers, got {fields[FRAME]} and {fields[ID]}")
    if negative:
        raise SourceError(f"{where}: width and height must not be negative, got {fields[WIDTH]} and {fields[HEIGHT]}")
    return row + [-1.0] * (MAX_COLUMNS - len(row))


def write_table(path: Path, table: np.ndarray) -> None:
    """Write a MOT text at once.

    Args:
        path: of the file.
        table: [N, 7] frame, id, left, top, width, height, score, sorted by frame; further columns are left out.

    Raises:
        OutputError: as `MotWriter`.
    """
    with contextlib.closing(MotWriter(path)) as writer:
        frames, first = np.unique(table[:, FRAME], return_index=True)
        for frame, rows in zip(frames, np.split(table, first[1:])):
            writer.write(int(frame), Tracks(rows[:, ID].astype(np.int64), rows[:, LEFT : HEIGHT + 1], rows[:, SCORE]))
