"""Time stamps: when a picture is shown, by the container's stamps or, without them, by the frame rate."""

from __future__ import annotations

import enum
import heapq
import time
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av
import numpy as np

from .base import DEFAULT_RATE

_NO_TIMESTAMPS = 0x80  # FFmpeg's flag AVFMT_NOTIMESTAMPS of formats that only put pictures one behind the other
# Formats whose presentation times FFmpeg makes up from those of decoding, and formats without times that have no flag
# to say so: pictures that just follow each other.
DELAYED_FORMATS = frozenset({"asf", "asf_o"})  # whose sound waits for the pictures that are decoded ahead
_ONE_STAMP_FORMATS = DELAYED_FORMATS | {"avi"}
_PIPES = ("_pipe", "image2pipe")
_PAUSE = 4.0  # usual steps between two pictures from which on it is a pause, and says nothing of the rate
_SAME_RATE = 0.1  # share by which the stated rate may differ from the usual one

ARRIVAL_TICK = Fraction(1, 1_000_000)  # seconds, in which `date_by_arrival` counts
_AT_ONCE = 0.005  # seconds: a packet that comes sooner than this after another one lay ready
_MOST_READY = 250  # packets that FFmpeg may have read at the opening


class Stamps(enum.Enum):
    """What the time stamps of a stream are worth.

    Attributes:
        PRESENTATION: each picture has the time at which it is shown.
        DECODING: packets have one stamp, that of decoding: the pictures have the same ones, but in order.
        NONE: there are none, or FFmpeg made them up.
    """

    PRESENTATION = enum.auto()
    DECODING = enum.auto()
    NONE = enum.auto()

    @classmethod
    def of(cls, container: av.container.InputContainer, packets: Sequence[av.Packet], reordered: bool) -> Stamps:
        """Return the kind of a stream.

        Args:
            container: the input.
            packets: the first ones of the stream; may be empty.
            reordered: whether pictures come in another order than packets (B-frames).
        """
        unstamped = container.format.flags & _NO_TIMESTAMPS
        if unstamped or container.format.name.endswith(_PIPES):
            return cls.NONE
        if packets and all(packet.pts is None for packet in packets):
            return cls.NONE if all(packet.dts is None for packet in packets) else cls.DECODING
        wrong = reordered and len(packets) > 1 and all(packet.pts == packet.dts for packet in packets)
        return cls.DECODING if wrong or container.format.name in _ONE_STAMP_FORMATS else cls.PRESENTATION


def nominal_rate(stream: av.VideoStream) -> float:
    """Return the frames per second that a stream states, or 30 where it states none."""
    return _sane_rate(stream.average_rate, stream.guessed_rate)


def coded_rate(stream: av.VideoStream) -> float:
    """Return the frames per second that the codec's headers state, or else FFmpeg's usual 25."""
    return _sane_rate(stream.codec_context.framerate, stream.average_rate)


def _sane_rate(*rates: Fraction | None) -> float:
    # Streams without a rate of their own announce the ticks of their clock, 90000 a second.
    return next((float(rate) for rate in rates if rate and 0 < rate <= 1000), DEFAULT_RATE)


def usual_rate(times: Iterable[float], stated: float) -> float:
    """Return the usual frames per second, pauses left out; the average rate of a file counts them in.

    Args:
        times: of some pictures that follow each other, in seconds, in any order.
        stated: rate of the stream, returned where the times agree with it or say nothing.
    """
    steps = np.diff(np.unique(np.fromiter(times, float)))
    if not len(steps):
        return stated
    rate = round(float(1 / steps[steps <= _PAUSE * np.median(steps)].mean()), 3)
    return stated if abs(rate - stated) <= _SAME_RATE * stated or not 0 < rate <= 1000 else rate


