"""What lies between FFmpeg and a frame: opening, choosing the stream, dating pictures, turning them upright."""

from __future__ import annotations

import heapq
import time
from fractions import Fraction

import av
import numpy as np

from ..errors import SourceError

DEFAULT_RATE = 30.0


def open_container(
    address: str, label: str, timeout: float | None = None, options: dict[str, str] | None = None
) -> av.container.InputContainer:
    """Open a file or URL for reading.

    Args:
        address: what FFmpeg is given, password included.
        label: what error texts call it.
        timeout: seconds that the other end may stay silent, at the opening and later; None for files.
        options: of FFmpeg, for the format.

    Raises:
        SourceError: it cannot be opened as a video.
    """
    # Errors are raised from None: PyAV's own show the whole URL, password included.
    started = time.monotonic()
    try:
        return av.open(address, timeout=timeout, options=options or {}, metadata_errors="replace")
    except av.error.PermissionError:
        raise SourceError(f"no permission to read {label}: change its permissions") from None
    except av.error.FFmpegError as error:
        if timeout is not None and time.monotonic() - started >= timeout:
            raise SourceError(f"{label} did not answer within {timeout:g} s: check the address") from None
        advice = "is it a video?" if timeout is None else "check the address, and that it is a video"
        raise SourceError(f"cannot open {label} ({error.strerror}): {advice}") from None


def choose_stream(container: av.container.InputContainer, label: str) -> av.VideoStream:
    """Choose the first stream of moving pictures; the cover of an album is none.

    Raises:
        SourceError: there is no such stream, or no decoder for it.
    """
    cover = av.stream.Disposition.attached_pic
    stream = next((stream for stream in container.streams.video if not stream.disposition & cover), None)
    if stream is None:
        found = "only audio" if container.streams.audio else "no video stream"
        raise SourceError(f"{label} holds {found}: give a file with pictures")
    if stream.codec_context is None:
        raise SourceError(f"{label} has an unknown video codec: convert it to H.264 first")
    return stream


def nominal_rate(stream: av.VideoStream) -> float:
    """Frames per second that the file states, or a usual value where it states none."""
    rates = (float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate)
    # Streams without a rate of their own announce the ticks of their clock, 90000 a second.
    return next((rate for rate in rates if 0 < rate <= 1000), DEFAULT_RATE)


def frame_count(container: av.container.InputContainer, stream: av.VideoStream, frame_rate: float) -> int | None:
    """Expected number of frames, from the index of the file or from its duration; None where neither is known."""
    if stream.frames:
        return stream.frames
    if stream.duration:
        return round(stream.duration * stream.time_base * frame_rate)
    return round(container.duration / av.time_base * frame_rate) if container.duration else None


def upright(picture: av.VideoFrame) -> np.ndarray:
    """Convert to [H, W, 3] uint8 BGR, turned the way a player shows it."""
    image = picture.to_ndarray(format="bgr24")
    # Both PyAV and numpy count quarter turns counterclockwise.
    return np.ascontiguousarray(np.rot90(image, round(picture.rotation / 90)))


class Timeline:
    """Numbers and dates pictures as they leave the decoder, leaving a gap for each one that was lost.

    A packet fails when it goes in; pictures come out later and in another order (B-frames). So it is the timestamp of
    the failed packet that tells which number stays free.
    """

    def __init__(self, time_base: Fraction, frame_rate: float) -> None:
        self._time_base = time_base
        self._frame_rate = frame_rate
        self._lost: list[int] = []
        self._start: int | None = None
        self._next_index = 0
        self._last_index, self._last_time = -1, -1 / frame_rate

    def lose(self, pts: int | None) -> None:
        """Leave a gap where the picture of this timestamp would be; without one, right here."""
        if pts is None:
            self._next_index += 1
        else:
            heapq.heappush(self._lost, pts)

    def place(self, pts: int | None) -> tuple[int, float]:
        """Give the index and the time in seconds of the next picture."""
        while pts is not None and self._lost and self._lost[0] < pts:
            self._begin(heapq.heappop(self._lost))
            self._next_index += 1
        index = self._next_index
        self._next_index += 1
        seconds = None
        if pts is not None:
            self._begin(pts)
            seconds = float((pts - self._start) * self._time_base)
        if seconds is None or seconds <= self._last_time:
            # No timestamp, or one that jumps back: count on from the picture before at the nominal rate.
            seconds = self._last_time + (index - self._last_index) / self._frame_rate
        self._last_index, self._last_time = index, seconds
        return index, seconds

    @property
    def start(self) -> float:
        """Time of the first picture in the input's own clock, in seconds; 0 without timestamps."""
        return float((self._start or 0) * self._time_base)

    def _begin(self, pts: int) -> None:
        if self._start is None:
            self._start = pts
