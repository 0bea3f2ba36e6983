"""Ctrl-C, SIGTERM and SIGHUP as a request to stop after the current frame, so that all files are closed in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, NoReturn

# SIGHUP says that the terminal has gone; Windows has none
ENDINGS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
SIGNALS = (signal.SIGINT, *ENDINGS)
Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class _Handlers:
    """Context manager that replaces the handlers of some signals.

    Nothing is changed off the main thread, where Python allows no handlers, and for signals that the program ignores or
    handles itself.
    """

    def __init__(self, numbers: tuple[int, ...], handler: Callable[[int, FrameType | None], Any]) -> None:
        self._numbers = numbers
        self._handler = handler
        self._previous: dict[int, Handler] = {}

    def __enter__(self) -> None:
        if _in_main_thread():
            for number in self._numbers:
                handler = signal.getsignal(number)
                # None is a handler set from C, as Paddle's crash reporter is: it would end the process on the spot
                if handler in (signal.default_int_handler, signal.SIG_DFL, None, end_in_order):
                    self._previous[number] = handler
                    signal.signal(number, self._handler)

    def __exit__(self, *_: object) -> None:
        if _in_main_thread():
            for number, handler in self._previous.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            self._previous.clear()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def end_in_order(number: int, frame: FrameType | None) -> NoReturn:
    """End the program at once but in order, as a handler of SIGTERM and SIGHUP.

    Raises:
        SystemExit: 128 and the number of the signal, so that ``with`` blocks close what they hold.
    """
    raise SystemExit(128 + number)


def ending_in_order() -> _Handlers:
    """Return a context manager in which SIGTERM and SIGHUP leave all ``with`` blocks, as Ctrl-C does everywhere."""
    return _Handlers(ENDINGS, end_in_order)


class StopRequest:
    """Context manager that postpones Ctrl-C, SIGTERM and SIGHUP to its end.

    The first signal only sets ``received``; at the end of the block it raises KeyboardInterrupt, or SystemExit(143) for
    SIGTERM and SystemExit(129) for SIGHUP. A second signal acts at once. Signals that the program handles itself are
    left alone, and all off the main thread.

    Attributes:
        received: number of the signal received, or None.
        result: becomes ``result`` of the exception raised, see `result_of`.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.result: Any = None
        self._handlers = _Handlers(SIGNALS, self._note)

    def __enter__(self) -> StopRequest:
        self._handlers.__enter__()
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._handlers.__exit__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handlers.__exit__()
        if kind is None and self.received is not None:
            stop = KeyboardInterrupt() if self.received == signal.SIGINT else SystemExit(128 + self.received)
            stop.result = self.result  # type: ignore[union-attr]
            raise stop


def result_of(stop: BaseException) -> Any:
    """Return the result of the run that an interrupt has ended in order, or None."""
    return getattr(stop, "result", None)
