"""The pictures of a camera, encoded once for all who look, and only while somebody does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from .sink import LiveSink

PER_SECOND = 10  # pictures, at most
SHARE = 0.05  # of the time that drawing and encoding may take
LONGEST_REST = 0.3  # seconds from one picture to the next on a machine that is too busy
NAP = 0.02  # seconds between two looks for a new frame
AGAIN = 1.0  # seconds after which the same picture is sent again: browsers show one when the next one begins
BOUNDARY = "frame"


@dataclass(frozen=True)
class Picture:
    """A picture as it is sent.

    Attributes:
        number: of its frame; rises.
        jpeg: the file.
        at: Unix time at which its frame was tracked.
    """

    number: int
    jpeg: bytes
    at: float


class Pictures:
    """Encodes the newest frame of a camera for its viewers; belongs to one event loop.

    Args:
        sink: has the frames.
    """

    def __init__(self, sink: LiveSink) -> None:
        self.sink = sink
        self.viewers = 0
        self._last: Picture | None = None
        self._next = 0.0
        self._encoding = asyncio.Lock()

    async def newest(self) -> Picture | None:
        """Return the newest picture; None before the first frame, and the one before where it was made just now."""
        async with self._encoding:
            moment = self.sink.newest
            if moment is None or (self._last and self._last.number == moment.number):
                return self._last
            begun = time.monotonic()
            if begun < self._next:
                return self._last
            # in a thread: drawing and encoding take milliseconds, in which no one else would be served
            jpeg = await asyncio.to_thread(self.sink.picture, moment)
            # on a busy machine it takes long, and would take from the tracker
            rest = min((time.monotonic() - begun) / SHARE, LONGEST_REST)
            self._next = begun + max(rest, 1 / PER_SECOND)
            self._last = Picture(moment.number, jpeg, moment.at)
            return self._last

    async def stream(self, closing: asyncio.Event) -> AsyncIterator[bytes]:
        """Yield the parts of a ``multipart/x-mixed-replace`` body, until the page closes.

        Whoever takes them slowly gets fewer; nothing is kept for them.

        Args:
            closing: is set when the page closes.
        """
        sent, at = 0, 0.0
        self.viewers += 1
        try:
            yield f"--{BOUNDARY}\r\n".encode()
            while not closing.is_set():
                picture = await self.newest()
                if picture is None or (picture.number == sent and time.monotonic() - at < AGAIN):
                    # all viewers wake together, seldom: each time costs the tracker its turn
                    await asyncio.sleep(max(NAP, self._next - time.monotonic()))
                    continue
                sent, at = picture.number, time.monotonic()
                head = (
                    f"Content-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n"
                    f"X-Timestamp: {picture.at:.6f}\r\n\r\n"
                )
                # the boundary at once: a browser shows a picture when it has seen its end
                yield head.encode() + picture.jpeg + f"\r\n--{BOUNDARY}\r\n".encode()
                await asyncio.sleep(max(NAP, self._next - time.monotonic()))
        finally:
            self.viewers -= 1
