"""Whether cameras are tracked at present: the health check of a container, or of whatever else watches a run.

    python -m tracker.cameras.health FOLDER [--within SECONDS] [--page ADDRESS]

prints one line, and ends with 0 if all is well, else with 1. It is asked every half minute, so it loads no more of the
tracker than it needs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..errors import TrackingError, printable

WITHIN = 60.0  # seconds
PATIENCE = 5.0  # seconds that a page may take to answer
FILES = "mot_results/*_status.json"  # what a run with a live source writes every few seconds


class Unhealthy(TrackingError):
    """The cameras are not tracked, or the page does not answer."""


@dataclass(frozen=True)
class Sign:
    """What the status file of one camera says of it.

    Attributes:
        name: of the camera.
        state: live, lost or ended.
        written: seconds since the file was written; below 0 where the clock was put back since then.
        frame_age: seconds since a frame was tracked.
    """

    name: str
    state: str
    written: float
    frame_age: float


def read_sign(path: Path, now: datetime) -> Sign:
    """Return what a status file says.

    Args:
        path: of the file.
        now: the clock time, with its offset from UTC.

    Raises:
        Unhealthy: it is no status file.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        written = (now - datetime.fromisoformat(told["updated"])).total_seconds()
        return Sign(str(told["name"]), str(told["state"]), written, float(told["frame_age"]) + written)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Unhealthy(f"cannot read {path}: {type(error).__name__}: {error}") from error


def check_cameras(folder: Path, within: float = WITHIN, now: datetime | None = None) -> str:
    """Return what is said of cameras of which at least one gave a frame lately, and none hangs.

    A camera that is lost is not the fault of the run, which opens it again; if no other is there, nothing is tracked.
    Files of earlier runs, which nobody writes any more, count for nothing.

    Args:
        folder: the output folder of the run.
        within: seconds in which a frame must have been tracked.
        now: the clock time, with its offset from UTC; None for that of the call.

    Raises:
        Unhealthy: no camera gave a frame lately, or one hangs; the message says which, and since when.
    """
    now = now or datetime.now().astimezone()
    signs = [read_sign(path, now) for path in sorted(folder.glob(FILES))]
    if not signs:
        raise Unhealthy(f"no camera of {folder} has given a frame yet")
    written = [sign for sign in signs if abs(sign.written) <= within]
    if not written:
        last = min(abs(sign.written) for sign in signs)
        raise Unhealthy(f"the run hangs or is gone: no status in {folder} was written in the last {last:.0f} s")
    said = "; ".join(f"{sign.name} {sign.state}, last frame {max(0, sign.frame_age):.0f} s ago" for sign in written)
    live = [sign for sign in written if sign.state == "live"]
    if not live:
        raise Unhealthy(f"no camera gives frames: {said}")
    if not all(sign.frame_age <= within for sign in live):  # so that NaN is no good sign
        raise Unhealthy(f"frames come and are not tracked: {said}")
    return printable(said)


def check_page(address: str) -> None:
    """Ask a page whether it is there.

    Args:
        address: such as http://127.0.0.1:8080/healthz.

    Raises:
        Unhealthy: it does not answer that it is.
    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know this machine
    try:
        with direct.open(address, timeout=PATIENCE) as answer:
            answer.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unhealthy(f"the page at {address} does not answer: {error}") from error


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tracker.cameras.health", description="Say whether cameras are tracked at present."
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="--output_dir of the run")
    parser.add_argument(
        "--within",
        type=float,
        default=WITHIN,
        metavar="SECONDS",
        help="in which a frame must have been tracked (default: %(default)g)",
    )
    parser.add_argument("--page", metavar="ADDRESS", help="also ask a page, as at http://127.0.0.1:8080/healthz")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = make_parser().parse_args(argv)
    try:
        said = check_cameras(arguments.folder, arguments.within)
        if arguments.page:
            check_page(arguments.page)
    except Unhealthy as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
