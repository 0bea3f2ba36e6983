"""A camera or stream that is opened again when it is lost."""

from __future__ import annotations

import itertools
import logging
import math
import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from ...errors import SourceError
from ...structures import Frame
from ..base import RefusedError, Source
from .connection import Connection, LostError, Waiting
from .dating import Dating

logger = logging.getLogger(__name__)

Tell = Callable[[dict[str, Any]], None]

SCHEMA = 1  # of events, as in tracker/analysis/events.py

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between two attempts
_REFUSED_PAUSE = 60.0  # after an answer such as 401 or 404; cameras lock out who asks too often
_JITTER = 0.2  # share by which pauses differ, so that many cameras are not asked at once
_MOST_HANGING = 3  # threads that may hang in a read at once
_OPENING = 3  # times the time-out, for an opening: to connect, to learn what comes, and the first picture
_NEARLY_ALL = 1.0  # seconds that may be missing from a stream which says how long it is


@dataclass(frozen=True)
class Patience:
    """How long what is waited for.

    Attributes:
        timeout: seconds without a picture after which a source is lost.
        give_up: seconds after a loss, or the first attempt, after which it is not tried again; infinity for never.
        randomness: gives numbers from 0 to 1, for the jitter of pauses.
    """

    timeout: float = 10.0
    give_up: float = math.inf
    randomness: Callable[[], float] = random.random

    def pauses(self) -> Iterator[float]:
        """Yield the seconds to wait before each attempt: 1, 2, 4 ... 30, give or take 20 %."""
        for doubled in itertools.count():
            yield self._jittered(min(_FIRST_PAUSE * 2.0 ** min(doubled, 10), _LONGEST_PAUSE))

    def refused_pause(self) -> float:
        """Return the seconds to wait after an answer such as 401 or 404."""
        return self._jittered(_REFUSED_PAUSE)

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 + _JITTER * (2 * self.randomness() - 1))


class AnyConnection(Protocol):
    """What a `Connection` does."""

    source: Source | None
    dropped: int

    @property
    def hangs(self) -> bool:
        """Whether it was left and has not ended yet."""

    def take(self, seconds: float) -> Frame | None:
        """Return the newest frame."""

    def leave(self) -> None:
        """Let it end."""

    def close(self) -> None:
        """Leave, and wait a moment."""


