"""The seqinfo.ini of a MOTChallenge sequence folder."""

from __future__ import annotations

import configparser
import math
from collections.abc import Mapping
from pathlib import Path

from ..errors import SourceError

SEQINFO = "seqinfo.ini"


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
        """Folder of the images, seen from that of the file (imDir)."""
        return self._values.get("imDir", "img1")

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
            raise SourceError(f"{str(self._path)!r} has frameRate {text!r}: make it a positive number")
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
        if not (text.isascii() and text.isdigit()):
            raise SourceError(f"{str(self._path)!r} has seqLength {text!r}: make it a whole number")
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
