"""What becomes of tracked frames: the interface of all sinks."""

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
    """Gets every tracked frame of one sequence, in order.

    It is opened with the first frame, so that a source without one leaves older results alone, and then closed
    whatever happens. Two attributes are optional: ``name`` is what messages and ``stage_fps`` call the sink, by default
    the name of its class; ``readable_files``, a dictionary as `close` returns it, holds those of its files that can be
    read while it is open.
    """

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence.

        Args:
            info: what is known of it.
        """
        ...

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Take the next frame.

        Args:
            frame: the picture, with its number and time; number ``frame.index + 1`` is that of the MOT text.
            tracks: the people in sight.
        """
        ...

    def close(self) -> dict[str, Path]:
        """Finish.

        Returns:
            The files made, by what they are, in words that no other sink of the run uses: they become
            `TrackingResult.files`. Nothing but files needs an entry.
        """
        ...


def sink_name(sink: Sink) -> str:
    """Return what a sink is called."""
    return str(getattr(sink, "name", type(sink).__name__))


def check_sinks(sinks: Sequence[Sink]) -> tuple[Sink, ...]:
    """Check that somebody's own sinks are some.

    Raises:
        OptionError: sinks is no list, or something in it lacks a method.
    """
    if not isinstance(sinks, Sequence) or isinstance(sinks, (str, bytes)):
        raise OptionError(f"sinks must be a list of sinks, not {type(sinks).__name__}")
    for sink in sinks:
        for method in ("open", "write", "close"):
            if isinstance(sink, type) or not callable(getattr(sink, method, None)):
                raise OptionError(f"a sink must be an object with open, write and close, not {sink!r}")
    return tuple(sinks)


class SinkGroup:
    """Sinks that are served by one thread, in order; what fails in one of them is told with its name.

    Args:
        sinks: the sinks.
        timed: is called with a sink's name and gives a context manager for its part of a frame.
    """

    def __init__(self, sinks: Sequence[Sink], timed: Callable[[str], AbstractContextManager]) -> None:
        self._sinks = tuple(sinks)
        self._timed = timed
        self._unopened = list(sinks)
        self._open: list[Sink] = []

    def write(self, info: SequenceInfo, frame: Frame, tracks: Tracks) -> None:
        """Give a frame to every sink, and open them before the first one; one that cannot be opened is tried again.

        Raises:
            TrackingError: a sink failed, `OutputError` unless it raised another of these errors.
        """
        while self._unopened:
            with _told_by_name(self._unopened[0]):
                self._unopened[0].open(info)
            self._open.append(self._unopened.pop(0))
        for sink in self._sinks:
            with _told_by_name(sink), self._timed(sink_name(sink)):
                sink.write(frame, tracks)

    def readable_files(self) -> dict[str, Path]:
        """Return the files of open sinks that can be read already, by kind."""
        files: dict[str, Path] = {}
        for sink in self._open:
            files |= getattr(sink, "readable_files", {})
        return files

    def opened(self) -> list[Sink]:
        """Return the sinks that are open, in order, and leave closing them to the caller."""
        sinks, self._open = self._open, []
        return sinks


def close_sinks(sinks: Sequence[Sink], timed: Callable[[str], AbstractContextManager], files: dict[str, Path]) -> None:
    """Close sinks in order, all of them also after one failed.

    Args:
        sinks: open ones.
        timed: is called with a sink's name and gives a context manager for its part.
        files: the files that they made are added to it, also where another sink fails. Of two of one kind the first
            stays, with a warning.

    Raises:
        TrackingError: a sink failed, as for `SinkGroup.write`; what fails after it is logged.
    """
    failure: TrackingError | None = None
    for sink in sinks:
        try:
            with _told_by_name(sink), timed(sink_name(sink)):
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


class _told_by_name(AbstractContextManager):
    """Turns what a sink raises into one of our errors that names the sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, TrackingError):
            raise type(error)(f"{error} (sink {sink_name(self._sink)})") from error
        if isinstance(error, Exception):
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise OutputError(f"sink {sink_name(self._sink)} failed with {reason}") from error
