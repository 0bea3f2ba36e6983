"""Which segments of a run stay: old ones are removed, and those of a run that was killed are finished."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path

from ...settings.groups.segments import Keep
from ..files import final_path, part_path, run_path, text_path, video_path
from ..fragments import make_whole
from .names import SegmentFiles, find_segments, is_segment

try:
    import fcntl
except ImportError:  # Windows: what another run writes is not told apart there
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)


class Keeper:
    """Removes the oldest segments of one run, whole ones only, and nothing else.

    The newest one always stays, like those that are being written, by this run or by another.

    Args:
        folder: output folder.
        name: of the run.
        keep: how much stays.
        clock: tells the time, seconds since 1970.
    """

    def __init__(self, folder: Path, name: str, keep: Keep, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._name = name
        self._keep = keep
        self._clock = clock

    @property
    def may_remove(self) -> bool:
        """Whether anything is removed at all."""
        return self._keep != Keep()

    def prune(self, spared: Collection[str] = ()) -> list[str]:
        """Remove what is too old or too much.

        Args:
            spared: names of segments that stay.

        Returns:
            The names of those removed.
        """
        if not self.may_remove:
            return []
        segments = find_segments(self._folder, self._name)
        oldest = -1.0 if self._keep.seconds is None else self._clock() - self._keep.seconds
        total = sum(segment.size for segment in segments) if self._keep.size is not None else 0
        removed = []
        for segment in segments[:-1]:  # never the newest
            too_much = self._keep.size is not None and total > self._keep.size
            if not too_much and segment.ended >= oldest:
                break
            size = segment.size
            if segment.name not in spared and self._remove(segment):
                removed.append(segment.name)
                total -= size
        return removed

    def remove_oldest(self, spared: Collection[str] = ()) -> str | None:
        """Remove the oldest segment, to make room; return its name, or None where none can go.

        Args:
            spared: names of segments that stay.
        """
        if not self.may_remove:
            return None
        for segment in find_segments(self._folder, self._name)[:-1]:
            if segment.name not in spared and self._remove(segment):
                return segment.name
        return None

    def _remove(self, segment: SegmentFiles) -> bool:
        """Remove all files of a segment, its description last: by that it is found again if this is cut short."""
        if segment.has_links or _is_in_use(text_path(self._folder, segment.name)):
            return False
        about = run_path(self._folder, segment.name)
        try:
            for path in [*(path for path in segment.paths if path != about), about]:
                if path.is_dir():
                    shutil.rmtree(path)  # does not follow links
                else:
                    path.unlink()
        except OSError as error:
            logger.warning("cannot remove the old segment %s: %s (%s)", segment.name, error.strerror, error.filename)
            return False
        logger.info("the old segment %s was removed", segment.name)
        return True


def finish_killed(folder: Path, name: str) -> list[Path]:
    """Give the videos of segments that a killed run has left growing their names; return them.

    Args:
        folder: output folder.
        name: of the run.
    """
    finished = []
    beginning, ending = part_path(video_path(folder, "*")).name.split("*")
    for part in sorted(video_path(folder, name).parent.glob(f"{beginning}*{ending}")):
        stem = part.name.removeprefix(beginning).removesuffix(ending)
        video = video_path(folder, stem)
        if part.is_symlink() or not is_segment(folder, stem, name):
            continue
        if _is_in_use(part) or _is_in_use(text_path(folder, stem)):
            continue
        try:
            final_path(video).unlink(missing_ok=True)
            if not make_whole(part):
                part.unlink()
            elif not video.exists():
                part.rename(video)
                finished.append(video)
        except OSError as error:
            logger.warning("cannot finish the video %s of a killed run: %s", video, error.strerror)
    if finished:
        logger.warning("an earlier run of %s was killed; its last video is kept: %s", name, finished[-1])
    return finished


def _is_in_use(path: Path) -> bool:
    """Return whether a run holds the lock of a file."""
    if fcntl is None:
        return False
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:  # there is none
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_UN)
        return False
    except BlockingIOError:
        return True
    except OSError:  # a network file system without locks
        return False
    finally:
        os.close(file)
