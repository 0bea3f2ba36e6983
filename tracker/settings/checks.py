"""Checks of single values."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any

from ..errors import OptionError

LARGEST = 1e15  # of any number in the settings: infinity has no place among them


def check_number(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """The value as a float.

    Raises:
        OptionError: it is no number from low to high.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not low <= value <= min(high, LARGEST):
        bounds = f"a number of at least {low:g}" if high == math.inf else f"a number from {low:g} to {high:g}"
        raise OptionError(f"{name} must be {bounds}, not {value!r}")
    return float(value)


def number(default: float, help: str, low: float = 0.0, high: float = math.inf, **metadata: Any) -> Any:
    """A field of a dataclass of settings, for numbers from low to high; ``check_numbers`` holds it to that."""
    return dataclasses.field(default=default, metadata={"help": help, "range": (low, high), **metadata})


def check_numbers(settings: Any, prefix: str = "") -> None:
    """Check all fields of a dataclass that ``number`` made.

    Raises:
        OptionError: one is out of its range; it is called by the prefix and its name.
    """
    for field in dataclasses.fields(settings):
        if "range" in field.metadata:
            check_number(f"{prefix}{field.name}", getattr(settings, field.name), *field.metadata["range"])


def check_positive(name: str, value: Any) -> float:
    """The value as a float.

    Raises:
        OptionError: it is no finite number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not (math.isfinite(value) and value > 0):
        raise OptionError(f"{name} must be a positive number, got {value!r}")
    return float(value)


def check_flag(name: str, value: Any) -> bool:
    """The value.

    Raises:
        OptionError: it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be True or False, not {value!r}")
    return value


def check_whole(name: str, value: Any) -> int:
    """The value, when it is a whole number of at least 1.

    Raises:
        OptionError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 1 <= value <= LARGEST:
        raise OptionError(f"{name} must be a whole number of at least 1, not {value!r}")
    return value
