"""The answers to a scene: what a frame of a live run takes, and how long the text of an hour."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import yaml

from tools.benchmarks.figures import Figures, bar, cell, spread
from tools.cli import print_line, progress
from tracker.analysis.scene import load_scene
from tracker.pipeline.answering.scene_answers import Asked
from tracker.pipeline.answers import AnswersSink
from tracker.settings.checks import check_whole
from tracker.sinks.mot_text import MotWriter
from tracker.structures import Frame, SequenceInfo, Tracks

SIZE = (1920, 1080)
RATE = 25.0
ROOT = Path(__file__).resolve().parents[2]


def make_scene(count: int, seed: int = 0) -> dict:
    """Return a scene with so many lines and zones, as a file gives it."""
    random = np.random.default_rng(seed)
    lines = {f"line {n}": {"points": random.uniform(0.1, 0.9, (2, 2)).round(3).tolist()} for n in range(count)}
    zones = {}
    side = round(min(0.3, 0.7 / count**0.5), 3)  # many zones are small ones
    for number in range(count):
        left, top = random.uniform(0.05, 0.9 - side, 2).round(3).tolist()
        corners = [[left, top], [left + side, top], [left + side, top + side], [left, top + side]]
        zones[f"zone {number}"] = {"points": corners, "loitering": 30, "crowd": 8}
    return {"size": None, "lines": lines, "zones": zones}


def walkers(people: int, frames: int, seed: int = 0) -> list[Tracks]:
    """Return the tracks of people who walk about at about 100 pixels a second, a tenth of them unseen."""
    random = np.random.default_rng(seed)
    place = random.uniform(0, SIZE, (people, 2))
    velocity = random.normal(0, 4, (people, 2))
    height = random.uniform(80, 250, people)
    made = []
    for _ in range(frames):
        place += velocity
        velocity[(place < 0) | (place > SIZE)] *= -1
        seen = np.flatnonzero(random.random(people) > 0.1)
        feet = place[seen] + random.normal(0, 1.5, (len(seen), 2))
        sides = np.stack([0.4 * height[seen], height[seen]], axis=1)
        boxes = np.hstack([feet - sides * (0.5, 1), sides])
        made.append(Tracks(seen + 1, boxes, random.uniform(0.4, 1, len(seen))))
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--people", type=int, default=20, help="in a frame (default: %(default)s)")
    parser.add_argument("--places", type=int, default=5, help="lines, and as many zones (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=1000, help="of the live run (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=3600, help="of the text (default: %(default)s)")


def run(arguments: argparse.Namespace) -> Figures:
    """Time the sink of a live run frame by frame, and the command on the text of an hour.

    Raises:
        OptionError: a number is less than 1.
    """
    for name in ("people", "places", "frames", "seconds"):
        check_whole(name, getattr(arguments, name))
    scene = make_scene(arguments.places)
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        sink = AnswersSink(Path(folder), Asked(load_scene(scene)))
        sink.open(SequenceInfo("walkers", RATE, SIZE, pixel_aspect=Fraction(1)))
        times, used = [], time.process_time()
        for number, tracks in enumerate(progress(walkers(arguments.people, arguments.frames), "live", "frames")):
            start = time.perf_counter()
            sink.write(Frame(number, number / RATE, picture), tracks)
            times.append(1e3 * (time.perf_counter() - start))
        used = 1e3 * (time.process_time() - used) / len(times)
        sink.close()
        live = spread(np.array(times))
        case = f"live, {arguments.people} people, {arguments.places} lines and zones"
        print_line(f"{case}: {cell(live, 3)} ms a frame, {used:.3f} ms of the processor")
        hour = _text(Path(folder), scene, arguments)
    rows = [{"case": "live", "ms": live, "processor_ms": used}, {"case": "text", **hour}]
    return Figures(rows, [bar("live", live)], "ms a frame")


def _text(folder: Path, scene: dict, arguments: argparse.Namespace) -> dict[str, float]:
    """Time the command on a text; return its wall and processor time in seconds, and its memory in MB."""
    text, lines = folder / "walkers.txt", 0
    writer = MotWriter(text)
    pattern = walkers(arguments.people, 1500)
    for number in progress(range(round(arguments.seconds * RATE)), "writing", "frames"):
        tracks = pattern[number % len(pattern)]
        lines += len(tracks)
        # nobody lives for an hour: new people every minute
        writer.write(number + 1, Tracks(tracks.ids + 1000 * (number // 1500), tracks.boxes, tracks.scores))
    writer.close()
    (folder / "scene.yml").write_text(yaml.safe_dump({**scene, "size": list(SIZE)} | _in_pixels(scene)))
    words = ["analyse", str(text), "--scene", str(folder / "scene.yml"), "--frame_rate", str(RATE), "--output_dir"]
    program = (
        "import resource, sys, time\nstart = time.perf_counter()\nfrom tracker.command import run_command\n"
        "run_command(None, 'tracker', sys.argv[1:])\nused = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    command = [sys.executable, "-c", program, *words, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    wall, processor, memory = map(float, done.stdout.split()[-3:])
    print_line(f"text of {lines} lines: {wall:.1f} s, {processor:.1f} s of the processor, {memory:.0f} MB")
    return {"lines": lines, "wall_s": wall, "processor_s": processor, "memory_mb": memory}


def _in_pixels(scene: dict) -> dict:
    """Return lines and zones with points in pixels, as a scene that states its size has them."""
    return {
        part: {
            name: {**place, "points": (np.array(place["points"]) * SIZE).tolist()}
            for name, place in scene[part].items()
        }
        for part in ("lines", "zones")
    }
