"""Ctrl-C and SIGTERM as a request to stop after the current frame, so that all files are closed in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class StopRequest:
    """Context manager that postpones Ctrl-C and SIGTERM to its end.

    The first signal only sets ``received``; at the end of the block it raises KeyboardInterrupt, or SystemExit(143) for
    SIGTERM. A second signal acts at once. Nothing is changed off the main thread, where Python allows no handlers, and
    for signals that the program handles itself.

    Attributes:
        received: number of the signal received, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Handler] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                # None is a handler set from C, as Paddle's crash reporter is: it would end the process on the spot
                if handler in (signal.default_int_handler, signal.SIG_DFL, None):
                    self._previous[number] = handler
                    signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        if kind is None and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if kind is None and self.received == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
