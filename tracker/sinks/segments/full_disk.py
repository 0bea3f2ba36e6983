"""What a run does when the disk is full: all that takes much room stops, the text goes on."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

from ...errors import TrackingError
from ...structures import Frame, SequenceInfo, Tracks
from ..base import Sink, sink_name

logger = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT)
RESERVE = 64 * 2**20  # bytes that a video leaves for the texts, and for the ends of files that are open
RESERVED_SHARE = 0.25  # of a small disk
LOOK_EVERY = 1.0  # seconds of the source between two looks at the free space


def is_full(error: BaseException | None) -> bool:
    """Return whether an error comes from a full disk."""
    while error is not None:
        if getattr(error, "errno", None) in FULL:  # those of FFmpeg are not all OSErrors
            return True
        error = error.__cause__
    return False


def has_room(folder: Path) -> bool:
    """Return whether the disk of a folder has room for more video; True where that cannot be asked."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        disk = os.statvfs(folder)
    except (OSError, AttributeError):  # Windows has no statvfs
        return True
    return disk.f_bavail * disk.f_frsize >= min(RESERVE, RESERVED_SHARE * disk.f_blocks * disk.f_frsize)


class Sparing:
    """A sink that a full disk stops, and that leaves the others alone then.

    Args:
        sink: the sink.
        full: called when the disk is full; returns whether that made room.
        goes_on: whether the sink is tried again with the next frame; else it is closed and gets no more.
        room: asked now and then before a frame is written whether there is room; None for a sink that needs little.
    """

    def __init__(
        self, sink: Sink, full: Callable[[], bool], goes_on: bool = False, room: Callable[[], bool] | None = None
    ) -> None:
        self.name = sink_name(sink)
        self._sink = sink
        self._full = full
        self._goes_on = goes_on
        self._room = room
        self._looked = -LOOK_EVERY
        self._files: dict[str, Path] | None = None  # once it was stopped

    @property
    def readable_files(self) -> dict[str, Path]:
        """Its files that can be read while it is open."""
        return getattr(self._sink, "readable_files", {})

    def open(self, info: SequenceInfo) -> None:
        """Open the sink, if there is room for it."""
        if self._room and not self._room() and not self._full():
            self._files = {}
            return
        try:
            self._sink.open(info)
        except (TrackingError, OSError) as error:
            if not is_full(error):
                raise
            self._files = {}
            if self._full():
                self._sink.open(info)
                self._files = None

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Write a frame, unless the sink was stopped."""
        if self._files is not None:
            return
        if self._room and frame.time >= self._looked + LOOK_EVERY:
            self._looked = frame.time
            if not self._room():
                self._full()
                self._stop()
                return
        try:
            self._sink.write(frame, tracks)
        except (TrackingError, OSError) as error:
            if not is_full(error):
                raise
            made_room = self._full()
            if not self._goes_on:
                self._stop()
            elif made_room:
                self._try_again(frame, tracks)

    def close(self) -> dict[str, Path]:
        """Close the sink, if it was not stopped, and return its files."""
        return dict(self._sink.close() or {}) if self._files is None else self._files

    def _try_again(self, frame: Frame, tracks: Tracks) -> None:
        try:
            self._sink.write(frame, tracks)
        except (TrackingError, OSError) as error:
            if not is_full(error):
                raise

    def _stop(self) -> None:
        self._files = {}
        try:
            self._files = dict(self._sink.close() or {})
        except (TrackingError, OSError) as error:
            logger.debug("%s", error)  # of the full disk, which was told
