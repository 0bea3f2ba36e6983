"""One network for several cameras, whose frames take turns."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..detection.base import Detector


class Turns:
    """Lets so many in at once, those first that have waited longest.

    Args:
        places: how many.
    """

    def __init__(self, places: int) -> None:
        self._free = max(1, places)
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, which lasts as long as the block."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._free > 0 and self._waiting[0] is ticket)
                self._free -= 1
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()


class TurnDetector:
    """A detector whose forward passes wait for their turn; a camera has one frame in it at most.

    So a frame that has waited longest is next, whichever camera it is of, and a camera that is fast, or dead, takes
    nothing from others.

    Args:
        detector: of one camera.
        turns: of all.
    """

    max_in_flight = 1

    def __init__(self, detector: Detector, turns: Turns) -> None:
        self._detector = detector
        self._turns = turns

    def start(self, preprocessed: Any) -> Callable[[], Any]:
        """Take the forward pass of a frame when it is its turn; what is returned gives the outputs at once."""
        with self._turns.turn():
            outputs = self._detector.start(preprocessed)()
        return lambda: outputs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)
