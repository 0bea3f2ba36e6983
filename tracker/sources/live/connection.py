"""One connection to a camera or stream, read by a thread of its own, so that it can be left when it hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import av
import cv2

from ...errors import SourceError
from ...structures import Frame
from ..base import RefusedError, Source

_LONGEST_HOLD = 5.0  # seconds between two pictures of a burst; a longer gap is a jump of its clock
_LONGEST_CLOSING = 1.0  # seconds; a thread that hangs for longer ends by itself when what it waits for times out


class LostError(Exception):
    """No frame comes any more.

    Args:
        reason: why, in a few words.
        refused: the server answers and will not give the stream.
    """

    def __init__(self, reason: str, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Waiting:
    """Waits that can be ended from another thread for good; the clock they go by.

    Attributes:
        halted: whether they were ended.
    """

    def __init__(self) -> None:
        self.halted = False
        self.changed = threading.Condition()

    def now(self) -> float:
        """Return the seconds of a clock that nobody sets."""
        return time.monotonic()

    def wait_for(self, happened: Callable[[], bool], seconds: float) -> bool:
        """Wait until something has happened, for so long at most, and return whether it has.

        Args:
            happened: asked while `changed` is held, whenever that is notified.
            seconds: longest time to wait.
        """
        with self.changed:
            return self.changed.wait_for(lambda: self.halted or happened(), seconds) and not self.halted

    def halt(self) -> None:
        """End all waits, also those to come."""
        with self.changed:
            self.halted = True
            self.changed.notify_all()


class Connection:
    """Reads a source in a thread, and keeps its newest frame.

    The thread opens the source, and closes it.

    Args:
        opener: opens the source.
        waiting: how the frames are waited for.

    Attributes:
        source: the source, once it is open.
        dropped: frames that were replaced by newer ones before anybody took them.
    """

    def __init__(self, opener: Callable[[], Source], waiting: Waiting) -> None:
        self.source: Source | None = None
        self.dropped = 0
        self._opener = opener
        self._waiting = waiting
        self._left = self._done = False
        self._newest: Frame | None = None
        self._lost: LostError | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def take(self, seconds: float) -> Frame | None:
        """Wait for a frame that was not taken yet, and return the newest.

        Args:
            seconds: longest time to wait.

        Returns:
            The frame; None where all waiting has been ended.

        Raises:
            LostError: there will be none, or there was none in time.
        """
        if not self._waiting.wait_for(lambda: self._newest is not None or self._done, seconds):
            if self._waiting.halted:
                return None
            raise LostError(f"no picture for {seconds:g} s")
        with self._waiting.changed:
            frame, self._newest = self._newest, None
        if frame is None:
            if self._failure:
                raise self._failure
            raise self._lost or LostError("it ended")
        return frame

    @property
    def hangs(self) -> bool:
        """Whether the thread has been left and is still there."""
        return self._left and self._thread.is_alive()

    def leave(self) -> None:
        """Let the thread end, and close the source, as soon as it can."""
        self._left = True
        source = self.source
        if source is not None:
            source.halt()

    def close(self) -> None:
        """Leave, and wait a moment for the end of the thread."""
        self.leave()
        if self._thread is not threading.current_thread():
            self._thread.join(_LONGEST_CLOSING)

    def _run(self) -> None:
        try:
            self._read()
        except SourceError as error:
            self._lost = LostError(str(error), isinstance(error, RefusedError))
        except (av.error.FFmpegError, cv2.error, OSError) as error:
            # not the whole text of one: FFmpeg's have the address in it, with its password
            self._lost = LostError(getattr(error, "strerror", None) or type(error).__name__)
        except BaseException as error:  # noqa: BLE001 (raised where the frames are taken)
            self._failure = error
        with self._waiting.changed:
            self._done = True
            self._waiting.changed.notify_all()

    def _read(self) -> None:
        with self._opener() as source:
            self.source = source
            spread = Spread()
            for frame in source:
                if source.bursts:
                    frame = spread.date(frame, self._waiting.now())
                    self._waiting.wait_for(lambda: self._left, (frame.arrived or 0.0) - self._waiting.now())
                if self._left:
                    return
                with self._waiting.changed:
                    if self._newest is not None:
                        self.dropped += 1
                        frame = newer(self._newest, frame)
                    self._newest = frame
                    self._waiting.changed.notify_all()


class Spread:
    """Spreads the pictures of a burst over the time that they were taken in, by their time stamps."""

    def __init__(self) -> None:
        self._due: float | None = None  # by the clock
        self._time = 0.0  # of the picture that was due then

    def date(self, frame: Frame, now: float) -> Frame:
        """Return a frame with the time of the clock when it is due, as if it arrived then.

        Args:
            frame: the next of the source.
            now: by `time.monotonic`; what is due earlier is due now, and with it all that follows comes later.
        """
        due = now if self._due is None else self._due + min(frame.time - self._time, _LONGEST_HOLD)
        self._due, self._time = max(due, now), frame.time
        return replace(frame, arrived=self._due)


def newer(frame: Frame, following: Frame) -> Frame:
    """Return the later of two frames, with the sound of both."""
    return replace(following, audio=frame.audio + following.audio) if frame.audio else following