class ReconnectingSource(Source):
    """Reads a live source, and opens it again whenever it is lost; gives the newest frame only.

    A source is lost when it ends, fails, or brings no picture for the time-out, also where it hangs. Numbers and times
    of frames go on by the clock, see `Dating`. Frames may have another size after a loss; sound ends with the first.

    Args:
        first: the source, open.
        opener: opens it again.
        patience: how long what is waited for.
        tell: gets the events ``stream_lost``, with ``reason``, and ``stream_back``, with ``gap`` (seconds without a
            picture), ``size`` (width and height) and ``attempts``; called in the thread that reads.
        waiting: how is waited.
        connect: makes a connection of a function that opens the source; `Connection` but in tests.
    """

    def __init__(
        self,
        first: Source,
        opener: Callable[[], Source],
        patience: Patience | None = None,
        tell: Tell | None = None,
        waiting: Waiting | None = None,
        connect: Callable[[Callable[[], Source], Waiting], AnyConnection] = Connection,
    ) -> None:
        super().__init__(first.label, first.name, first.frame_rate, live=True)
        self.endless, self.length = first.endless, first.length
        self.pixel_aspect, self.audio_stream = first.pixel_aspect, first.audio_stream
        self._first = first
        self._opener = opener
        self._patience = patience or Patience()
        self._tell = tell
        self._waiting = waiting or Waiting()
        self._connect = connect
        self._begun = False
        self._connection: AnyConnection | None = None
        self._left: list[AnyConnection] = []
        self._dating = Dating(first.frame_rate)
        self._counted = (0, 0)  # skipped and dropped frames of earlier connections

    def _read(self) -> Generator[Frame, None, None]:
        self._begun, self._dating.arrived = True, self._waiting.now()
        connection: AnyConnection | None = self._connect(lambda: self._first, self._waiting)
        frame: Frame | None = None
        while connection is not None:
            self._connection = connection
            try:
                while (frame := frame or connection.take(self._patience.timeout)) is not None:
                    yield self._dated(frame, connection)
                    frame = None
                return  # halted
            except LostError as error:
                self._leave(connection)
                if self._is_over():
                    return
                self._say_lost(error)
            connection, frame = self._come_back()

    def _dated(self, frame: Frame, connection: AnyConnection) -> Frame:
        source = connection.source
        if source is not None:
            self.skipped = self._counted[0] + source.skipped
            self.start_time = source.start_time if not self.reconnects else self.start_time
        self.dropped = self._counted[1] + connection.dropped
        self.pixel_aspect = frame.pixel_aspect
        dated = self._dating.date(frame, self._waiting.now())
        return replace(dated, audio=()) if self.reconnects else dated

    def _is_over(self) -> bool:
        """Whether a stream that says how long it is has been played to its end."""
        return self.length is not None and not self.reconnects and self._dating.time >= self.length - _NEARLY_ALL

    def _leave(self, connection: AnyConnection) -> None:
        connection.leave()
        self._left = [left for left in [*self._left, connection] if left.hangs]
        self._connection = None
        self._counted = self.skipped, self.dropped

    def _come_back(self) -> tuple[AnyConnection | None, Frame | None]:
        """Try to open the source again until it brings a picture; return None when it is not to be tried again."""
        patience, told = self._patience, ""
        pauses, end = patience.pauses(), self._dating.arrived + patience.give_up
        pause = next(pauses)
        for attempt in itertools.count(1):
            left = end - self._waiting.now()
            if left > 0:
                self._waiting.wait_for(lambda: False, min(pause, left))
            if self._waiting.halted:
                return None, None
            if self._waiting.now() >= end:
                logger.warning("%s did not come back within %g s: the run ends", self.label, patience.give_up)
                return None, None
            try:
                connection, frame = self._try(end - self._waiting.now())
            except LostError as error:
                pause = patience.refused_pause() if error.refused else next(pauses)
                if str(error) != told:  # each reason once
                    told = str(error)
                    logger.warning("%s%s", told, f"; tried again every {_REFUSED_PAUSE:g} s" if error.refused else "")
                continue
            if frame is not None:
                self._say_back(frame, attempt)
            return connection, frame
        raise AssertionError("attempts do not end")

    def _try(self, longest: float) -> tuple[AnyConnection | None, Frame | None]:
        """Open the source once more, and wait for its first picture; return None where all waiting was ended."""
        self._left = [left for left in self._left if left.hangs]
        if len(self._left) >= _MOST_HANGING:
            raise LostError(f"{self.label} hangs in {len(self._left)} readings: waiting for these to end")
        connection = self._connection = self._connect(self._opener, self._waiting)
        try:
            frame = connection.take(min(_OPENING * self._patience.timeout, longest))
        except LostError:
            self._leave(connection)
            raise
        if frame is None:
            return None, None
        if connection.source is not None and not connection.source.endless:
            logger.warning("%s is over: what is there now has an end", self.label)
            self._leave(connection)
            return None, None
        self._dating.begin()
        return connection, frame

    def _say_lost(self, error: LostError) -> None:
        self.lost = True
        # a text: handlers that keep records would keep the error, and with its frames the whole connection
        logger.warning("%s is lost (%s): it is tried again", self.label, str(error))
        self._say("stream_lost", self._waiting.now(), reason=str(error))

    def _say_back(self, frame: Frame, attempts: int) -> None:
        self.lost = False
        self.reconnects += 1
        now = self._waiting.now() if frame.arrived is None else frame.arrived
        gap, size = now - self._dating.arrived, list(frame.image.shape[1::-1])
        logger.warning("%s is back after %.1f s, with pictures of %dx%d", self.label, gap, *size)
        self._say("stream_back", now, gap=round(gap, 3), size=size, attempts=attempts)

    def _say(self, kind: str, now: float, **more: Any) -> None:
        if self._tell:
            clock = datetime.now().astimezone().isoformat(timespec="milliseconds")
            seconds = round(self._dating.at(now), 3)
            self._tell(
                {"event": kind, "time": clock, "seconds": seconds, "camera": self.name, **more, "schema": SCHEMA}
            )

    def halt(self) -> None:
        """End the reading at once, whatever it waits for."""
        super().halt()
        self._waiting.halt()

    def _release(self) -> None:
        self._waiting.halt()
        if not self._begun:
            self._first.close()
        connections, self._connection, self._left = [*self._left, self._connection], None, []
        for connection in connections:
            if connection is not None:
                connection.close()


def open_patiently(
    opener: Callable[[], Source], patience: Patience, label: str, waiting: Waiting | None = None
) -> Source:
    """Open a source, however often it fails at first.

    Args:
        opener: opens it.
        patience: how long what is waited for.
        label: what messages call it.
        waiting: how is waited; ends when it is halted.

    Returns:
        The open source.

    Raises:
        SourceError: the time to give up has come, or the waiting was ended; the reason is that of the last attempt.
    """
    waiting = waiting or Waiting()
    pauses, end, told = patience.pauses(), waiting.now() + patience.give_up, ""
    while True:
        try:
            return opener()
        except SourceError as error:
            if str(error) != told:
                told = str(error)
                logger.warning("%s; it is tried again", told)
            pause = patience.refused_pause() if isinstance(error, RefusedError) else next(pauses)
            if waiting.halted or waiting.now() + pause >= end:
                raise
            waiting.wait_for(lambda: False, pause)
            if waiting.halted:
                raise
