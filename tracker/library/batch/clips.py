"""The videos of a batch: which ones files, folders, globs and lists name, and what the results of each are called."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from ...errors import OptionError, SourceError
from ...settings.checks import shown
from ...sinks.files import fitting_name
from ...sources.images import find_images, is_image, natural_order
from ...sources.opening import shown_address
from ..places import WORK, is_address, is_stored, stored_matches

_ENDINGS = "3gp 264 265 asf avi flv h264 h265 hevc m2ts m4v mjpeg mjpg mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv"
VIDEO_SUFFIXES = frozenset(f".{ending}" for ending in [*_ENDINGS.split(), "y4m"])
_NO_NAMES = ("", ".", "..")


@dataclass(frozen=True)
class Clip:
    """One video of a batch.

    Attributes:
        source: path or address, as `open_source` takes it.
        name: stem of the names of its files; no two videos of a batch have the same.
        error: why it cannot be tracked, if that is known already.
    """

    source: str
    name: str
    error: str = ""

    @property
    def shown(self) -> str:
        """What messages and files call it: its path, or its address without passwords."""
        return shown_address(self.source) if is_address(self.source) else self.source


def find_clips(
    sources: str | os.PathLike | Iterable[str | os.PathLike],
    list_file: str | os.PathLike | None = None,
    output: str | os.PathLike = "",
) -> list[Clip]:
    """Return the videos that sources name, each once, in their order.

    Args:
        sources: each is a video, a folder of videos, a folder of images (one video), a glob of any of these, or an
            address. One that does not exist becomes a clip that cannot be tracked.
        list_file: text file with further sources, one a line, relative to its folder; empty lines and those that begin
            with # are left out. ``-`` is standard input, whose paths are relative to the current folder.
        output: folder of the results, whose own videos are left out of folders and globs.

    Raises:
        OptionError: a source is no path.
        SourceError: the list cannot be read, or there is no video at all.
    """
    named = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    for source in named:
        if not isinstance(source, (str, os.PathLike)) or not os.fspath(source) or "\0" in os.fspath(source):
            raise OptionError(f"a source of a batch must be a path or an address, not {shown(source)}")
    words = [*map(os.fsdecode, named), *(_listed(list_file) if list_file is not None else [])]
    made = [] if is_address(os.fspath(output)) else [Path(output, name).absolute() for name in ("mot_outputs", WORK)]
    found: dict[str, tuple[str, str]] = {}  # by the place that it is: source and error
    for word in words:
        for source, error in _expanded(word, made):
            place = source if is_address(source) else os.path.realpath(source)
            found.setdefault(place, (source, error))
    if not found:
        raise SourceError("there is no video: name videos, folders of videos, globs, or a list of these")
    names = unique_names([source for source, _ in found.values()])
    return [Clip(source, name, error) for (source, error), name in zip(found.values(), names)]


def _listed(list_file: str | os.PathLike) -> list[str]:
    if os.fspath(list_file) == "-":
        lines, folder = sys.stdin.read().splitlines(), Path()
    else:
        path = Path(list_file)
        try:
            lines, folder = path.read_text(encoding="utf-8-sig").splitlines(), path.parent
        except OSError as error:
            raise SourceError(f"cannot read the list {path}: {error.strerror}") from error
        except ValueError as error:
            raise SourceError(f"{path} is no list: give a text file with a video a line, in UTF-8") from error
    words = [line.strip() for line in lines]
    words = [word for word in words if word and not word.startswith("#")]
    return [word if is_address(word) else str(folder / word) for word in words]


def _expanded(word: str, made: Sequence[Path]) -> list[tuple[str, str]]:
    """Return the sources that a word stands for, each with why it cannot be tracked.

    Args:
        word: path, glob or address.
        made: folders of results.
    """
    path = Path(word)
    if is_stored(word):
        try:
            return [(source, "") for source in stored_matches(word, VIDEO_SUFFIXES)] or [
                (word, f"{shown_address(word)} matches no video")
            ]
        except OSError as error:
            return [(word, f"cannot list {shown_address(word)}: {error}")]
    if is_address(word):
        return [(word, "")]
    if os.path.lexists(path):
        return [(source, "") for source in _in_folder(path)] if path.is_dir() else [(word, "")]
    if not glob.has_magic(word):
        return [(word, f"{word!r} does not exist: check the path")]
    names = glob.glob(word, recursive=True)  # noqa: PTH207 (Path refuses absolute ones)
    matches = sorted((path for path in map(Path, names) if not _is_in(path, made)), key=natural_order)
    if matches and all(map(is_image, matches)):
        return [(word, "")]  # the frames of one video
    sources = []
    for match in matches:
        if match.is_dir():
            sources += _in_folder(match) if _holds_frames(match) or _videos(match) else []
        elif match.suffix.lower() in VIDEO_SUFFIXES:
            sources.append(str(match))
    return [(source, "") for source in sources] or [(word, f"{word!r} matches no video")]


def _in_folder(folder: Path) -> list[str]:
    """Return the videos of a folder; itself where it has none, for its images."""
    return [str(path) for path in sorted(_videos(folder), key=natural_order)] or [str(folder)]


def _videos(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()]
    except OSError:  # told where it is opened
        return []


def _holds_frames(folder: Path) -> bool:
    try:
        return bool(find_images(folder).files)
    except (SourceError, OSError):
        return False


def _is_in(path: Path, folders: Sequence[Path]) -> bool:
    place = path.absolute()
    return any(folder in (place, *place.parents) for folder in folders)


def unique_names(sources: Sequence[str]) -> list[str]:
    """Return a name for the results of each source, no two the same, also where upper and lower case are one.

    A name is the stem of the file. Where several files have the same, the folders that they are in come before it:
    ``a/street.mp4`` and ``b/street.mp4`` are ``a_street`` and ``b_street``. In one folder the ending tells them apart:
    ``street_mp4`` and ``street_avi``. ``street_refined`` gives way to the refined results of ``street``.

    Args:
        sources: different paths and addresses.
    """
    places = [_place(source) for source in sources]
    folders = [folder for folder, _, _ in places]
    twins = Counter((*folder, stem.casefold()) for folder, stem, _ in places)
    ends = [
        f"{stem}_{ending}" if ending and twins[*folder, stem.casefold()] > 1 else stem
        for folder, stem, ending in places
    ]
    levels = [0] * len(ends)
    while True:
        names = [
            fitting_name("_".join([*folder[len(folder) - level :], end]))
            for folder, end, level in zip(folders, ends, levels)
        ]
        counts = Counter(map(str.casefold, names))
        clashing = [
            number
            for number, name in enumerate(names)
            if levels[number] < len(folders[number])
            and (counts[name.casefold()] > 1 or _refined_of(name.casefold()) in counts)
        ]
        if not clashing:
            break
        for number in clashing:
            levels[number] += 1
    taken: set[str] = set()
    return [_numbered(name, taken) for name in names]


def _place(source: str) -> tuple[list[str], str, str]:
    """Return the names of the folders around a source, and its stem and ending."""
    if is_address(source):
        *folder, last = unquote(source.partition("?")[0].partition("://")[2].strip("/")).split("/")
        name = PurePosixPath(re.sub(r"[^\w.-]+", "_", last.rpartition("@")[2]).strip("._") or "stream")
        # those of a server may hold a password or a token
        return (folder, name.stem, name.suffix[1:]) if is_stored(source) else ([], name.stem, "")
    path = Path(source).absolute()
    if path.name in _NO_NAMES:
        path = path.resolve()
    if glob.has_magic(source) and not os.path.lexists(path):  # images, whose folder names them
        path = path.parent
    folder = [part for part in path.parent.parts if part.strip("/\\:")]
    if os.path.isdir(path):  # noqa: PTH112 (which takes any text)
        return folder, path.name or "images", ""
    return folder, path.stem, path.suffix[1:]


def _refined_of(name: str) -> str | None:
    return name.removesuffix("_refined") if name.endswith("_refined") else None


def _numbered(name: str, taken: set[str]) -> str:
    unique, number = name, 1
    while unique.casefold() in taken or _refined_of(unique.casefold()) in taken:
        number += 1
        unique = fitting_name(name, f"_{number}")
    taken.add(unique.casefold())
    return unique
