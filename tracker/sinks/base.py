"""The interface of all sinks, the outputs for tracked frames."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ..errors import OptionError, OutputError, TrackingError
from ..structures import Frame, SequenceInfo, Tracks

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """An output that gets every tracked frame of one sequence, in order.

    It is opened with the first frame, so that a source without frames leaves older results alone. Once open it is
    always closed, also after an error. Three attributes are optional: ``name`` is what messages and ``stage_fps`` call
    the sink, by default the name of its class; ``readable_files``, a dictionary as `close` returns it, holds those of
    its files that can be read while it is open; ``on_event``, a method that is called with every event of the run, a
    mapping as in docs/events.md, in whatever thread it happens: it must be quick, and must not raise.
    """

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence.

        Args:
            info: name, frame rate, size, sound and the like of the sequence.
        """
        ...

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Write the next frame.

        Args:
            frame: the picture, with its index and time; the MOT text calls it number ``frame.index + 1``.
            tracks: the people in sight.
        """
        ...

    def close(self) -> dict[str, Path]:
        """Finish the output.

        Returns:
            The files written, by kind, for `TrackingResult.files`; {} for a sink without files. A kind is a word that
            no other sink of the run uses.
        """
        ...


def sink_name(sink: Sink) -> str:
    """Return the name of a sink for messages and timings."""
    return str(getattr(sink, "name", type(sink).__name__))


def check_sinks(sinks: Sequence[Sink]) -> tuple[Sink, ...]:
    """Check that all objects of a list are sinks.

    Args:
        sinks: the list.

    Returns:
        The sinks.

    Raises:
        OptionError: it is not a list or tuple, or an object in it lacks a method of `Sink`.
    """
    if not isinstance(sinks, Sequence) or isinstance(sinks, (str, bytes)):
        raise OptionError(f"sinks must be a list of sinks, not {type(sinks).__name__}")
    for sink in sinks:
        for method in ("open", "write", "close"):
            if isinstance(sink, type) or not callable(getattr(sink, method, None)):
                raise OptionError(f"a sink must be an object with open, write and close, not {sink!r}")
    return tuple(sinks)


class SinkGroup:
    """Sinks that one thread serves in order; errors name the sink they come from.

    Args:
        sinks: the sinks.
        timed: called with the name of a sink; returns a context manager that times a call of it.
    """

    def __init__(self, sinks: Sequence[Sink], timed: Callable[[str], AbstractContextManager]) -> None:
        self._sinks = tuple(sinks)
        self._timed = timed
        self._unopened = list(sinks)
        self._open: list[Sink] = []

    def write(self, info: SequenceInfo, frame: Frame, tracks: Tracks) -> None:
        """Write a frame to every sink, after opening those that are not open yet.

        Args:
            info: what is known of the sequence.
            frame: the frame.
            tracks: the people in sight.

        Raises:
            TrackingError: a sink failed. It is an `OutputError` unless the sink raised another TrackingError.
        """
        while self._unopened:
            with _NamedErrors(self._unopened[0]):
                self._unopened[0].open(info)
            self._open.append(self._unopened.pop(0))
        for sink in self._sinks:
            with _NamedErrors(sink), self._timed(sink_name(sink)):
                sink.write(frame, tracks)

    def readable_files(self) -> dict[str, Path]:
        """Return the files, by kind, that can be read while their sinks are open."""
        files: dict[str, Path] = {}
        for sink in self._open:
            files |= getattr(sink, "readable_files", {})
        return files

    def opened(self) -> list[Sink]:
        """Return the open sinks in order; it is then up to the caller to close them."""
        sinks, self._open = self._open, []
        return sinks


def close_sinks(sinks: Sequence[Sink], timed: Callable[[str], AbstractContextManager], files: dict[str, Path]) -> None:
    """Close all sinks in order, also when one of them fails.

    Args:
        sinks: open sinks.
        timed: called with the name of a sink; returns a context manager that times a call of it.
        files: gets the files that the sinks wrote. Of two files of one kind it keeps the first, with a warning.

    Raises:
        TrackingError: a sink failed, as for `SinkGroup.write`; errors of further sinks are logged.
    """
    failure: TrackingError | None = None
    for sink in sinks:
        try:
            with _NamedErrors(sink), timed(sink_name(sink)):
                made = dict(sink.close() or {})
        except TrackingError as error:
            if failure is not None:
                logger.warning("%s", error)
            failure = failure or error
            continue
        for kind, path in made.items():
            if files.setdefault(kind, path) != path:
                logger.warning(
                    "%s of sink %s is not in the result: its %r is %s", path, sink_name(sink), kind, files[kind]
                )
    if failure is not None:
        raise failure


class _NamedErrors(AbstractContextManager):
    """Turns an exception of a sink into a TrackingError that names the sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, TrackingError):
            raise type(error)(f"{error} (sink {sink_name(self._sink)})") from error
        if isinstance(error, Exception):
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise OutputError(f"sink {sink_name(self._sink)} failed with {reason}") from error
