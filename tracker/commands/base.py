"""What a command of the command line is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..predictor import Predictor


class UsageError(Exception):
    """The arguments do not go together."""


@dataclass(frozen=True)
class Command:
    """A command of the command line.

    Attributes:
        help: One sentence on what it does.
        usage: Its arguments in short.
        add_arguments: Adds its arguments to a parser; the flag tells whether help shows the rarely needed ones too.
        run: Runs it with the values of the arguments by name. Returns a dataclass whose text is a short summary, or
            raises UsageError.
    """

    help: str
    usage: str
    add_arguments: Callable[[argparse.ArgumentParser, bool], None]
    run: Callable[[Predictor, dict[str, Any]], Any]
