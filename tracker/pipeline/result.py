"""The result of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.answers import Answers, Heat
from ..analysis.files import RowList, Table
from ..analysis.rows import Count, Crossing, Person, Visit
from ..errors import OutputError, SourceError, printable
from ..sinks.mot_text import HEIGHT, ID, LEFT, SCORE, read_frames, read_table
from ..sinks.segments.segment import Segment
from ..structures import FrameTracks

if TYPE_CHECKING:
    import pandas


class _People(int):
    """How many people there are, as a number; and, called, a row for each of them."""

    def of(self, name: str, folder: Path | None) -> _People:
        """Set whose people these are."""
        self._name, self._folder = name, folder
        return self

    def __call__(self) -> Table[Person]:
        """Return when each person was seen, and how far they went.

        Raises:
            OutputError: the run had no scene.
        """
        return _answers(self._name, self._folder).people()


@dataclass(frozen=True)
class TrackingResult:
    """Files and figures of a run.

    Iterating reads the tracks frame by frame from the text file, so that a long run takes no more memory than a short
    one.

    Attributes:
        name: name of the sequence, as in the names of the files.
        frames: number of frames tracked.
        skipped: number of corrupt or unreadable frames left out.
        dropped: number of frames of a live source left out because the run was busy with older ones.
        last_frame: number of the last frame tracked, from 1; ``frames`` unless some were left out.
        seconds: wall time of the run.
        stage_fps: frames per second of each stage by itself; that of the network by the time spent waiting for it.
        people: number of different identities. Called, as ``people()``, it gives the rows of `Answers.people`: when
            each was seen, and how far they went.
        frame_rate: usual frames per second of the source.
        model: name of the model that ran.
        model_path: folder of that model; None for a detector of your own.
        backend: backend and precision of the network, such as ``paddle fp32``.
        files: the files written, by kind: ``text``, ``video``, ``refined``, and those of your own sinks.
        skip_frames: every N-th frame was tracked, the first included.
        first_frame: number of the first frame of the source; 1 but for images of a sequence that are named otherwise.
        segments: of a run whose files were cut, the newest hundred that are finished and were not removed, in order;
            ``files`` are those of the last one. A frame has the numbers of the run here and begins with 1 in the files
            of each segment.
        segment_count: number of segments in all.
        delivery: how many events were ``sent`` and ``lost``, by the option that asked for it, as ``webhook``.
        source_seconds: seconds of the source from the first frame to the end of the last one tracked.
        lag_p50: seconds from the arrival of a frame of a live source to its result that half of the frames did not
            take longer than; None for other sources.
        lag_p95: the same for 95 % of the frames.
        reconnects: how often a live source was lost and came back.
        realtime_skip: every N-th frame was tracked in the end, as ``realtime`` chose; None without. Frames without
            people are then left out when iterating, for they may not have been looked at.
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
    model_path: Path | None
    backend: str
    files: dict[str, Path] = field(default_factory=dict)
    skip_frames: int = 1
    first_frame: int = 1
    segments: tuple[Segment, ...] = ()
    segment_count: int = 1
    delivery: dict[str, dict[str, int]] = field(default_factory=dict)
    source_seconds: float = 0.0
    lag_p50: float | None = None
    lag_p95: float | None = None
    reconnects: int = 0
    realtime_skip: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "people", _People(self.people).of(self.name, self.files.get("answers")))

    @property
    def text_path(self) -> Path | None:
        """Path of the MOT text, or None."""
        return self.files.get("text")

    @property
    def video_path(self) -> Path | None:
        """Path of the annotated video, or None."""
        return self.files.get("video")

    @property
    def refined_path(self) -> Path | None:
        """Path of the MOT text of the refined tracks, or None. Iterating reads ``text_path`` all the same."""
        return self.files.get("refined")

    def __iter__(self) -> Iterator[FrameTracks]:
        """Iterate over the frames from the first to the last one tracked, those without people included.

        Frames that ``skip_frames`` left out are not. Of a run whose files were cut these are the frames of `segments`.

        Raises:
            OutputError: there is no text file, or it was removed or changed since.
        """
        if not self.frames:
            return
        for path, first, last, shift in self._texts():
            yield from self._read(path, first, last, shift)

    def _read(self, path: Path, expected: int, last: int, shift: int) -> Iterator[FrameTracks]:
        """Yield the frames of a text, whose numbers are lower than those of the run by a shift."""
        try:
            for number, rows in read_frames(path):
                if not expected <= number + shift <= last:
                    low, high = expected - shift, last - shift
                    raise SourceError(f"{path}: frame {number} where one of {low} to {high} may come")
                number += shift
                yield from self._empty(expected, number)
                yield FrameTracks(number, rows[:, ID].astype(np.int64), rows[:, LEFT : HEIGHT + 1], rows[:, SCORE])
                expected = number + 1
        except SourceError as error:
            raise OutputError(f"cannot read the tracks back from {error}") from error
        yield from self._empty(expected, last + 1)

    def _texts(self) -> list[tuple[Path, int, int, int]]:
        """Return each text with its first and last frame in the run, and what its own numbers are lower by."""
        if not self.segments:
            return [(self._text(self.files), self.first_frame, self.last_frame, 0)]
        written = [one for one in self.segments if "text" in one.files]  # a full disk may have taken none
        return [
            (self._text(one.files), one.first_frame, one.last_frame, one.first_frame - one.first_in_text)
            for one in written or self.segments[-1:]
        ]

    def _text(self, files: dict[str, Path]) -> Path:
        if "text" not in files:
            raise OutputError(f"the run of {self.name} wrote no MOT text to read its tracks from")
        return files["text"]

    def _empty(self, start: int, stop: int) -> Iterator[FrameTracks]:
        """Yield the tracked frames of a range without people."""
        for number in range(start, stop) if self.realtime_skip is None else ():
            if (number - self.first_frame) % self.skip_frames == 0:
                yield FrameTracks(number, np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))

    def to_dataframe(self) -> pandas.DataFrame:
        """Return the whole result as a pandas table: frame, id, left, top, width, height, score.

        Raises:
            ImportError: pandas is not installed.
            OutputError: there is no text file, or it cannot be read back.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_dataframe() needs pandas: pip install pandas") from error
        names = ["frame", "id", "left", "top", "width", "height", "score"]
        tables = [np.zeros((0, len(names)))]
        for path, _, _, shift in self._texts() if self.frames else ():
            tables.append(read_table(path))
            tables[-1][:, 0] += shift
        table = np.concatenate(tables)
        frame = pandas.DataFrame(table, columns=names)
        return frame.astype({"frame": int, "id": int})

    @property
    def answers(self) -> Answers:
        """The answers to the scene of the run.

        Raises:
            OutputError: the run had no scene.
        """
        return _answers(self.name, self.files.get("answers"))

    def crossings(self) -> Table[Crossing]:
        """Return who crossed which line of the scene, when and where.

        Returns:
            The crossings; iterable, with ``to_dataframe()``, as those of the other methods for scenes.

        Raises:
            OutputError: the run had no scene, or the file cannot be read.
        """
        return self.answers.crossings()

    def counts(self, interval: float | None = None) -> Table[Count] | RowList[Count]:
        """Return how many crossed each line, by intervals.

        Args:
            interval: seconds; None for that of the run.

        Raises:
            OptionError: the interval is no positive number.
            OutputError: the run had no scene, or the file cannot be read.
        """
        return self.answers.counts(interval)

    def visits(self) -> Table[Visit]:
        """Return who was in which zone of the scene, from when to when.

        Raises:
            OutputError: the run had no scene, or the file cannot be read.
        """
        return self.answers.visits()

    def heat(self) -> Heat:
        """Return where people stood for how long.

        Raises:
            OutputError: the run had no scene, or the file cannot be read.
        """
        return self.answers.heat()

    @property
    def when_stopped(self) -> str:
        """What is there if the run was stopped before its end, as a clause of a message."""
        return what_is_whole(bool(self.frames and self.files))

    @property
    def fps(self) -> float:
        """Frames per second of the whole run."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    @property
    def speed(self) -> float:
        """Seconds of the source that were tracked in a second."""
        return self.source_seconds / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        stages = ", ".join(f"{stage} {rate:.1f}" for stage, rate in self.stage_fps.items())
        speed = f", {self.speed:.1f} x real time" if self.source_seconds and self.lag_p50 is None else ""
        lines = [
            f"{self.name}: {self.frames} frames in {self.seconds:.1f} s ({self.fps:.1f} frames/s{speed}), "
            f"{self.people} people, model {self.model}, {self.backend}",
            f"  frames/s by stage: {stages}",
        ]
        if self.text_path:
            lines.append(f"  tracks: {self.text_path}")
        if self.refined_path:
            lines.append(f"  refined: {self.refined_path}")
        if self.video_path:
            lines.append(f"  video:  {self.video_path}")
        if "answers" in self.files:
            lines.append(f"  answers: {self.files['answers']}")
        if "report" in self.files:
            lines.append(f"  report: {self.files['report']}")
        if self.segments:
            lines.append(f"  segments: {self.segment_count}, the last one {self.segments[-1].name}")
        if self.lag_p50 is not None and self.lag_p95 is not None:
            lines.append(f"  lag: {self.lag_p50:.2f} s for half of the frames, {self.lag_p95:.2f} s for 95 %")
        if self.realtime_skip is not None:
            lines.append(f"  realtime: every frame in {self.realtime_skip} was tracked in the end")
        if self.reconnects:
            lines.append(f"  the source was lost and came back {self.reconnects} times")
        if self.skipped:
            lines.append(f"  {self.skipped} corrupt frames were skipped")
        if self.dropped:
            lines.append(f"  {self.dropped} frames were dropped, for they came too fast")
        for receiver, number in self.delivery.items():
            lost = f", {number['lost']} lost" if number["lost"] else ""
            lines.append(f"  {receiver}: {number['sent']} sent{lost}")
        return "\n".join(map(printable, lines))


def what_is_whole(has_files: bool) -> str:
    """Return what there is of a run that was stopped, which may have made files."""
    return "the files hold all finished frames" if has_files else "no frame was finished"


def _answers(name: str, folder: Path | None) -> Answers:
    if folder is None:
        raise OutputError(f"the run of {name} had no scene: give one to it, or its text and one to analyse()")
    return Answers(folder)