def date_by_arrival(packets: Iterable[av.Packet], period: float) -> Iterator[av.Packet]:
    """Yield the packets of a live stream, stamped with the time at which they arrived.

    Those that FFmpeg read while it opened the stream come all at once, and are dated back.

    Args:
        packets: as they arrive; their time stamps are replaced by ticks of `ARRIVAL_TICK`.
        period: seconds between two of those read at the opening.
    """
    ready: list[av.Packet] | None = []  # None once the first packet was waited for
    last, before = 0, time.monotonic()
    for packet in packets:
        now = time.monotonic()
        if ready is not None:
            if now - before < _AT_ONCE and packet.size and len(ready) < _MOST_READY:
                ready.append(packet)
                before = now
                continue
            for place, early in enumerate(ready):
                early.pts = early.dts = last = round((now - (len(ready) - place) * period) / ARRIVAL_TICK)
                yield early
            ready = None
        if packet.size:
            packet.pts = packet.dts = last = max(round(now / ARRIVAL_TICK), last + 1)
        yield packet


class Timeline:
    """The numbers and times of pictures as they leave the decoder; a picture that was lost leaves a gap.

    A damaged packet fails when it enters the decoder, while pictures come out later and in another order (B-frames).
    So it is the packet's time stamp that tells which number to leave out.

    Args:
        time_base: seconds per tick of the time stamps.
        frame_rate: frames per second, by which pictures without a usable time stamp are dated.
        in_order: packets have one stamp each, and the pictures get them in order of time, see `Stamps.DECODING`.
        delayed: such pictures are shown when the decoder has them, and not when their packets enter it.
    """

    def __init__(self, time_base: Fraction, frame_rate: float, in_order: bool = False, delayed: bool = False) -> None:
        self._time_base = time_base
        self._frame_rate = frame_rate
        self._in_order = in_order
        self._delayed = delayed
        self._delay: int | None = None  # ticks
        self._waiting: list[int] = []  # stamps of packets whose pictures are to come
        self._lost: list[int] = []
        self._start: int | None = None
        self._next_index = 0
        self._last_index, self._last_time = -1, -1 / frame_rate

    def enter(self, stamp: int | None) -> None:
        """Note a packet that enters the decoder.

        Args:
            stamp: its time stamp in ticks, which the decoder hands on to its picture.
        """
        if self._in_order and stamp is not None:
            heapq.heappush(self._waiting, stamp)

    def mark_lost(self, pts: int | None) -> None:
        """Leave a gap for a picture that cannot be decoded.

        Args:
            pts: its time stamp in ticks; None puts the gap before the next picture.
        """
        if pts is None:
            self._next_index += 1
            return
        heapq.heappush(self._lost, pts)
        if pts in self._waiting:
            self._waiting.remove(pts)
            heapq.heapify(self._waiting)

    def next_picture(self, pts: int | None, key: bool = False, decoded: int | None = None) -> tuple[int, float]:
        """Return the number and the time of the next picture.

        Args:
            pts: the time stamp of its packet in ticks, if it has one.
            key: whether it is a key frame, after which nothing older is shown.
            decoded: the time stamp of the packet upon which the decoder gave the picture away.

        Returns:
            The index from 0, lost pictures counted in, and the seconds since the first picture. Both increase from
            call to call.
        """
        if self._in_order:
            pts = self._first_waiting(pts, key)
            if self._delay is None:
                self._delay = 0 if pts is None or decoded is None or not self._delayed else decoded - pts
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
        return float(((self._start or 0) + (self._delay or 0)) * self._time_base)

    def _first_waiting(self, own: int | None, key: bool) -> int | None:
        """Return the earliest stamp for which no picture came yet.

        Args:
            own: stamp of the picture's own packet.
            key: the picture is a key frame: what entered before it and did not come out was swallowed by the decoder.
        """
        while key and own is not None and self._waiting and self._waiting[0] < own:
            heapq.heappop(self._waiting)
        return heapq.heappop(self._waiting) if self._waiting else own

    def _start_at(self, pts: int) -> int:
        """Return the first time stamp of all, which is the given one at the first call."""
        if self._start is None:
            self._start = pts
        return self._start
