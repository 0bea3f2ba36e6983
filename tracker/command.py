"""The command line of the tracker, for ``hub run`` and ``python -m tracker``.

The first word is the name of a command, by default ``track``. An entry in `COMMANDS` makes a new one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from .commands import analyse, batch, doctor, export, identities, scene, serve, track
from .commands.base import UsageError
from .errors import TrackingError
from .pipeline.interrupts import ending_in_order, result_of
from .pipeline.standard_streams import safe_streams, use_null_for
from .predictor import Predictor
from .settings.version import VERSION


@dataclass(frozen=True)
class JsonText:
    """The result of a command; its text is one JSON object.

    Attributes:
        result: A dataclass. Values of types that JSON lacks, such as paths, are converted to text.
    """

    result: Any

    def __str__(self) -> str:
        return json.dumps(dataclasses.asdict(self.result), default=str, ensure_ascii=False)


COMMANDS = {
    "track": track.COMMAND,
    "analyse": analyse.COMMAND,
    "export": export.COMMAND,
    "batch": batch.COMMAND,
    "join": identities.JOIN,
    "find": identities.FIND,
    "scene": scene.COMMAND,
    "serve": serve.COMMAND,
    "doctor": doctor.COMMAND,
}
DEFAULT = "track"
EVENTS_ALONE = "-"  # as --events: standard output is for events, and the result goes to standard error


def make_parser(prog: str, name: str = DEFAULT, everything: bool = False) -> argparse.ArgumentParser:
    """Return the parser of a command.

    Args:
        prog: Name of the program, for the usage.
        name: Name of the command.
        everything: Whether help shows the rarely needed options too.
    """
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog=prog,
        usage=f"%(prog)s {command.usage}",
        description=command.help,
        epilog=f"The first word may name a command: {', '.join(COMMANDS)}; without one it is {DEFAULT}. Ctrl-C ends a "
        "run in order: the files are complete to the last finished frame.",
    )
    parser.add_argument("--help_all", action="help", help="show all options, also the rarely needed ones, and exit")
    parser.add_argument("--version", action="version", version=VERSION, help="print the version and exit")
    command.add_arguments(parser, everything)
    return parser


def run_command(predictor: Predictor, prog: str, argv: Sequence[str] | None = None) -> object:
    """Run the command that the arguments name.

    Args:
        predictor: The predictor; its model is changed to the one of the arguments.
        prog: Name of the program, for the usage.
        argv: Arguments; None for those of the process.

    Returns:
        The result, to be printed: its text is a summary, or one JSON object with ``--json``.

    Raises:
        SystemExit: 1 after an error or if a video of a batch failed, 2 for wrong arguments, 130 after Ctrl-C, 143 after
            SIGTERM, 129 after SIGHUP; the cause is one line on stderr. With ``--json`` the object of a run that was
            interrupted is printed before.

    With ``--events -`` nothing but events goes to standard output: ``sys.stdout`` is standard error from then on.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    name = DEFAULT
    if words and words[0] in COMMANDS:
        name = words.pop(0)
        prog = f"{prog} {name}"
    parser = make_parser(prog, name, "--help_all" in words)
    arguments = vars(parser.parse_args(words))
    as_json = arguments.pop("json")
    try:
        result = _run_in_order(predictor, parser, name, arguments, as_json)
    finally:
        if arguments.get("events") == EVENTS_ALONE:
            sys.stdout = sys.stderr  # what prints the result, which PaddleHub may be, leaves the events alone
    return JsonText(result) if as_json else result


def _run_in_order(
    predictor: Predictor, parser: argparse.ArgumentParser, name: str, arguments: dict[str, Any], as_json: bool
) -> Any:
    events_alone = arguments.get("events") == EVENTS_ALONE
    with safe_streams(), ending_in_order():
        logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
        logging.getLogger(__package__).setLevel(logging.INFO)
        try:
            return COMMANDS[name].run(predictor, dict(arguments))
        except UsageError as error:
            parser.error(str(error))
        except TrackingError as error:
            result = result_of(error)
            if result is not None:  # what those have made that did not fail
                print_result(JsonText(result) if as_json else result, sys.stderr if events_alone else None)
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(1) from error
        except (KeyboardInterrupt, SystemExit) as stop:
            result = result_of(stop)
            if as_json and result is not None:
                print_result(JsonText(result), sys.stderr if events_alone else None)
            word, code = ("terminated", stop.code) if isinstance(stop, SystemExit) else ("interrupted", 130)
            # no result: the second signal, or one before the run
            print(word if result is None else f"{word}: {result.when_stopped}", file=sys.stderr)
            raise SystemExit(code) from None


def print_result(result: object, stream: TextIO | None = None) -> None:
    """Print the result of a command.

    Args:
        result: its text is printed.
        stream: where to; None for standard output.

    Raises:
        SystemExit: 1 where it cannot be printed; the cause is one line on stderr.
    """
    try:
        print(result, flush=True, file=stream)
    except OSError as error:
        use_null_for(sys.stdout)  # what is still in its buffer is written once more at the end
        print(f"error: cannot print the result: {error.strerror}; the files are complete", file=sys.stderr)
        raise SystemExit(1) from error
