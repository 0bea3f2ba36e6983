"""Time stamps: when a picture is shown, by the container's stamps or, without them, by the nominal rate."""

from __future__ import annotations

import heapq
from fractions import Fraction

import av

from .base import DEFAULT_RATE


def nominal_rate(stream: av.VideoStream) -> float:
    """Return the frames per second that a stream states, or 30 where it states none."""
    rates = (float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate)
    # Streams without a rate of their own announce the ticks of their clock, 90000 a second.
    return next((rate for rate in rates if 0 < rate <= 1000), DEFAULT_RATE)


class Timeline:
    """The numbers and times of pictures as they leave the decoder; a picture that was lost leaves a gap.

    A damaged packet fails when it enters the decoder, while pictures come out later and in another order (B-frames).
    So it is the packet's time stamp that tells which number to leave out.

    Args:
        time_base: seconds per tick of the time stamps.
        frame_rate: nominal frames per second, by which pictures without a usable time stamp are dated.
    """

    def __init__(self, time_base: Fraction, frame_rate: float) -> None:
        self._time_base = time_base
        self._frame_rate = frame_rate
        self._lost: list[int] = []
        self._start: int | None = None
        self._next_index = 0
        self._last_index, self._last_time = -1, -1 / frame_rate

    def mark_lost(self, pts: int | None) -> None:
        """Leave a gap for a picture that cannot be decoded.

        Args:
            pts: its time stamp in ticks; None puts the gap before the next picture.
        """
        if pts is None:
            self._next_index += 1
        else:
            heapq.heappush(self._lost, pts)

    def next_picture(self, pts: int | None) -> tuple[int, float]:
        """Return the number and the time of the next picture.

        Args:
            pts: its time stamp in ticks, if it has one.

        Returns:
            The index from 0, lost pictures counted in, and the seconds since the first picture. Both increase from
            call to call.
        """
        while pts is not None and self._lost and self._lost[0] < pts:
            self._start_at(heapq.heappop(self._lost))
            self._next_index += 1
        index = self._next_index
        self._next_index += 1
        seconds = None
        if pts is not None:
            seconds = float((pts - self._start_at(pts)) * self._time_base)
        if seconds is None or seconds <= self._last_time:
            # No time stamp, or one that jumps back: go on from the picture before at the nominal rate.
            seconds = self._last_time + (index - self._last_index) / self._frame_rate
        self._last_index, self._last_time = index, seconds
        return index, seconds

    @property
    def start(self) -> float:
        """Time of the first picture in the input's own clock, in seconds; 0 without time stamps."""
        return float((self._start or 0) * self._time_base)

    def _start_at(self, pts: int) -> int:
        """Return the first time stamp of all, which is the given one at the first call."""
        if self._start is None:
            self._start = pts
        return self._start
