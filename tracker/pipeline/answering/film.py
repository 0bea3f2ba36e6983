"""A video shown again beside the MOT text that was made of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import OptionError
from ...sinks.base import Sink
from ...sinks.mot_text import FRAME, HEIGHT, ID, LEFT, SCORE
from ...sinks.records.times import Clock
from ...sources import Source
from ...structures import Frame, SequenceInfo, Tracks
from .private_answers import AnyAnswers


class Film:
    """Hands out the frames of a video that were tracked, each with its rows of the text.

    Args:
        source: the video, from its first frame on.
        size: width and height of the pictures that were tracked.
        skip_frames: every N-th frame was tracked.
        last_frame: number of the last one; None for all.
        sink: also gets every frame with its tracks, until `close`; None for none.

    Raises:
        OptionError: while showing: the pictures are of another size.
        SourceError: while showing: the video cannot be read.
    """

    def __init__(
        self,
        source: Source,
        size: tuple[int, int],
        skip_frames: int,
        last_frame: int | None,
        sink: Sink | None = None,
    ) -> None:
        self._source, self._size = source, size
        self._frames = self._tracked(skip_frames, last_frame)
        self._next = next(self._frames, None)
        self._sink = sink if self._next is not None else None
        if self._sink:
            sound, aspect = source.audio_stream, source.pixel_aspect
            about = (source.frame_rate, size, source.start_time, sound, aspect, skip_frames, source.first_frame)
            self._sink.open(SequenceInfo(source.name, *about))

    def show(self, rows: np.ndarray, clock: Clock, answers: AnyAnswers) -> None:
        """Write a portion of the text, and the frames up to its end.

        Args:
            rows: [N, 10] of the text, of whole frames.
            clock: tells the time of frames.
            answers: where they go.
        """
        starts = np.flatnonzero(np.diff(rows[:, FRAME], prepend=np.nan))
        for group in np.split(rows, starts[1:]):
            number = int(group[0, FRAME])
            while self._next is not None and self._next.index + 1 < number:
                self._write(self._next, rows[:0], clock, answers)
                self._next = next(self._frames, None)
            if self._next is not None and self._next.index + 1 == number:
                self._write(self._next, group, clock, answers)
                self._next = next(self._frames, None)
            else:  # the text goes on after the end of the video, or a frame cannot be decoded any more
                now = clock.at(group[:1, FRAME])[0]
                answers.write(np.column_stack([np.full(len(group), now), group[:, : SCORE + 1]]), float(now))

    def show_rest(self, clock: Clock, answers: AnyAnswers) -> None:
        """Write the frames after the last one of the text."""
        while self._next is not None:
            self._write(self._next, np.zeros((0, SCORE + 1)), clock, answers)
            self._next = next(self._frames, None)

    def close(self) -> None:
        """Finish what the sink makes."""
        if self._sink:
            self._sink.close()

    def _write(self, frame: Frame, rows: np.ndarray, clock: Clock, answers: AnyAnswers) -> None:
        now = float(clock.at(np.array([frame.index + 1.0]))[0])
        tracks = Tracks(rows[:, ID].astype(np.int64), rows[:, LEFT : HEIGHT + 1], rows[:, SCORE])
        answers.write(np.column_stack([np.full(len(rows), now), rows[:, : SCORE + 1]]), now, frame, tracks)
        if self._sink:
            self._sink.write(frame, tracks)

    def _tracked(self, skip_frames: int, last_frame: int | None) -> Iterator[Frame]:
        for frame in self._source:
            if last_frame is not None and frame.index + 1 > last_frame:
                return
            if (frame.index + 1 - self._source.first_frame) % skip_frames:
                continue
            height, width = frame.image.shape[:2]
            if (width, height) != self._size:
                raise OptionError(
                    f"the video is {width} x {height} pixels, but the text is of {self._size[0]} x {self._size[1]}: "
                    "give the video that was tracked"
                )
            yield frame
