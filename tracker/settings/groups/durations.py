"""Durations as users write them."""

from __future__ import annotations

import re
from typing import Any

from ...errors import OptionError
from ..checks import LARGEST, shown

SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.ASCII)


def read_duration(name: str, value: Any) -> float:
    """Return a duration in seconds.

    Args:
        name: What the value is called in the message.
        value: Such as ``30s``, ``10m``, ``1h`` or ``1d``; a number is one of seconds.

    Raises:
        OptionError: It is no such text, or not above 0.
    """
    known = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    found = _DURATION.fullmatch(str(value).strip().lower()) if known else None
    seconds = float(found[1]) * SECONDS[found[2]] if found else 0.0
    if not 0 < seconds <= LARGEST:
        raise OptionError(f"{name} must be a duration such as 30s, 10m, 1h or 1d, not {shown(value)}")
    return seconds
