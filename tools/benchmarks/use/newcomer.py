"""Time of a newcomer's first minutes: what the README says for a clip of one's own, typed in a fresh clone."""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import textwrap
import time
from pathlib import Path

from tools.benchmarks.figures import Bar, Figures
from tracker.errors import ModelError, SourceError
from tracker.sources import open_source

ROOT = Path(__file__).resolve().parents[3]
CLIP = "street.mp4"  # as the README calls a clip of one's own
MADE = {
    "video": "mot_result/mot_outputs/street_vis.mp4",
    "counts": "mot_result/answers/street/counts.csv",
    "report": "mot_result/answers/street/report.html",
}
KEPT = ("PATH", "LANG", "TERM", "TMPDIR")  # of the environment, beside what says how to reach package indexes
NETWORK = re.compile(r"(?i)(.*_proxy|.*_cert.*|.*_ca_.*|pip_.*|uv_.*)$")


def first_commands(readme: str) -> list[str]:
    """Return the commands of the README's first block that tracks a clip of one's own.

    Raises:
        SourceError: there is no such block.
    """
    for block in re.findall(r"^ *(?:- )?```shell\n(.*?)^ *```", readme, re.DOTALL | re.MULTILINE):
        lines = textwrap.dedent(block).splitlines()
        commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        if any(CLIP in command for command in commands):
            return commands
    raise SourceError(f"README.md has no block of commands with {CLIP}")


def type_commands(commands: list[str], folder: Path, environment: dict[str, str]) -> list[float]:
    """Run commands in one shell, one after the other, and return the seconds that each took.

    Args:
        commands: lines for bash; what one sets, such as an activated environment, holds for the next.
        folder: the folder that they are typed in.
        environment: all environment variables at the beginning.

    Raises:
        ModelError: one ends with another exit code than 0.
    """
    done = "\n".join(f"{command}\necho done >&3" for command in commands)
    reading, writing = os.pipe()
    with tempfile.TemporaryFile("w+") as output, os.fdopen(reading) as marks:
        process = subprocess.Popen(
            ["bash", "-ec", f"exec 3>&{writing}\n{done}"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
        )
        os.close(writing)
        times = [time.perf_counter()]
        times += [time.perf_counter() for _ in marks]
        if process.wait():
            output.seek(0)
            last = (output.read().strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"{commands[len(times) - 1]!r} ends with exit code {process.returncode}: {last}")
    return [after - before for before, after in itertools.pairwise(times)]


def check(folder: Path, frames: int) -> None:
    """Make sure that all the README promises is there.

    Args:
        folder: the clone.
        frames: of the clip.

    Raises:
        SourceError: something is missing, or the video does not have the frames of the clip.
    """
    for what, path in MADE.items():
        if not (folder / path).is_file():
            raise SourceError(f"the {what} {path} is missing")
    made = count_frames(folder / MADE["video"])
    if made != frames:
        raise SourceError(f"the video has {made} frames, the clip has {frames}")


def count_frames(video: Path) -> int:
    """Return the number of frames that can be decoded.

    Raises:
        SourceError: the video cannot be read.
    """
    with open_source(str(video)) as source:
        return sum(1 for _ in source)


def fresh_environment(home: Path) -> dict[str, str]:
    """Return the environment variables of somebody who has just logged in, with an empty home and outside any venv."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or NETWORK.match(name)}
    venv = os.environ.get("VIRTUAL_ENV")
    folders = kept.get("PATH", os.defpath).split(os.pathsep)
    kept["PATH"] = os.pathsep.join(folder for folder in folders if not venv or Path(folder) != Path(venv) / "bin")
    return {**kept, "HOME": str(home)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--video", type=Path, default=ROOT / "demo" / "pedestrians.mp4", help="the newcomer's own clip")
    parser.add_argument("--repository", default=str(ROOT), help="what is cloned (default: this one, as committed)")


def run(arguments: argparse.Namespace) -> Figures:
    """Clone, type what the README says, and look at what it made.

    Raises:
        SourceError: the clip cannot be read, or something that the README promises is missing.
        ModelError: a command fails.
    """
    frames = count_frames(arguments.video)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        home = Path(name) / "home"
        home.mkdir()
        environment = fresh_environment(home)
        cloning = f"git clone -q {shlex.quote(str(arguments.repository))} {shlex.quote(str(folder))}"
        seconds = type_commands([cloning], Path(name), environment)
        shutil.copyfile(arguments.video, folder / CLIP)
        commands = first_commands((folder / "README.md").read_text(encoding="utf-8"))
        seconds += type_commands(commands, folder, environment)
        check(folder, frames)
    rows = [{"command": command, "seconds": value} for command, value in zip(["git clone", *commands], seconds)]
    rows.append({"command": "all", "seconds": sum(seconds)})
    for row in rows:
        print(f"{row['seconds']:7.1f} s  {row['command']}")
    bars = [Bar(str(row["command"])[:40], row["seconds"], row["seconds"], row["seconds"]) for row in rows]
    return Figures(rows, bars, "s", {"clip": arguments.video.name, "frames": frames})
