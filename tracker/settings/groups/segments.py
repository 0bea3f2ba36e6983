"""Durations and amounts of storage as users write them, and how the files of a long run are cut and kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...errors import OptionError
from ..checks import LARGEST, check_settings, setting, shown

DAY = 86_400.0  # seconds
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY}
BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
LEAST_SPLIT = 1.0  # seconds: names tell whole seconds
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def read_duration(name: str, value: Any) -> float:
    """Return a duration in seconds.

    Args:
        name: What the value is called in the message.
        value: Such as ``30s``, ``10m``, ``1h`` or ``1d``; a number is one of seconds.

    Raises:
        OptionError: It is no such text, or not above 0.
    """
    seconds = _amount(str(value), SECONDS | {"": 1.0}, str.lower) if _is_written(value) else None
    if seconds is None or not 0 < seconds <= LARGEST:
        raise OptionError(f"{name} must be a duration such as 30s, 10m, 1h or 1d, not {shown(value)}")
    return seconds


@dataclass(frozen=True)
class Keep:
    """How much of a run is kept.

    Attributes:
        seconds: Age above which a segment goes; None for any age.
        size: Bytes that all segments may have together; None for any number.
    """

    seconds: float | None = None
    size: float | None = None


def read_keep(name: str, value: Any) -> Keep:
    """Return how much is kept.

    Args:
        name: What the value is called in the message.
        value: An age such as ``7d``, an amount such as ``50GB``, or one of each with a comma between.

    Raises:
        OptionError: It is no such text.
    """
    seconds = size = None
    for word in str(value).split(",") if isinstance(value, str) else [""]:
        word = word.strip()
        age, amount = _amount(word, SECONDS, str.lower), _amount(word, BYTES, str.upper)
        twice = (age and seconds is not None) or (amount and size is not None)
        if not (age or amount) or twice:
            raise OptionError(
                f"{name} must be an age such as 7d, an amount such as 50GB, or one of each as in 7d,50GB, "
                f"not {shown(value)}"
            )
        seconds, size = age or seconds, amount or size
    return Keep(seconds, size)


def _is_written(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _amount(text: str, units: dict[str, Any], folded: Any) -> float | None:
    """Return a number with a unit in the smallest one; None for anything else."""
    match = _AMOUNT.fullmatch(text.strip())
    factor = units.get(folded(match[2])) if match else None
    return None if match is None or factor is None else float(match[1]) * factor


def _check_split(name: str, value: Any) -> None:
    if value is not None and read_duration(name, value) < LEAST_SPLIT:
        raise OptionError(f"{name} must be at least {LEAST_SPLIT:g}s, not {shown(value)}")


def _check_keep(name: str, value: Any) -> None:
    if value is not None:
        read_keep(name, value)


@dataclass(frozen=True)
class SegmentOptions:
    """How the files of a long run are cut, and which are kept.

    Attributes:
        split: Length of a segment, such as ``1h``; None for one whole.
        keep: How much is kept of the segments, such as ``7d``, ``50GB`` or ``7d,50GB``; None for all.

    Raises:
        OptionError: A value is not accepted.
    """

    split: str | float | None = setting(
        None,
        "begin new files every 30s, 10m, 1h or 1d: NAME_20261127T100000.txt and so on; cameras at multiples of the "
        "clock, numbers of people go on (default: one file each)",
        _check_split,
        kind=str,
        metavar="DURATION",
    )
    keep: str | None = setting(
        None,
        "with split: remove the oldest segments beyond an age such as 7d, an amount such as 50GB, or 7d,50GB "
        "(default: keep all)",
        _check_keep,
        kind=str,
        metavar="AGE|SIZE",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.keep is not None and self.split is None:
            raise OptionError(f"keep {shown(self.keep)} removes whole segments: give split too, such as 1h")

    @property
    def length(self) -> float | None:
        """Length of a segment in seconds; None for one whole."""
        return None if self.split is None else read_duration("split", self.split)

    @property
    def kept(self) -> Keep:
        """How much is kept."""
        return Keep() if self.keep is None else read_keep("keep", self.keep)
