"""The arguments of ``doctor``, and the command by itself, where the packages of the others cannot be imported."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence

from .checkup import SECONDS, examine
from .findings import PROBLEM, Checkup, Finding, masked

HELP = "Find out whether tracking works on this machine, how fast, and what to do about what does not."
USAGE = "[--output_dir OUT] [--seconds N] [--camera N] [--json]"


def add_doctor_arguments(parser: argparse.ArgumentParser, everything: bool = True) -> None:
    """Add the arguments of ``doctor``; all are in any help."""
    parser.add_argument(
        "--output_dir", default="mot_result", help="folder of results, to try the disk in (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=SECONDS,
        metavar="N",
        help="about how long to measure the speed, 1 to 600 (default: %(default)g)",
    )
    parser.add_argument(
        "--camera",
        type=int,
        metavar="N",
        help="try camera N, from 0 (default: the first one, where there is a /dev/video*)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the lines")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to 600")
    return value


def summary(problems: Sequence[str]) -> str:
    """Return the one line on what keeps tracking from working."""
    return f"tracking does not work here: see {', '.join(problems)}"


def run_alone(words: Sequence[str], failure: Exception) -> int:
    """Run ``doctor`` if the words ask for it, and tell of it otherwise.

    Args:
        words: the command line.
        failure: why the other commands cannot be imported.

    Returns:
        The exit code, 1: without the other commands nobody can track.
    """
    reason = masked(" ".join(f"{type(failure).__name__}: {failure}".split()))
    if list(words[:1]) != ["doctor"]:
        print(f"error: a package is missing or broken ({reason}): python -m tracker doctor", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser("python -m tracker doctor", f"%(prog)s {USAGE}", HELP)
    add_doctor_arguments(parser)
    arguments = vars(parser.parse_args(words[1:]))
    as_json = arguments.pop("json")
    result = examine(**arguments)
    if result.works:  # what is broken is no package
        text = f"the commands cannot be imported ({reason}): install the module again"
        result = Checkup.of([*result.findings, Finding("tracker", PROBLEM, text)])
    print(json.dumps(dataclasses.asdict(result), ensure_ascii=False) if as_json else result)
    print(f"error: {summary(result.problems)}", file=sys.stderr)
    return 1
