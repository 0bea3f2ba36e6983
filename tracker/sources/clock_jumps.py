"""Clocks that jump or restart within an input, closed up as FFmpeg's own program does it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import av

logger = logging.getLogger(__name__)

_MAY_JUMP = 0x200  # FFmpeg's flag AVFMT_TS_DISCONT of formats whose clock may jump, as that of MPEG-TS

# Seconds between two packets of a stream. FFmpeg's program has the same limits (-dts_delta_threshold,
# -dts_error_threshold): where a format is known for clocks that jump a long gap is none, elsewhere it is a pause.
_LONGEST_GAP = 10.0
_LONGEST_PAUSE = 30 * 3600.0
_STEP_BACK = 0.1  # by which decoding times may go back in such formats, for they are rounded
_ANY_STEP_BACK = 2.0  # elsewhere, and for presentation times: B-frames do not come in their order


@dataclass
class _Clock:
    """The clock of one stream; times in seconds."""

    offset: float  # to add to its time stamps
    last: float | None = None  # time of the last packet, offset included
    expected: float = 0.0  # that of the next one
    decoding: bool = False  # whether that was told by decoding time
    arrived: float = 0.0  # when the last packet came, by the clock of this machine


class ClockJumps:
    """Moves the time stamps of packets so that they go on where the clock of the input jumps.

    The streams of an input have one clock, so that a jump that one stream meets is taken over by the others, which
    keeps sound and pictures together.

    Args:
        container: the input.
        live: whether packets arrive in real time; then a pause is one that this machine's clock confirms.
        label: what messages call the input.
    """

    def __init__(self, container: av.container.InputContainer, live: bool, label: str) -> None:
        may_jump = live or bool(container.format.flags & _MAY_JUMP)
        self._longest_gap = _LONGEST_GAP if may_jump else _LONGEST_PAUSE
        self._step_back = _STEP_BACK if may_jump else _ANY_STEP_BACK
        self._live = live
        self._label = label
        self._clocks: dict[int, _Clock] = {}
        self._offset = 0.0  # that of the last jump

    def mend(self, packet: av.Packet, duration: float) -> None:
        """Move the time stamps of a packet.

        Args:
            packet: the next of the input; changed in place.
            duration: seconds that it lasts, by which the next one of its stream comes later.
        """
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None or not packet.size:
            return
        if packet.pts is not None and abs(packet.pts - stamp) * packet.time_base > self._longest_gap:
            packet.pts = None  # FFmpeg guesses it from the next packet, which lies behind the jump
        seconds = float(stamp * packet.time_base)
        decoding, now = packet.dts is not None, time.monotonic()
        clock = self._clocks.setdefault(packet.stream_index, _Clock(self._offset))
        if clock.last is not None:
            back = self._step_back if decoding and clock.decoding else _ANY_STEP_BACK
            waited = now - clock.arrived if self._live else 0.0
            here = seconds + clock.offset
            if not clock.last - back <= here <= clock.expected + self._longest_gap + waited:
                self._jump(clock, seconds)
        clock.last = seconds + clock.offset
        clock.expected, clock.decoding, clock.arrived = clock.last + duration, decoding, now
        ticks = round(clock.offset / packet.time_base)
        if ticks:
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks

    def _jump(self, clock: _Clock, seconds: float) -> None:
        """Give a clock another offset: that of another stream that met the same jump, or one that closes the gap."""
        if self._offset == clock.offset or abs(seconds + self._offset - clock.expected) > _LONGEST_GAP:
            self._offset = clock.expected - seconds
            logger.debug("%s: its clock jumps, which is closed up", self._label)
        clock.offset = self._offset
