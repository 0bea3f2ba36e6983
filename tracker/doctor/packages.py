"""Versions of Python, the module and the packages; whether the packages can be imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterator, Sequence

from ..settings.version import VERSION
from .findings import NOTE, OK, PROBLEM, Finding
from .imports import import_failures

# by how they are imported: how they are called where they are installed from
NEEDED = {
    "numpy": ("numpy",),
    "cv2": ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
    "av": ("av",),
    "lap": ("lap",),
    "yaml": ("pyyaml",),
    "requests": ("requests",),
    "urllib3": ("urllib3",),
    "filelock": ("filelock",),
    "tqdm": ("tqdm",),
}
BACKENDS = {
    "openvino": ("openvino",),
    "paddle": ("paddlepaddle", "paddlepaddle-gpu"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
}
EXTRAS = {  # by how they are imported: what needs them
    "paddlehub": "hub run",
    "ppdet": "the full model",
    "onnxruntime": "--backend onnxruntime",
    "scipy": "--refine",
    "pandas": "to_dataframe",
    "fastapi": "the page",
    "uvicorn": "the page",
    "paho": "--mqtt",
    "ray": "batch --ray",
    "fsspec": "s3:// and the like",
}
_OLDEST = (3, 10)


def check_versions() -> Iterator[Finding]:
    """Find the versions of the module and of Python."""
    yield Finding("module", OK, f"jde_darknet53_30e_1088x608 {VERSION}")
    text = f"{platform.python_version()} on {platform.platform()}"
    if sys.version_info < _OLDEST:
        yield Finding("python", PROBLEM, f"{text}: too old, install CPython 3.11")
    else:
        yield Finding("python", OK, text)


def check_packages() -> Iterator[Finding]:
    """Find the versions of the packages that tracking needs, and those that cannot be imported."""
    backends = {name: known for name, known in BACKENDS.items() if _is_installed(name)}
    failures = import_failures([*NEEDED, *backends])
    works = {name: known for name, known in (NEEDED | backends).items() if name not in failures}
    yield Finding("packages", OK, ", ".join(_version(known) for known in works.values()) or "none that works")
    for name, reason in failures.items():
        known = (NEEDED | BACKENDS)[name]
        text = f"{_version(known)} cannot be imported ({reason}): "
        if name in NEEDED:
            # the headless build loads no library of a desktop, which a server lacks
            wanted = "opencv-python-headless" if name == "cv2" else known[0]
            advice = f"pip install --force-reinstall {wanted}, of a version in requirements-light.txt"
            yield Finding(name, PROBLEM, text + advice)
        else:
            rest = [other for other in backends if other not in failures]
            state = NOTE if rest and "crashes" not in reason else PROBLEM
            yield Finding(name, state, f"{text}pip install --force-reinstall {known[0]}, or uninstall it")


def check_extras() -> Iterator[Finding]:
    """Find which of the packages are installed that not everybody needs; they are not imported."""
    there = [name for name in EXTRAS if _is_installed(name)]
    missing = [f"{name} ({what})" for name, what in EXTRAS.items() if name not in there]
    text = f"installed: {', '.join(there) or 'none'}"
    yield Finding("extras", OK, f"{text}; not: {', '.join(missing)}" if missing else text)


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # half of it is there
        return False


def _version(known: Sequence[str]) -> str:
    for name in known:
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return known[0]
