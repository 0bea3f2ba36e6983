"""Checked settings: dataclasses whose fields declare what they accept.

A field made by `number`, `whole`, `choice`, `flag`, `text` or `setting` carries its check and its help.
`check_settings` checks all fields of an instance, and `from_mapping` builds an instance from a YAML mapping. The other
``check_...`` functions check single values, in a dataclass or not.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import numbers
import reprlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from ..errors import OptionError

LARGEST = 1e15  # bound on every number: lets no infinity through
REQUIRED = dataclasses.MISSING  # as the default of a field: a value must be given
_LONGEST_TEXT = 200  # characters

Settings = TypeVar("Settings")

_short = reprlib.Repr()
_short.maxlevel, _short.maxlist, _short.maxtuple, _short.maxdict = 2, 4, 4, 4
_short.maxstring, _short.maxlong, _short.maxother = 80, 60, 80  # characters


def shown(value: Any) -> str:
    """Return a value as one short line for a message, however large it is."""
    try:
        return " ".join(_short.repr(value).split())
    except ValueError:  # Python refuses to print whole numbers of thousands of digits
        return "a number of too many digits"


# Single values


def check_number(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """Check a number.

    Args:
        name: What the value is called in the message.
        value: The value to check.
        low: Least value accepted.
        high: Highest value accepted; infinity for no bound, which still accepts finite numbers only.

    Returns:
        The value as a float.

    Raises:
        OptionError: The value is not a number from low to high.
    """
    if not _is(numbers.Real, value) or not low <= value <= min(high, LARGEST):
        raise OptionError(f"{name} must be a number {_range(low, high)}, not {shown(value)}")
    return float(value)


def check_positive(name: str, value: Any) -> float:
    """Check a number above 0.

    Args:
        name: What the value is called in the message.
        value: The value to check.

    Returns:
        The value as a float.

    Raises:
        OptionError: The value is not a finite number above 0.
    """
    if not _is(numbers.Real, value) or not 0 < value <= LARGEST:
        raise OptionError(f"{name} must be a positive number, got {shown(value)}")
    return float(value)


def check_whole(name: str, value: Any, low: int = 1, high: float = math.inf) -> int:
    """Check a whole number.

    Args:
        name: What the value is called in the message.
        value: The value to check.
        low: Least value accepted.
        high: Highest value accepted; infinity for no bound.

    Returns:
        The value.

    Raises:
        OptionError: The value is not a whole number from low to high.
    """
    if not _is(numbers.Integral, value) or not low <= value <= min(high, LARGEST):
        raise OptionError(f"{name} must be a whole number {_range(low, high)}, not {shown(value)}")
    return int(value)


def check_flag(name: str, value: Any) -> bool:
    """Check a value that is True or False.

    Args:
        name: What the value is called in the message.
        value: The value to check.

    Returns:
        The value.

    Raises:
        OptionError: The value is neither True nor False.
    """
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be True or False, not {shown(value)}")
    return value


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Check one of several words.

    Args:
        name: What the value is called in the message.
        value: The value to check.
        choices: The words accepted.

    Returns:
        The value.

    Raises:
        OptionError: The value is none of the choices.
    """
    if not isinstance(value, str) or value not in choices:
        raise OptionError(f"{name} must be one of {', '.join(choices)}, not {shown(value)}")
    return value


def check_text(name: str, value: Any) -> str:
    """Check a short line of text.

    Args:
        name: What the value is called in the message.
        value: The value to check.

    Returns:
        The value.

    Raises:
        OptionError: The value is not a text of 1 to 200 printable characters.
    """
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT or not value.isprintable():
        raise OptionError(f"{name} must be one line of at most {_LONGEST_TEXT} characters, not {shown(value)}")
    return value


def check_installed(what: str, package: str, source: str | None = None) -> None:
    """Check that a package is there which only some uses need, before anything is begun.

    Args:
        what: What needs it.
        package: Name of the package, for import as well as for pip.
        source: What pip is to install in its place, such as a file of requirements.

    Raises:
        OptionError: The package is not installed.
    """
    if importlib.util.find_spec(package) is None:
        reason = f"{what} needs the package {package}, which is not installed"
        raise OptionError(f"{reason}: pip install {source or package}")


def _is(kind: type, value: Any) -> bool:
    # a flag is a number to Python, and not to anybody who writes settings
    return isinstance(value, kind) and not isinstance(value, bool)


def _range(low: float, high: float) -> str:
    return f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"


# Fields of dataclasses


