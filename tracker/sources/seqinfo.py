"""MOTChallenge sequence folders: where their images are, and what their seqinfo.ini states."""

from __future__ import annotations

import configparser
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import SourceError
from ..settings.checks import shown

SEQINFO = "seqinfo.ini"
IMAGES = "img1"  # the folder of images where no seqinfo.ini names another
BOXES = ("gt/gt.txt", "det/det.txt")  # a folder that has one of these beside img1 is a sequence


class SeqInfo:
    """What a seqinfo.ini states; each value is checked when it is asked for.

    Args:
        path: the file, for messages.
        values: the entries of its section [Sequence].
    """

    def __init__(self, path: Path, values: Mapping[str, str]) -> None:
        self._path = path
        self._values = values

    @property
    def image_folder(self) -> str:
        """Folder of the images, seen from that of the file (imDir).

        Raises:
            SourceError: it lies outside of that of the file: a sequence from a stranger could name any folder.
        """
        name = self._values.get("imDir", IMAGES)
        folder = os.path.abspath(self._path.parent)  # noqa: PTH100 (links within it are the user's own)
        images = os.path.abspath(os.path.join(folder, name))  # noqa: PTH100, PTH118
        if "\0" in name or os.path.commonpath([folder, images]) != folder:
            raise SourceError(f"{str(self._path)!r} has imDir {shown(name)}: make it a folder beside the file")
        return name

    @property
    def frame_rate(self) -> float | None:
        """Frames per second (frameRate); None where it is not stated.

        Raises:
            SourceError: it is not a positive number.
        """
        text = self._values.get("frameRate")
        if text is None:
            return None
        try:
            rate = float(text)
        except ValueError:
            rate = math.nan
        if not 0 < rate < math.inf:
            raise SourceError(f"{str(self._path)!r} has frameRate {shown(text)}: make it a positive number")
        return rate

    @property
    def length(self) -> int | None:
        """Number of frames (seqLength); None where it is not stated.

        Raises:
            SourceError: it is not a whole number.
        """
        text = self._values.get("seqLength")
        if text is None:
            return None
        if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
            raise SourceError(f"{str(self._path)!r} has seqLength {shown(text)}: make it a whole number")
        return int(text)


def read_seqinfo(path: Path) -> SeqInfo:
    """Read a seqinfo.ini.

    Raises:
        SourceError: the file cannot be read.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise SourceError(f"{str(path)!r} cannot be read ({reason}): correct it") from error
    return SeqInfo(path, parser["Sequence"] if parser.has_section("Sequence") else {})


class SequenceFolder(NamedTuple):
    """A MOTChallenge sequence.

    Attributes:
        path: its folder, which gives it its name.
        images: the folder of its images.
        info: what its seqinfo.ini states; nothing without one.
    """

    path: Path
    images: Path
    info: SeqInfo


def find_sequence(folder: Path) -> SequenceFolder | None:
    """Return the MOTChallenge sequence that a folder is, or that it holds the images of; None for other folders.

    A sequence has a seqinfo.ini, or else img1/ beside gt/gt.txt or det/det.txt.

    Raises:
        SourceError: its seqinfo.ini cannot be read.
    """
    if (folder / SEQINFO).is_file():
        info = read_seqinfo(folder / SEQINFO)
        return SequenceFolder(folder, folder / info.image_folder, info)
    if (folder / IMAGES).is_dir() and _has_boxes(folder):
        return SequenceFolder(folder, folder / IMAGES, SeqInfo(folder / SEQINFO, {}))
    images = Path(os.path.abspath(folder))  # noqa: PTH100 (resolve() would leave the sequence through a link)
    around = images.parent
    if (around / SEQINFO).is_file():
        info = read_seqinfo(around / SEQINFO)
        if images == Path(os.path.abspath(around / info.image_folder)):  # noqa: PTH100
            return SequenceFolder(around, folder, info)
    elif images.name == IMAGES and _has_boxes(around):
        return SequenceFolder(around, folder, SeqInfo(around / SEQINFO, {}))
    return None


def _has_boxes(folder: Path) -> bool:
    return any((folder / name).is_file() for name in BOXES)
