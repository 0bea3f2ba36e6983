"""What made a result, as JSON beside the MOT text: options, model, versions, processor; and how to read it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import OutputError, SourceError
from ...settings.version import VERSION
from ...structures import Frame, SequenceInfo, Tracks
from ..files import make_parent, run_path, write_whole

SCHEMA = 1
PACKAGES = ("numpy", "opencv-python", "av", "lap", "scipy", "openvino", "paddlepaddle", "paddlehub")
_LARGEST = 10_000_000  # bytes


def read_run(path: Path) -> dict[str, Any]:
    """Return what the file of a run tells.

    Raises:
        SourceError: it cannot be read, or is no such file.
    """
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise ValueError
        values = json.loads(path.read_text(encoding="utf-8"))
        width, height = values["size"]
        numbers = [values["frame_rate"], values["skip_frames"], width, height]
        if not all(isinstance(number, (int, float)) and 0 < number < 1e9 for number in numbers):
            raise ValueError
        return values
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SourceError(f"{path} is not the file of a run: remove it, and give what is then asked for") from error


class RunSink:
    """Writes what made a result, at the first frame and again at the end.

    Args:
        folder: output folder; the file is ``mot_results/NAME_run.json`` in it.
        about: what is known before, as plain values.
        at_end: called at the end; returns what is known then only, such as how long it took.
        model: folder of the model; None for none.
    """

    name = "text"  # it takes no time of its own

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        at_end: Callable[[], Mapping[str, Any]] = dict,
        model: Path | None = None,
    ) -> None:
        self._folder = folder
        self._path: Path
        self._about = dict(about)
        self._at_end = at_end
        self._model = model
        self._first: int | None = None
        self._last = 0

    def open(self, info: SequenceInfo) -> None:
        """Write what is known at the first frame.

        Raises:
            OutputError: the file or its folder cannot be made.
        """
        self._path = run_path(self._folder, info.name)
        make_parent(self._path)
        self._about = {
            "schema": SCHEMA,
            "name": info.name,
            "size": list(info.size),
            "frame_rate": info.frame_rate,
            "skip_frames": info.skip_frames,
            **self._about,
        }
        self._write(self._about)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Note the number of a frame."""
        self._last = frame.index + 1
        if self._first is None:
            self._first = self._last

    def close(self) -> dict[str, Path]:
        """Write all that is known, and return the path, as ``run``.

        Raises:
            OutputError: the file cannot be written.
        """
        frames = {"first_frame": self._first, "last_frame": self._last}
        model = {"model_sha256": folder_digest(self._model)} if self._model else {}
        machine = {"versions": versions(), "processor": processor(), "system": platform.platform()}
        self._write({**self._about, **frames, **model, **machine, **self._at_end()})
        return {"run": self._path}

    def _write(self, values: Mapping[str, Any]) -> None:
        try:
            write_whole(self._path, json.dumps(values, indent=1, ensure_ascii=False, default=str) + "\n")
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}; choose another output_dir") from error


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of the files of a folder, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file():
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of this module, of Python, and of the packages that results depend on, if installed."""
    made = {"tracker": VERSION, "python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            made[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return made


def processor() -> str:
    """Return the name of the processor."""
    with contextlib.suppress(OSError):  # not Linux
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
