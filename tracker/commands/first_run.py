"""The question before the full model is downloaded, for people in a terminal."""

from __future__ import annotations

import contextlib
import os
import sys

from ..models.locate import COMPACT_PACE, FULL_PACE, FULL_SIZE, full_is_downloaded, missing_converters

QUESTION = f"""\
--model auto is about to download the full model: {FULL_SIZE}, once.
  full     {FULL_PACE}
  compact  {COMPACT_PACE} a frame, and it is here already
Name one of them, as in --model compact, to be asked no more.
Download the full model? [y/N] """


def agreed_model(model: str) -> str:
    """Ask whether ``auto`` may download the full model, before anything is asked of a server.

    Nobody is asked for another model, where the weights are in the cache or could not be used, and where nobody can
    answer: in a pipe, a service, a job in the background. ``auto`` then does what it does in Python.

    Args:
        model: the model that the arguments name.

    Returns:
        The same model, or ``compact`` after any answer but yes, Ctrl-D included.

    Raises:
        KeyboardInterrupt: Ctrl-C in place of an answer; SystemExit for SIGTERM and SIGHUP.
    """
    if model != "auto" or full_is_downloaded() or missing_converters() or not _somebody_answers():
        return model
    answer = ""
    try:
        print(QUESTION, end="", file=sys.stderr, flush=True)  # standard output is for results
        answer = sys.stdin.readline()
    finally:
        if not answer.endswith("\n"):  # the line of the question has not ended
            print(file=sys.stderr)
    if answer.strip().lower() in ("y", "yes"):
        return model
    print("Going on with the compact model.", file=sys.stderr)
    return "compact"


def _somebody_answers() -> bool:
    """Return whether question and answer both are with a terminal, whose foreground this process is in."""
    if sys.stdin is None:
        return False
    with contextlib.suppress(OSError, ValueError):  # closed, or no terminal that this process is controlled by
        if sys.stdin.isatty() and sys.stderr.isatty():
            # a job in the background would be halted for reading
            return not hasattr(os, "tcgetpgrp") or os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    return False
