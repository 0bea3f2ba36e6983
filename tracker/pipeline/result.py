"""What a run made."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError
from ..structures import FrameTracks

if TYPE_CHECKING:
    import pandas


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
