"""The values that users get, and the MOT text format.

A line of the text is ``frame,id,left,top,width,height,score,-1,-1,-1``: frames and ids from 1, pixels of the original
image, one line a person and frame.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import OutputError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Tracks:
    """The people in sight in one frame.

    Attributes:
        ids: [N] int64 identities from 1.
        boxes: [N, 4] float64 left, top, width, height in pixels of the original image; parts may lie outside of it.
        scores: [N] float64 confidence of the detection, 0 to 1.
        embeddings: [N, D] float32 appearance of the tracks so far, L2-normalised; None where nobody needs it.
    """

    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class FrameTracks:
    """One frame of a result.

    Attributes:
        frame: number from 1.
        ids: [N] int64.
        boxes: [N, 4] left, top, width, height in pixels of the original image.
        scores: [N].
    """

    frame: int
    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


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


@dataclass(frozen=True)
class TrackingResult:
    """What a run made. Iterating reads the tracks frame by frame from the text file, so its length costs no memory.

    Attributes:
        name: of the sequence, as in the names of the files.
        frames: frames tracked.
        skipped: corrupt or unreadable frames left out.
        dropped: frames of a live source left out, because the run was busy with older ones.
        last_frame: number of the last frame tracked, from 1; ``frames`` unless some were skipped.
        seconds: wall time of the run.
        stage_fps: frames per second of each stage by itself; of the network, by the time spent waiting for it.
        people: different identities seen.
        frame_rate: nominal frames per second of the source.
        model: name of the model that ran, with its folder in ``model_path``.
        backend: what it ran on and how precisely, such as ``paddle fp32``.
        text_path: MOT text file.
        video_path: annotated video, None if there is none.
        refined_path: MOT text file of the refined tracks, None if there is none. Iterating reads ``text_path``.
        skip_frames: every so many-th frame was tracked, the first included.
    """

    name: str
    frames: int
    skipped: int
    dropped: int
    last_frame: int
    seconds: float
    stage_fps: dict[str, float]
    people: int
    frame_rate: float
    model: str
    model_path: Path
    backend: str
    text_path: Path
    video_path: Path | None = None
    refined_path: Path | None = None
    skip_frames: int = 1

    def __iter__(self) -> Iterator[FrameTracks]:
        """Every frame from the first to the last one tracked, those without anybody included, those that
        ``skip_frames`` left out not.

        Raises:
            OutputError: the text file is no longer there, or was changed into something else.
        """
        if not self.frames:
            return
        expected = 1
        try:
            with self.text_path.open() as file:
                for number, lines in itertools.groupby(file, key=lambda line: int(line.split(",")[0])):
                    if not expected <= number <= self.last_frame:
                        raise ValueError(f"frame {number} where one of {expected} to {self.last_frame} may come")
                    yield from self._empty(expected, number)
                    yield self._frame(number, lines)
                    expected = number + 1
        except (OSError, ValueError, IndexError) as error:
            raise OutputError(f"cannot read the tracks back from {self.text_path}: {error}") from error
        yield from self._empty(expected, self.last_frame + 1)

    def _empty(self, start: int, stop: int) -> Iterator[FrameTracks]:
        return (self._frame(number, []) for number in range(start, stop) if (number - 1) % self.skip_frames == 0)

    def _frame(self, number: int, lines: Iterable[str]) -> FrameTracks:
        fields = [line.split(",") for line in lines]
        numbers = np.array([row[2:7] for row in fields], dtype=np.float64).reshape(len(fields), 5)
        return FrameTracks(
            frame=number,
            ids=np.array([int(row[1]) for row in fields], dtype=np.int64),
            boxes=numbers[:, :4],
            scores=numbers[:, 4],
        )

    def to_dataframe(self) -> pandas.DataFrame:
        """The whole result as a pandas table: frame, id, left, top, width, height, score.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_dataframe() needs pandas: pip install pandas") from error
        if not self.text_path.is_file() and self.frames:
            raise OutputError(f"cannot read the tracks back from {self.text_path}: it is gone")
        columns = ["frame", "id", "left", "top", "width", "height", "score"]
        if not self.frames:
            return pandas.DataFrame(columns=columns)
        return pandas.read_csv(self.text_path, header=None, names=columns, usecols=range(len(columns)))

    @property
    def fps(self) -> float:
        """Frames per second of the whole run."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        stages = ", ".join(f"{stage} {rate:.1f}" for stage, rate in self.stage_fps.items())
        lines = [
            f"{self.name}: {self.frames} frames in {self.seconds:.1f} s ({self.fps:.1f} frames/s), "
            f"{self.people} people, model {self.model}, {self.backend}",
            f"  frames/s by stage: {stages}",
            f"  tracks: {self.text_path}",
        ]
        if self.refined_path:
            lines.append(f"  refined: {self.refined_path}")
        if self.video_path:
            lines.append(f"  video:  {self.video_path}")
        if self.skipped:
            lines.append(f"  {self.skipped} corrupt frames were skipped")
        if self.dropped:
            lines.append(f"  {self.dropped} frames were dropped, for they came too fast")
        return "\n".join(lines)
