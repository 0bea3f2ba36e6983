"""Imports packages in a process of its own: one may take its process down, by instructions that the processor lacks.

The process is python -m tracker.doctor.imports NAME... A line goes to its standard output before each and after each;
whatever the packages print themselves goes to standard error.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Sequence

from ..models.child import run_module

BEGUN, DONE, FAILED = "begun", "done", "failed"
_LONGEST = 180.0  # seconds for all imports; on a slow disk the first ones of Paddle take half a minute


def import_failures(names: Sequence[str]) -> dict[str, str]:
    """Import packages in another process.

    Args:
        names: of the packages, as they are imported.

    Returns:
        Why not, by name, of those that cannot be imported.
    """
    failures: dict[str, str] = {}
    left = list(names)
    while left:
        try:
            done = run_module("tracker.doctor.imports", left, {}, _LONGEST)
            printed, ending = done.stdout, f"crashes, exit code {done.returncode}"
        except subprocess.TimeoutExpired as late:
            printed = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
            ending = f"crashes: no end within {_LONGEST:g} s"
        begun = left[0]
        for line in printed.splitlines():
            word, _, rest = line.partition(" ")
            name, _, reason = rest.partition(" ")
            if word == BEGUN:
                begun = name
            elif word in (DONE, FAILED):
                left.remove(name)
                if word == FAILED:
                    failures[name] = reason
        if begun in left:
            failures[begun] = ending
            left.remove(begun)
    return failures


def import_one(name: str) -> None:
    """Import a package as the tracker does."""
    if name == "openvino":
        from ..detection.backends.openvino_import import import_openvino

        import_openvino()
    else:
        importlib.import_module(name)


def main(names: Sequence[str]) -> None:
    """Import packages, and print ``begun NAME``, then ``done NAME`` or ``failed NAME REASON``, for each."""
    with os.fdopen(os.dup(1), "w") as told:
        os.dup2(2, 1)
        for name in names:
            print(BEGUN, name, file=told, flush=True)
            try:
                import_one(name)
            except Exception as error:  # noqa: BLE001 (a package may fail in any way)
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                print(FAILED, name, reason[:300], file=told, flush=True)
            else:
                print(DONE, name, file=told, flush=True)
        told.flush()
        os._exit(0)  # what some do when they are let go of is of no interest


if __name__ == "__main__":
    main(sys.argv[1:])
