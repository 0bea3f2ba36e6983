"""Groups of options that both Python and the command line take: a class of checked settings makes a group."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .options import add_flag
from .settings.groups.answers import AnswerOptions
from .settings.groups.delivery import DeliveryOptions
from .settings.groups.live import LiveOptions
from .settings.groups.people import PeopleOptions
from .settings.groups.segments import SegmentOptions


@dataclass(frozen=True)
class Group:
    """Options that belong together: a dataclass of checked settings, whose fields are keywords and flags.

    Attributes:
        kind: The dataclass.
        about: What the options are for, in a few words.
        common: Whether a short --help shows them.
    """

    kind: type
    about: str
    common: bool = False


GROUPS = {  # by the title that help gives them
    "Answer options": Group(AnswerOptions, "What of the answers to a scene is made on request."),
    "Camera options": Group(LiveOptions, "How cameras and streams are read."),
    "Long runs": Group(SegmentOptions, "How the files of long runs are cut and kept."),
    "Delivery options": Group(DeliveryOptions, "Who is told what happens, while it happens.", common=True),
    "People options": Group(PeopleOptions, "What is kept of what people look like.", common=True),
}
_GROUP_OF = {field.name: group.kind for group in GROUPS.values() for field in dataclasses.fields(group.kind)}


def take_groups(options: Mapping[str, Any]) -> tuple[dict[type, Any], dict[str, Any]]:
    """Take the options of all groups out of others.

    Args:
        options: Values by name; None is for the default.

    Returns:
        An instance of each dataclass in `GROUPS`, by its class; and the other options.

    Raises:
        OptionError: A value is not accepted.
    """
    values: dict[type, dict[str, Any]] = {group.kind: {} for group in GROUPS.values()}
    rest = {}
    for name, value in options.items():
        if name not in _GROUP_OF:
            rest[name] = value
        elif value is not None:
            values[_GROUP_OF[name]][name] = value
    return {kind: kind(**chosen) for kind, chosen in values.items()}, rest


def add_group_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    """Add the flags of all groups; those that are not given are None.

    Args:
        parser: The parser.
        everything: Whether help shows the rarely needed ones too.
    """
    for title in GROUPS:
        add_group(parser, title, everything)


def add_group(parser: argparse.ArgumentParser, title: str, everything: bool) -> None:
    """Add the flags of one of `GROUPS`."""
    group = GROUPS[title]
    hidden = not (everything or group.common)
    flags = parser.add_argument_group(None if hidden else title, None if hidden else group.about)
    for field in dataclasses.fields(group.kind):
        kind, text = field.metadata["kind"], field.metadata["help"]
        if field.default not in (None, False, ()):
            text += f" (default: {field.default:g})" if kind is float else f" (default: {field.default})"
        help = argparse.SUPPRESS if hidden else text.replace("%", "%%")
        if kind is bool:
            add_flag(flags, f"--{field.name}", help, default=None)
        else:
            flags.add_argument(
                f"--{field.name}", type=kind, help=help, metavar=field.metadata.get("metavar", kind.__name__.upper())
            )
