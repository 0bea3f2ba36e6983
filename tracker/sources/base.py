"""The interface of everything that frames come from."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SourceError
from ..structures import Frame

if TYPE_CHECKING:
    import av

DEFAULT_RATE = 30.0  # frames per second where the input states none

MAX_PIXELS = 100_000_000  # of a picture, unless the user says more: a small file may claim gigabytes


class RefusedError(SourceError):
    """A server answers, and will not give what is asked for: a wrong password, an address that is not there."""


def check_pixels(label: str, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture that is too large.

    Args:
        label: what messages call it.
        width: in pixels.
        height: in pixels.
        max_pixels: pixels that it may have.

    Raises:
        SourceError: it has more.
    """
    if width * height > max_pixels:
        raise SourceError(f"{label} has {width} x {height} pixels, more than max_pixels ({max_pixels}) allows")


class Source(ABC):
    """A sequence of frames, read once and closed; a context manager.

    Args:
        label: what messages call the source; holds no password.
        name: see below, like the other arguments.
        frame_rate: see below.
        frame_count: see below.
        live: see below.

    Attributes:
        label: what messages call the source.
        name: stem for the names of output files.
        frame_rate: usual frames per second, pauses left out; `Frame.time` tells when each was taken.
        frame_count: expected number of frames; None where it is unknown or has no end.
        live: whether frames arrive in real time (camera, endless stream).
        endless: whether it is live and has no size that a server states: when it ends it was lost.
        length: seconds that it says it lasts, where it is endless and says so all the same; None otherwise.
        bursts: whether its pictures come by the segment, many at once, and seconds after they were taken (HLS).
        lost: whether it is lost at present, and may come back.
        reconnects: how often it was lost and came back.
        dropped: frames that the source itself left out, for nobody took them in time.
        first_frame: number of the first frame; above 1 only where the names of images say so.
        skipped: corrupt or unreadable frames passed over so far.
        start_time: time of the first frame in the input's own clock, in seconds, known once it was read; sound is
            dated by that clock.
        pixel_aspect: width of a pixel over its height, known once the first frame was read; rarely other than 1.
        path: file or folder that it can be read from again; None for a camera, an address or a glob.
        audio_stream: sound of the input, template for copying its packets; None without, and after `close`.
    """

    def __init__(
        self, label: str, name: str, frame_rate: float, frame_count: int | None = None, live: bool = False
    ) -> None:
        self.name = name
        self.frame_rate = frame_rate
        self.frame_count = frame_count
        self.live = live
        self.endless = False
        self.length: float | None = None
        self.bursts = self.lost = False
        self.reconnects = self.dropped = 0
        self.first_frame = 1
        self.skipped = 0
        self.start_time = 0.0
        self.pixel_aspect = Fraction(1)
        self.path: Path | None = None
        self.audio_stream: av.AudioStream | None = None
        self.label = label
        self._frames: Generator[Frame, None, None] | None = None
        self._closed = self._halted = False

    def __iter__(self) -> Iterator[Frame]:
        """Iterate over the frames; a second loop goes on where the first one stopped.

        Raises:
            SourceError: the source is closed, or turns out to hold no readable frame.
        """
        if self._closed:
            raise SourceError(f"{self.label} is closed: open it again to read it again")
        if self._frames is None:
            self._frames = self._read_or_fail()
        return self._frames

    def _read_or_fail(self) -> Generator[Frame, None, None]:
        empty = True
        for frame in self._read():
            empty = False
            yield frame
        if empty:
            raise SourceError(f"{self.label} has no readable frame: check that it plays elsewhere, or give another")

    @abstractmethod
    def _read(self) -> Iterator[Frame]:
        """Yield the frames in order, and count in `skipped` those that cannot be read."""

    def halt(self) -> None:
        """End the reading as soon as may be; another thread that waits for a frame then gets none."""
        self._halted = True

    def close(self) -> None:
        """Release the file, device or connection; harmless when repeated.

        While another thread waits for a frame nothing is released: that would crash the process.
        """
        self._closed = True
        self.audio_stream = None
        if self._frames is None or inspect.getgeneratorstate(self._frames) != inspect.GEN_RUNNING:
            if self._frames is not None:
                self._frames.close()
            self._release()

    def _release(self) -> None:  # noqa: B027 (a source with nothing open needs none)
        """Release what is open; may be called again."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
