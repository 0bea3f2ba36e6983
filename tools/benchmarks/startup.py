"""Time of fresh processes: to import, to print help, and to give a first result."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.benchmarks.clips import cut
from tools.benchmarks.figures import Figures, bar, cell, spread, take_turns
from tools.cli import progress
from tracker.errors import ModelError
from tracker.models.locate import FULL_CONFIG
from tracker.settings.checks import check_number, check_whole

ROOT = Path(__file__).resolve().parent.parent.parent
MODULE = FULL_CONFIG.stem
WATCHED = ("paddle", "paddlehub", "ppdet", "pandas", "ray")  # large packages, whose imports the table shows
RECORD = "BENCHMARK_MODULES"  # environment variable: the file to which a process writes what it imported

# written to sitecustomize.py, which Python runs at the start of every process
NOTE = f"""
import atexit, os, pathlib, sys

def note():
    pathlib.Path(os.environ["{RECORD}"]).write_text(" ".join(name for name in {WATCHED!r} if name in sys.modules))

atexit.register(note)
"""

PREDICT = """
import sys
from tracker.predictor import Predictor
Predictor("compact", backend="{backend}").mot_predict(sys.argv[1], output_dir=sys.argv[2], progress=False)
"""

# for machines on which the module is not installed: PaddleHub loads it from its folder
PREDICT_HUB = """
import sys
import paddlehub
module = paddlehub.Module(directory={root!r}, model="compact")
module.mot_predict(sys.argv[1], output_dir=sys.argv[2], progress=False)
"""


@dataclass(frozen=True)
class Start:
    """A process to start: its name for the table and its command line."""

    name: str
    command: list[str]


def starts(clip: Path, output: Path, backends: list[str], paddlehub: bool = True) -> list[Start]:
    """Return the processes to compare.

    Args:
        clip: video of one frame.
        output: folder of the results.
        backends: names of the backends of first results.
        paddlehub: whether to include processes that import PaddleHub.
    """
    files = [str(clip), str(output)]
    made = [
        _python("python -c pass", "pass"),
        _python("import tracker.predictor", "import tracker.predictor"),
        Start("python -m tracker --help", [sys.executable, "-m", "tracker", "--help"]),
        _python("import paddle", "import paddle"),
    ]
    if paddlehub:
        made.append(_python("import paddlehub", "import paddlehub"))
    made += [_python(f"first result, {name}", PREDICT.format(backend=name), *files) for name in backends]
    if paddlehub:
        made.append(_first_through_hub(files))
    return made


def _python(name: str, code: str, *arguments: str) -> Start:
    return Start(name, [sys.executable, "-c", code, *arguments])


def _first_through_hub(files: list[str]) -> Start:
    home = Path(os.environ.get("HUB_HOME") or Path.home() / ".paddlehub")
    hub = Path(sys.executable).with_name("hub")
    if not (home / "modules" / MODULE).is_dir() or not hub.is_file():
        return _python("first result, paddlehub", PREDICT_HUB.format(root=str(ROOT)), *files)
    command = [str(hub), "run", MODULE, "--video_stream", files[0], "--output_dir", files[1], "--model", "compact"]
    return Start("first result, hub run (as installed)", command)


def run_process(start: Start, environment: dict[str, str]) -> None:
    """Run a process to its end.

    Args:
        start: the process.
        environment: all of its environment variables.

    Raises:
        ModelError: the process fails.
    """
    done = subprocess.run(
        start.command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(f"{start.name!r} fails with exit code {done.returncode}: {reason}")


def imported(start: Start, folder: Path) -> list[str]:
    """Run a process and return which of the `WATCHED` packages it imports.

    Args:
        start: the process.
        folder: existing folder for files of this function.

    Raises:
        ModelError: the process fails.
    """
    record = folder / "modules.txt"
    record.unlink(missing_ok=True)
    (folder / "sitecustomize.py").write_text(NOTE)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    run_process(start, {**os.environ, "PYTHONPATH": path, RECORD: str(record)})
    return record.read_text().split() if record.is_file() else []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument(
        "--video", type=Path, default=ROOT / "demo" / "pedestrians.mp4", help="its first frame is tracked"
    )
    installed = ["openvino"] if importlib.util.find_spec("openvino") else []
    parser.add_argument(
        "--backend", nargs="+", default=["paddle", *installed], help="of first results (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=5, help="processes of each kind (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each process (default: %(default)s)")
    parser.add_argument("--without_paddlehub", action="store_true", help="leave out what imports PaddleHub")


def run(arguments: argparse.Namespace) -> Figures:
    """Time the processes, which are started in turns.

    Raises:
        OptionError: an argument is out of its range.
        SourceError: the video cannot be read.
        ModelError: a process fails.
    """
    check_whole("repeats", arguments.repeats)
    check_number("pause", arguments.pause, 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cut(arguments.video, 1, folder / "first.mp4")
        processes = starts(folder / "first.mp4", folder / "output", arguments.backend, not arguments.without_paddlehub)
        # the first run of each is not counted, for it also reads all files into memory
        modules = [imported(start, folder) for start in progress(processes, "warming up", "processes")]
        times = take_turns([_runner(start) for start in processes], arguments.repeats, arguments.pause)
    rows: list[dict[str, Any]] = []
    width = max(len(start.name) for start in processes)
    print(f"{'process':{width}} {'s (p10-p90)':>20}   imports of {', '.join(WATCHED)}")
    for start, names, values in zip(processes, modules, times):
        rows.append({"process": start.name, "seconds": spread(values), "imports": names})
        print(f"{start.name:{width}} {cell(rows[-1]['seconds'], 2):>20}   {', '.join(names) or 'none'}")
    return Figures(rows, [bar(row["process"], row["seconds"]) for row in rows], "s")


def _runner(start: Start) -> Callable[[], None]:
    return lambda: run_process(start, dict(os.environ))
