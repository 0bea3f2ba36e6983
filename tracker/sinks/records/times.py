"""The times of the frames of a run, as a small file beside the MOT text, which has their numbers only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...errors import OutputError, SourceError
from ...structures import Frame, SequenceInfo, Tracks
from ..files import make_parent, times_path

HEADER = "frame,seconds"
JITTER = 0.1  # frame periods by which a time stamp may be off without a mark of its own


class Clock:
    """The time of every frame in whole milliseconds, as it can be told again without the video.

    Between two marks time goes by the frame rate. A mark is made wherever it does not, so that a constant rate has
    one only, and a pause has one after it.

    Args:
        frame_rate: frames per second.
        marks: frame and milliseconds, in order, of a recording that was made; () to make marks by `tell`.

    Attributes:
        marks: the marks, [N, 2] int64.
    """

    def __init__(self, frame_rate: float, marks: Iterable[tuple[int, int]] = ()) -> None:
        self._period = 1000 / frame_rate
        self.marks = np.array(list(marks), np.int64).reshape(-1, 2)
        self._last: tuple[int, int] | None = None

    def tell(self, frame: int, seconds: float) -> tuple[int, bool]:
        """Return the time of the next frame, and whether it is a mark, which must be kept to tell it again.

        Args:
            frame: its number.
            seconds: its time stamp.
        """
        if self._last is not None:
            mark, time = self._last
            expected = time + round((frame - mark) * self._period)
            if abs(1000 * seconds - expected) <= max(JITTER * self._period, 1):
                return expected, False
        self._last = frame, round(1000 * seconds)
        return self._last[1], True

    def at(self, frames: np.ndarray) -> np.ndarray:
        """Return the time [N] of frames [N], milliseconds; without a mark the first frame, number 1, has time 0."""
        if not len(self.marks):
            return np.rint((frames - 1) * self._period)
        mark, time = self.marks[np.maximum(np.searchsorted(self.marks[:, 0], frames, side="right") - 1, 0)].T
        return time + np.rint((frames - mark) * self._period)


def read_times(path: Path) -> list[tuple[int, int]]:
    """Return the marks of a file of times, frame and milliseconds.

    Raises:
        SourceError: it cannot be read, or is no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        marks = [
            (int(frame), round(1000 * float(seconds))) for frame, seconds in (line.split(",") for line in lines[1:])
        ]
        if lines[:1] != [HEADER] or any(a[0] > b[0] or a[1] > b[1] for a, b in pairwise(marks)):
            raise ValueError
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, OverflowError) as error:
        raise SourceError(f"{path} is no file of times: remove it to count by the frame rate") from error
    return marks


class TimesSink:
    """Writes the marks of a run's clock, and its last frame.

    Args:
        folder: output folder; the file is ``mot_results/NAME_times.csv`` in it.
    """

    name = "text"  # it takes no time of its own

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path
        self._clock: Clock
        self._descriptor: int
        self._last: tuple[int, int] | None = None

    def open(self, info: SequenceInfo) -> None:
        """Create the file.

        Raises:
            OutputError: it or its folder cannot be made.
        """
        self._path = times_path(self._folder, info.name)
        make_parent(self._path)
        self._clock = Clock(info.frame_rate)
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}; choose another output_dir") from error
        self._write(f"{HEADER}\n")

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Note the time of a frame where it cannot be told from those before."""
        number = frame.index + 1
        milliseconds, is_mark = self._clock.tell(number, frame.time)
        self._last = None if is_mark else (number, milliseconds)
        if is_mark:
            self._write(_line(number, milliseconds))

    def close(self) -> dict[str, Path]:
        """Note the last frame, and return the path, as ``times``."""
        try:
            if self._last:
                self._write(_line(*self._last))
        finally:
            os.close(self._descriptor)
        return {"times": self._path}

    def _write(self, line: str) -> None:
        try:
            os.write(self._descriptor, line.encode())
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}; free some space") from error


def write_times(path: Path, frame_rate: float, frames: np.ndarray, milliseconds: np.ndarray) -> None:
    """Write the times of frames as a run with them would have.

    Args:
        path: of the file.
        frame_rate: frames per second.
        frames: their numbers [N], in order.
        milliseconds: their times [N].

    Raises:
        OutputError: it cannot be written.
    """
    clock = Clock(frame_rate)
    told = [(int(frame), clock.tell(int(frame), time / 1000)) for frame, time in zip(frames, milliseconds)]
    lines = [_line(frame, time) for frame, (time, is_mark) in told if is_mark]
    if told and not told[-1][1][1]:
        lines.append(_line(told[-1][0], told[-1][1][0]))
    try:
        path.write_text("".join([f"{HEADER}\n", *lines]), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; free some space") from error


def _line(frame: int, milliseconds: int) -> str:
    return f"{frame},{milliseconds / 1000:.3f}\n"
