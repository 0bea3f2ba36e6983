"""A trial of models from elsewhere, in a process of its own, before this process loads them.

A graph can be whole, have harmless operators only, and still take a backend down, or take all memory. Then it takes the
process of the trial down, and the user is told in one line.
"""

from __future__ import annotations

import dataclasses
import filecmp
import hashlib
import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from ...errors import ModelError
from ...models import int8
from ...models.child import last_line, run_module
from ...models.locate import COMPACT, cache_folder
from ...settings.runtime import RuntimeOptions

_FILES = (*int8.MADE_FROM, *int8.FILES)
_LONGEST = 45.0  # seconds; even the full network on a slow machine takes a fifth of it
FAILED, OTHER = 1, 3  # exit codes of the process where the model is at fault, and where the options are


def try_out(folder: Path, runtime: RuntimeOptions) -> None:
    """Load a model and run it once in a process of its own, unless it is from here or has been tried.

    The bundled model, copies of it, and what this machine has made of downloaded weights are not tried.

    Args:
        folder: The model folder.
        runtime: What is to run it.

    Raises:
        ModelError: The model cannot be loaded or run, takes too long or too much memory, or the process crashed.
    """
    if folder == COMPACT or cache_folder() in folder.parents or _is_bundled(folder):
        return
    mark = cache_folder() / "tried" / _state(folder, runtime)
    if mark.is_file():
        return
    arguments = [str(folder.absolute()), json.dumps(dataclasses.asdict(runtime))]
    try:
        # one arena of memory for all threads: the address space is limited, and each takes 64 MB of it
        done = run_module("tracker.detection.backends.trial_process", arguments, {"MALLOC_ARENA_MAX": "1"}, _LONGEST)
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{folder} is refused: it takes more than {_LONGEST:.0f} s to load and to run on one image; "
            "export the model again for images of a smaller size, or take a smaller input_size"
        ) from error
    except OSError as error:
        raise ModelError(f"{folder} cannot be tried in a process of its own: {error.strerror}") from error
    if done.returncode == FAILED:
        raise ModelError(last_line(done, f"{folder} cannot be run"))
    if done.returncode not in (0, OTHER):
        raise ModelError(f"{folder} is refused: it crashes what runs it ({_ending(done)}); export the model again")
    if done.returncode == 0:
        with suppress(OSError):  # then it is tried each time
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


def _ending(done: subprocess.CompletedProcess) -> str:
    return signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"


def _is_bundled(folder: Path) -> bool:
    """Return whether all graphs in a folder are those of the bundled model."""
    with suppress(OSError):
        return all(
            filecmp.cmp(folder / name, COMPACT / name, shallow=False)
            for name in _FILES
            if name in int8.MADE_FROM or (folder / name).exists()
        )
    return False


def _state(folder: Path, runtime: RuntimeOptions) -> str:
    """Return a name for a folder as it is now and the way to run it: another one after any change of its files."""
    parts = [str(folder.resolve()), runtime.backend, runtime.precision, runtime.wanted_device]
    if runtime.input_size is not None:
        parts.append(f"{runtime.input_size}")
    for name in (*_FILES, "infer_cfg.yml"):
        path = folder / name
        if path.exists():
            state = path.stat()
            parts.append(f"{name} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}")
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]
