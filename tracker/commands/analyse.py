"""The command ``analyse``: answers from the text of a run."""

from __future__ import annotations

import argparse
from typing import Any

from ..option_groups import add_group
from ..options import add_flag, add_language_argument, add_private_argument, add_time_arguments
from ..pipeline.analyse import AnalysisResult, analyse
from ..predictor import Predictor
from .base import Command


def _add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    parser.add_argument("text", metavar="TEXT", help="MOT text of a run, such as mot_result/mot_results/street.txt")
    parser.add_argument("--scene", metavar="FILE", help="YAML file of lines, zones and regions")
    parser.add_argument("--video", metavar="VIDEO", help="the video that was tracked, for pictures in the report")
    add_flag(parser, "--visualization", "with --video: also draw scene, tracks and names into it anew")
    parser.add_argument("--frame_rate", type=float, help="frames per second, if neither a run nor a video tells")
    parser.add_argument(
        "--edits", metavar="FILE", help="YAML file of corrections: who is one person, who is two, who swapped numbers"
    )
    parser.add_argument(
        "--plane", choices=("guess",), help="guess the floor by people's height, for metres in a scene without a plane"
    )
    add_time_arguments(parser)
    add_language_argument(parser)
    add_private_argument(parser)
    add_group(parser, "Answer options", True)
    parser.add_argument(
        "--output_dir", help="folder for answers/NAME (default: the one that TEXT's mot_results is in, or mot_result)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the summary")


def _run(predictor: Predictor, arguments: dict[str, Any]) -> AnalysisResult:
    return analyse(arguments.pop("text"), **{name: value for name, value in arguments.items() if value is not None})


COMMAND = Command(
    "Answer a scene from the text of a run: counts, visits, people, heat, and a report.",
    "TEXT [--scene FILE] [options]",
    _add_arguments,
    _run,
)
