"""What the files of segments are called, and which of the files in a folder are such."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ...errors import SourceError
from ..files import answers_path, fitting_name, people_path, refined_path, run_path, text_path, times_path, video_path
from ..records.run_file import read_run

_SEGMENT = re.compile(r"_(?:\d{8}T\d{6}|T\d{6,})(?:_\d+)?$")  # what the name of one ends with
_ENDING = "_run.json"
SEGMENT = "segment"  # in the file of a run: what the segment is of


def segment_stamp(seconds: float, start: datetime | None) -> str:
    """Return what the name of a segment ends with.

    Args:
        seconds: of the source, at the first frame.
        start: clock time of second 0; None where it is not known.

    Returns:
        The clock time as ``20261127T100000``; without one, hours, minutes and seconds of the source as ``T010000``.
    """
    whole = math.floor(seconds + 1e-6)
    if start is not None:
        return (start + timedelta(seconds=seconds + 1e-6)).strftime("%Y%m%dT%H%M%S")
    return f"T{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}"


def segment_name(name: str, stamp: str) -> str:
    """Return the name of a segment's files.

    Args:
        name: of the run.
        stamp: see `segment_stamp`.
    """
    return fitting_name(name, f"_{stamp}")


@dataclass(frozen=True)
class SegmentFiles:
    """All files of one segment.

    Attributes:
        name: of the segment.
        paths: files and folders that exist.
    """

    name: str
    paths: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of all files; what cannot be read has none."""
        return sum(_size(path) for path in self.paths)

    @property
    def ended(self) -> float:
        """When the files beside the text, or the video, were written last: seconds since 1970."""
        return max((path.lstat().st_mtime for path in self.paths if path.is_file()), default=0.0)

    @property
    def has_links(self) -> bool:
        """Whether one of the paths is a symbolic link, which no run makes."""
        return any(path.is_symlink() for path in self.paths)


def find_segments(folder: Path, name: str) -> list[SegmentFiles]:
    """Return the segments of a run that are in a folder of results, the oldest first.

    Only what says itself that it is a segment of this name, in its ``..._run.json``, is one: the files of a camera that
    happens to be called alike are not.

    Args:
        folder: output folder.
        name: of the run.
    """
    stems = (path.name.removesuffix(_ENDING) for path in run_path(folder, name).parent.glob(f"*{_ENDING}"))
    made = [SegmentFiles(stem, tuple(_paths(folder, stem))) for stem in sorted(stems) if is_segment(folder, stem, name)]
    return sorted(made, key=lambda segment: (segment.ended, segment.name))


def is_segment(folder: Path, stem: str, name: str) -> bool:
    """Return whether files of a name are a segment of a run, see `find_segments`.

    Args:
        folder: output folder.
        stem: name of the files.
        name: of the run.
    """
    match = _SEGMENT.search(stem)
    about = run_path(folder, stem)
    if not match or stem != fitting_name(name, match[0]) or about.is_symlink():
        return False
    try:
        of = read_run(about).get(SEGMENT)
    except SourceError:
        return False
    return isinstance(of, dict) and of.get("of") == name


def _paths(folder: Path, stem: str) -> Iterator[Path]:
    paths_of = (run_path, times_path, refined_path, people_path, text_path, video_path)
    files = [path_of(folder, stem) for path_of in paths_of]
    answers = [answers_path(folder, stem), answers_path(folder, f"{stem}_refined")]
    yield from (path for path in (*files, *answers) if path.exists() or path.is_symlink())


def _size(path: Path) -> int:
    try:
        if path.is_dir() and not path.is_symlink():
            return sum(_size(inside) for inside in path.iterdir())
        return path.lstat().st_size
    except OSError:  # it has just gone
        return 0
