"""Cameras of this machine."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import cv2

from ...errors import SourceError
from ...structures import Frame
from ..base import DEFAULT_RATE, Source
from ..images import to_bgr8


class CameraSource(Source):
    """A camera of this machine, through OpenCV; frames are dated by the clock.

    Args:
        index: number of the camera from 0, as OpenCV counts them.
        frame_rate: frames per second to expect; None for what the camera states.

    Raises:
        SourceError: there is no such camera, or another program uses it.
    """

    def __init__(self, index: int, frame_rate: float | None = None) -> None:
        # OpenCV writes its own lines about an absent camera; the error below says it in one.
        level = cv2.setLogLevel(2)
        try:
            self._capture = cv2.VideoCapture(index)
        finally:
            cv2.setLogLevel(level)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"camera {index} cannot be opened: check that it is connected and not in use")
        own_rate = self._capture.get(cv2.CAP_PROP_FPS)
        sane_rate = own_rate if 1 <= own_rate <= 240 else DEFAULT_RATE
        super().__init__(f"camera {index}", f"camera_{index}", frame_rate or sane_rate, live=True)
        self.endless = True

    def _read(self) -> Iterator[Frame]:
        started = None
        for index in itertools.count():
            arrived, image = self._capture.read()
            if not arrived or self._halted:
                return
            now = time.monotonic()
            started = now if started is None else started
            yield Frame(index, now - started, to_bgr8(image), arrived=now)

    def _release(self) -> None:
        self._capture.release()
