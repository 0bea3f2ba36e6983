"""The MOT text: its one writer, its one reader, and the sink of a run.

A line is ``frame,id,left,top,width,height,score,-1,-1,-1``: frames and ids from 1, pixels of the original image, one
line a person and frame.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import OutputError
from ..structures import Frame, SequenceInfo, Tracks

COLUMNS = 7  # that mean something
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
            # a full disk may have taken half a line
            os.ftruncate(self._file.fileno(), self._size)
            raise OutputError(f"cannot write {self.path}: {error.strerror}; free some space") from error
        self._size += written

    def close(self) -> None:
        """Close the file; again does nothing."""
        self._file.close()


class MotTextSink:
    """Writes the MOT text of a run, flushed at every frame.

    Args:
        path: file to write; its folder is made.
    """

    name = "text"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: MotWriter

    def open(self, info: SequenceInfo) -> None:
        """Create the file.

        Raises:
            OutputError: it or its folder cannot be made.
        """
        make_parent(self.path)
        self._writer = MotWriter(self.path)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Append the lines of a frame."""
        self._writer.write(frame.index + 1, tracks)

    def close(self) -> dict[str, Path]:
        """Close the file and tell where it is."""
        self._writer.close()
        return {"text": self.path}


def make_parent(path: Path) -> None:
    """Make the folder of a result.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {path.parent}: {error.strerror}; choose another output_dir"
        ) from error


def read_frames(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Read a MOT text frame by frame, whatever its length.

    Args:
        path: a text whose lines are in the order of their frames.

    Yields:
        The number of each frame that has lines, and its rows [N, 7]: frame, id, left, top, width, height, score.

    Raises:
        OutputError: it cannot be read, or is no such text.
    """
    rest = np.zeros((0, COLUMNS))
    for table in _read_tables(path):
        table = np.concatenate([rest, table])
        starts = np.flatnonzero(np.diff(table[:, 0], prepend=np.nan))
        *frames, rest = np.split(table, starts[1:])
        yield from ((int(rows[0, 0]), rows) for rows in frames)
    if len(rest):
        yield int(rest[0, 0]), rest


def read_table(path: Path) -> np.ndarray:
    """Read the whole of a MOT text.

    Returns:
        [N, 7] frame, id, left, top, width, height, score.

    Raises:
        OutputError: it cannot be read, or is no such text.
    """
    return np.concatenate([np.zeros((0, COLUMNS)), *_read_tables(path)])


def _read_tables(path: Path) -> Iterator[np.ndarray]:
    try:
        with path.open() as file:
            while lines := list(itertools.islice(file, LINES_AT_ONCE)):
                table = np.loadtxt(lines, delimiter=",", ndmin=2, usecols=range(COLUMNS))
                if len(table) < len(lines):
                    raise ValueError("it has empty lines")
                if not np.isfinite(table).all() or (table[:, :2] % 1).any():
                    raise ValueError("frames and ids must be whole numbers, all others finite")
                yield table
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise OutputError(f"cannot read the tracks back from {path}: {reason}") from error


def write_table(path: Path, table: np.ndarray) -> None:
    """Write a MOT text at once.

    Args:
        path: of the file.
        table: [N, 7] as `read_table` gives it, sorted by frame.

    Raises:
        OutputError: as `MotWriter`.
    """
    with contextlib.closing(MotWriter(path)) as writer:
        frames, first = np.unique(table[:, 0], return_index=True)
        for frame, rows in zip(frames, np.split(table, first[1:])):
            writer.write(int(frame), Tracks(rows[:, 1].astype(np.int64), rows[:, 2:6], rows[:, 6]))
