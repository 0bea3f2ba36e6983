"""What every tool shares: its command line with one set of exit codes, progress on stderr, and JSON files.

A tool puts the project's folder on ``sys.path``, so that ``python tools/NAME.py`` works from any folder, and has
``main(argv)``, which hands its arguments and its work to `run_tool`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from tracker.errors import OutputError, TrackingError, printable

LOG_SECONDS = 10.0  # between two lines of progress where there is no terminal

Item = TypeVar("Item")


def run_tool(
    description: str | None,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    run: Callable[[argparse.Namespace], object],
    argv: Sequence[str] | None = None,
) -> int:
    """Parse a command line, do the work and return the exit code.

    Args:
        description: text above the options in ``--help``, shown as it is.
        add_arguments: adds the tool's arguments to the parser.
        run: does the work; what it returns is ignored.
        argv: the arguments; None for those of the process.

    Returns:
        0 when all went well; 1 after a `TrackingError`, which is told in one line on stderr; 130 after Ctrl-C.

    Raises:
        SystemExit: 2 for a wrong command line, 0 after ``--help``.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        run(arguments)
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def progress(items: Iterable[Item], name: str, unit: str, total: int | None = None) -> Iterator[Item]:
    """Yield items while stderr shows how many of them are done.

    A terminal gets a bar. Anything else, a log file for example, gets a plain line every `LOG_SECONDS` seconds, and
    none for work that is done before that.

    Args:
        items: to yield.
        name: of the work.
        unit: plural noun for the items.
        total: number of items; None for their length, or where it is not known.

    Yields:
        The items.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        yield from tqdm(items, desc=name, total=total, unit=f" {unit}", dynamic_ncols=True, leave=False)
        return
    start = reported = time.monotonic()
    of_total = "" if total is None else f" of {total}"
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - reported >= LOG_SECONDS:
            announce(f"{name}: {done}{of_total} {unit} after {now - start:.0f} s")
            reported = now


def announce(text: str) -> None:
    """Print a line on stderr, above a bar where one is shown: what begins now, or how far it is."""
    with tqdm.external_write_mode(file=sys.stderr):
        print(_shown(text), file=sys.stderr, flush=True)


def print_line(text: str) -> None:
    """Print a line of the result on stdout at once, above a bar where one is shown."""
    with tqdm.external_write_mode(file=sys.stdout):
        print(_shown(text), flush=True)


def _shown(text: str) -> str:
    """Return lines as a terminal shows them, whatever is in the names of files that they tell."""
    return "\n".join(map(printable, text.split("\n")))


def write_json(path: Path, data: object) -> None:
    """Write data as a JSON file in UTF-8.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
