"""Measure speed and memory, both sides of a comparison in one run.

    python tools/benchmark.py tracker      association of one frame, ours and PaddleDetection's, by number of people
    python tools/benchmark.py memory       resident memory of the association over a long run
    python tools/benchmark.py memory --pipeline VIDEO
                                           the same of everything from video to video
    python tools/benchmark.py forward --backend paddle openvino openvino:bf16
                                           a model's forward pass over one frame, in one backend and another, and how
                                           near it comes to the processor's limit
    python tools/benchmark.py forward --detector YOLOX.onnx --reid REID.onnx
                                           the same beside a detector with a ReID network a person
    python tools/benchmark.py pipeline --video VIDEO --backend paddle openvino
                                           from a video file to the text and the annotated video
    python tools/benchmark.py pipeline --video VIDEO --model full --original
                                           the same beside the original module's way
    python tools/benchmark.py cameras      several streams in one process against one
    python tools/benchmark.py analysis     answers to a scene: a live frame, and an hour's text by the command
    python tools/benchmark.py batch        many clips, shared out to processes in one way and another
    python tools/benchmark.py page         the tracker with viewers of its page and without, and the age of pictures
    python tools/benchmark.py startup      fresh processes: imports, help, first result
    python tools/benchmark.py newcomer     a clip of one's own, from cloning by what the README says

More people, frames or runs: see --help of the part. --json FILE keeps the figures, --chart FILE.png draws them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

from tools.answers import speed
from tools.benchmarks import forward, machine, memory, pipeline, startup, tracker
from tools.benchmarks.figures import check_chart, draw_chart
from tools.benchmarks.use import cameras, newcomer
from tools.cli import run_tool, write_json
from tools.library import batch_speed
from tools.page import viewers
from tracker.errors import OutputError

PARTS = {
    "tracker": (tracker, "association alone"),
    "memory": (memory, "resident memory over a long run"),
    "forward": (forward, "networks alone"),
    "pipeline": (pipeline, "from video to video"),
    "cameras": (cameras, "several streams at once"),
    "analysis": (speed, "answers to a scene"),
    "batch": (batch_speed, "many clips at once"),
    "page": (viewers, "viewers of the page"),
    "startup": (startup, "fresh processes"),
    "newcomer": (newcomer, "from cloning to a report of a clip"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a subcommand for every part of the benchmark."""
    parts = parser.add_subparsers(dest="part", required=True)
    for name, (module, summary) in PARTS.items():
        part = parts.add_parser(name, help=summary)
        module.add_arguments(part)
        part.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
        part.add_argument("--chart", type=Path, metavar="FILE.png", help="draw the figures here")


def run(arguments: argparse.Namespace) -> None:
    """Measure what the command line asks for, print the figures, and write and draw them.

    Raises:
        OutputError: a file cannot be written.
    """
    for path in filter(None, [arguments.json, arguments.chart]):
        if not path.absolute().parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {path.parent}")
    if arguments.chart:
        check_chart(arguments.chart)
    processor, load = machine.processor(), machine.load()
    print(f"{processor}, load {load:.1f} at the beginning", flush=True)
    figures = PARTS[arguments.part][0].run(arguments)
    if arguments.json:
        content = {"part": arguments.part, "processor": processor, "load": load, **figures.about, "rows": figures.rows}
        write_json(arguments.json, content)
    if arguments.chart:
        draw_chart(arguments.chart, f"{arguments.part}: {processor}", figures)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
