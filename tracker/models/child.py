"""A module of this package, run as a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..settings.children import PYTHON

ROOT = Path(__file__).resolve().parents[2]  # holds the package tracker


def run_module(
    module: str, arguments: Sequence[str], variables: Mapping[str, str], timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a module and wait for it to end.

    Args:
        module: Name of the module, such as ``tracker.models.export``.
        arguments: Its command line.
        variables: Added to the environment.
        timeout: Seconds after which it is killed; None for no limit.

    Returns:
        Its return code, negative for a signal, and what it printed.

    Raises:
        subprocess.TimeoutExpired: It was killed.
        OSError: The process cannot be started.
    """
    # So that the child imports `tracker` from this very folder, under whichever name this process has imported it.
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [*PYTHON, "-m", module, *arguments],
        env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )


def last_line(done: subprocess.CompletedProcess[str], otherwise: str) -> str:
    """Return the last line that a process printed on stderr, without ``error: ``.

    Args:
        done: The process.
        otherwise: What to return for one that printed nothing.
    """
    return (done.stderr.strip().splitlines() or [otherwise])[-1].removeprefix("error: ")
