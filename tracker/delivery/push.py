"""Pictures pushed to a streaming server as they are made: the newest one, never an old one."""

from __future__ import annotations

import contextlib
import json
import logging
import struct
import subprocess
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from ..settings.children import PYTHON
from ..settings.groups.delivery import PUSH_EXAMPLE, split_address

FORMATS = {"udp": "mpegts", "srt": "mpegts", "rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp"}
BACK_OFF = (1.0, 30.0)  # seconds between tries to connect: the first one, doubled up to the last
PATIENCE = (5.0, 2.0)  # seconds that a connection may take, and that the network may take nothing
AT_THE_END = 2.0  # seconds for the last picture and the good-bye
UDP_BYTES = 1316  # of a datagram: seven packets of MPEG-TS, which fit every network
NO_PROTOCOL = "Protocol not found"  # FFmpeg's words
PROCESS = Path(__file__).with_name("push_process.py")

logger = logging.getLogger(__name__)


class Pusher:
    """Pushes pictures to an address, in a thread and a process of their own.

    A picture that comes before the one before it was sent takes the place of that one, so that nothing shown is old.
    Where the server is away or takes nothing, pictures are dropped and the connection is made anew, for ever.

    Args:
        url: ``rtmp://``, ``rtmps://``, ``rtsp://``, ``srt://`` or ``udp://``; it may hold a key or a password.
        back_off: seconds between tries to connect, the first one and the longest.
        patience: seconds that a connection may take, and that the network may take nothing.
    """

    def __init__(
        self, url: str, back_off: tuple[float, float] = BACK_OFF, patience: tuple[float, float] = PATIENCE
    ) -> None:
        parts = split_address("push", url, PUSH_EXAMPLE, needs_port=url.startswith(("udp", "srt")))
        self.label = f"push {parts.scheme}://{parts.hostname}"
        self._scheme = parts.scheme
        if parts.scheme == "udp" and "pkt_size=" not in parts.query:
            url += f"{'&' if parts.query else '?'}pkt_size={UDP_BYTES}"
        self._url, self._back_off, self._patience = url, back_off, patience
        self._changed = threading.Condition()
        self._next: tuple[np.ndarray, float] | None = None
        self._thread: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._sent = self._lost = 0
        self._closing = self._failing = False

    def open(self, size: tuple[int, int], rate: float, pixel_aspect: Fraction = Fraction(1)) -> None:
        """Begin to connect.

        Args:
            size: width and height of all pictures; odd sides lose their last pixels.
            rate: usual pictures per second.
            pixel_aspect: width of a pixel over its height.
        """
        self._size = size[0] // 2 * 2, size[1] // 2 * 2
        self._about = {
            **{"url": self._url, "format": FORMATS[self._scheme], "width": self._size[0], "height": self._size[1]},
            **{"rate": min(max(rate, 1.0), 1000.0), "aspect": str(pixel_aspect), "patience": self._patience},
        }
        self._thread = threading.Thread(target=self._run, name="tracker push", daemon=True)
        self._thread.start()

    def take(self, picture: np.ndarray) -> None:
        """Push a picture, [H, W, 3] uint8 BGR, which must not change any more."""
        with self._changed:
            self._lost += self._next is not None
            self._next = picture, time.monotonic()
            self._changed.notify_all()

    def close(self) -> None:
        """Send what was taken last, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is None:
            return
        self._thread.join(AT_THE_END)
        with self._changed:
            child, self._child = self._child, None
        if child is not None:
            child.kill()
            self._thread.join(1)

    def totals(self) -> dict[str, int]:
        """Return how many pictures were ``sent``, and how many dropped, as ``lost``."""
        with self._changed:
            return {"sent": self._sent, "lost": self._lost}

    def _run(self) -> None:
        pause, longest = self._back_off
        while True:
            before = self._sent
            reason = self._push()
            with self._changed:
                if self._closing:
                    return
            if reason == NO_PROTOCOL:
                logger.warning(
                    "%s: the FFmpeg in PyAV knows no %s: push by udp, rtmp or rtsp", self.label, self._scheme
                )
                return
            if not self._failing or self._sent > before:
                logger.warning("%s: %s; trying again", self.label, reason)
            self._failing = True
            pause = self._back_off[0] if self._sent > before else pause
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, pause):
                    return
            pause = min(2 * pause, longest)

    def _push(self) -> str:
        """Connect and push, until the end or a failure; return why."""
        try:
            child = subprocess.Popen(
                [*PYTHON, str(PROCESS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True,  # Ctrl-C is for this process, which ends that one
            )  # fmt: skip
        except OSError as error:
            return f"no process can be started ({error.strerror})"
        with self._changed:
            self._child = child
        assert child.stdin is not None and child.stdout is not None
        try:
            reason = self._feed(child.stdin, child.stdout)
        finally:
            with self._changed:
                self._child = None
            child.kill()
            child.wait()
            child.stdout.close()
            with contextlib.suppress(OSError):  # what is in its buffer cannot be written any more
                child.stdin.close()
        return reason or "no answer"

    def _feed(self, pictures: IO[bytes], answers: IO[bytes]) -> str:
        """Hand pictures to the process, until the end or a failure; return why, as far as the process told."""
        width, height = self._size
        first = None
        try:
            pictures.write(json.dumps(self._about).encode() + b"\n")
            pictures.flush()
            answer = answers.readline().decode().strip()
            if answer != "ready":
                return answer
            while (newest := self._wait()) is not None:
                picture, at = newest
                first = at if first is None else first
                pictures.write(struct.pack("d", at - first))
                pictures.write(cv2.cvtColor(picture[:height, :width], cv2.COLOR_BGR2YUV_I420))
                pictures.flush()
                with self._changed:
                    self._sent += 1
            pictures.close()
        except OSError:  # the process has ended
            pass
        return answers.readline().decode().strip()

    def _wait(self) -> tuple[np.ndarray, float] | None:
        """Return the newest picture once there is one, or None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._next or self._closing)
            newest, self._next = self._next, None
            return newest