def setting(default: Any, help: str, check: Callable[[str, Any], Any], **metadata: Any) -> Any:
    """Return a dataclass field with a check of its own.

    Args:
        default: Its default, or `REQUIRED`.
        help: What it means, with its unit.
        check: Called with the name and the value; raises OptionError for a value that is not accepted.
        metadata: Further entries of the field's metadata. ``key`` is the field's name in files where that is another.
    """
    return dataclasses.field(default=default, metadata={"help": help, "check": check, **metadata})


def number(default: Any, help: str, low: float = 0.0, high: float = math.inf, **metadata: Any) -> Any:
    """Return a dataclass field for a number.

    Args:
        default: Its default, or `REQUIRED`.
        help: What it means, with its unit.
        low: Least value accepted.
        high: Highest value accepted; infinity for no bound.
        metadata: Further entries of the field's metadata, as for `setting`.
    """
    check = partial(check_number, low=low, high=high)
    return setting(default, help, check, kind=float, range=(low, high), **metadata)


def whole(default: Any, help: str, low: int = 1, high: float = math.inf, **metadata: Any) -> Any:
    """Return a dataclass field for a whole number.

    Args:
        default: Its default, or `REQUIRED`.
        help: What it means, with its unit.
        low: Least value accepted.
        high: Highest value accepted; infinity for no bound.
        metadata: Further entries of the field's metadata, as for `setting`.
    """
    check = partial(check_whole, low=low, high=high)
    return setting(default, help, check, kind=int, range=(low, high), **metadata)


def choice(default: Any, help: str, choices: Sequence[str], **metadata: Any) -> Any:
    """Return a dataclass field for one of several words.

    Args:
        default: Its default, or `REQUIRED`.
        help: What it means.
        choices: The words accepted.
        metadata: Further entries of the field's metadata, as for `setting`.
    """
    return setting(default, help, partial(check_choice, choices=choices), kind=str, **metadata)


def flag(default: Any, help: str, **metadata: Any) -> Any:
    """Return a dataclass field for True or False.

    Args:
        default: Its default, or `REQUIRED`.
        help: What it means.
        metadata: Further entries of the field's metadata, as for `setting`.
    """
    return setting(default, help, check_flag, kind=bool, **metadata)


def text(default: Any, help: str, **metadata: Any) -> Any:
    """Return a dataclass field for a short line of text.

    Args:
        default: Its default, or `REQUIRED`.
        help: What it means.
        metadata: Further entries of the field's metadata, as for `setting`.
    """
    return setting(default, help, check_text, kind=str, **metadata)


def check_settings(settings: Any, prefix: str = "") -> None:
    """Check all fields of a dataclass that declare what they accept.

    Args:
        settings: An instance of the dataclass.
        prefix: Goes before the names of the fields in messages, such as ``input.``.

    Raises:
        OptionError: A value is not accepted. The message names the field and the value.
    """
    for field in dataclasses.fields(settings):
        if "check" in field.metadata:
            field.metadata["check"](f"{prefix}{field_key(field)}", getattr(settings, field.name))


def field_key(field: dataclasses.Field) -> str:
    """Return the name that files have for a field."""
    return field.metadata.get("key", field.name)


# Files


def from_mapping(kind: type[Settings], values: Any, name: str = "") -> Settings:
    """Build a dataclass from a mapping as YAML gives it.

    By the type hints, fields that are dataclasses are built from mappings likewise, and tuples from lists.

    Args:
        kind: The dataclass.
        values: Names and values.
        name: What the mapping is called in messages; '' for the whole file.

    Raises:
        OptionError: A name is unknown or missing, or a value is not accepted.
    """
    if not isinstance(values, Mapping):
        raise OptionError(f"{name or 'the file'} must be a mapping of names to values, not {shown(values)}")
    prefix = f"{name}." if name else ""
    hints = typing.get_type_hints(kind)
    fields = {field_key(field): field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise OptionError(f"unknown setting {prefix}{shown(key).strip(chr(39))}; known are {', '.join(fields)}")
    for key, field in fields.items():
        if key not in values and field.default is REQUIRED and field.default_factory is REQUIRED:
            raise OptionError(f"{prefix}{key} is missing")
    return kind(
        **{fields[key].name: _converted(hints[fields[key].name], value, prefix + key) for key, value in values.items()}
    )


def _converted(hint: Any, value: Any, name: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value, name)
    if origin in (types.UnionType, typing.Union) and len(arguments) == 2 and type(None) in arguments:
        (some,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _converted(some, value, name)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise OptionError(f"{name} must be a list, not {shown(value)}")
        hints = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(hints) != len(value):
            raise OptionError(f"{name} must be a list of {len(hints)} values, not {shown(value)}")
        return tuple(_converted(item_hint, item, name) for item_hint, item in zip(hints, value))
    return value
