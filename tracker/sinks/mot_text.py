"""The values that users get, and the MOT text format.

A line of the text is ``frame,id,left,top,width,height,score,-1,-1,-1``: frames and ids from 1, pixels of the original
image, one line a person and frame.
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError
from ..structures import Tracks

if TYPE_CHECKING:
    pass


class MotWriter:
    """Writes the MOT text of one sequence, whole lines only, flushed at every frame.

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
        """Append the lines of a frame (number from 1)."""
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
        """Close the file; twice does no harm."""
        self._file.close()


def read_table(path: Path) -> np.ndarray:
    """The whole of a MOT text file: [N, 7] frame, id, left, top, width, height, score.

    Raises:
        OutputError: it cannot be read.
    """
    try:
        lines = path.read_text()
        return np.loadtxt(io.StringIO(lines), delimiter=",", ndmin=2, usecols=range(7)) if lines else np.zeros((0, 7))
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot read the tracks back from {path}: {error}") from error


def write_table(path: Path, table: np.ndarray) -> None:
    """Write a MOT text file at once.

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
