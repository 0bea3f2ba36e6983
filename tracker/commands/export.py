"""The command ``export``: tracks for other tools."""

from __future__ import annotations

import argparse
from typing import Any

from ..exports.export import FORMATS, ExportResult, export
from ..exports.recording import TOLERANCE
from ..predictor import Predictor
from .base import Command


def _add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    parser.add_argument("text", metavar="TEXT", help="MOT text of a run, such as mot_result/mot_results/street.txt")
    parser.add_argument("--to", required=True, choices=FORMATS, help="the format: of a labelling tool, or a data set")
    parser.add_argument(
        "--video", metavar="VIDEO", help="the video that was tracked; coco and yolo get its pictures, as they are in it"
    )
    parser.add_argument("--frame_rate", type=float, help="frames per second, if neither a run nor a video tells")
    parser.add_argument("--edits", metavar="FILE", help="YAML file of corrections of identities")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="PIXELS",
        help="how far off a box may be between keyframes of cvat and labelstudio (default: %(default)g)",
    )
    parser.add_argument(
        "--output_dir", help="folder for exports/NAME_FORMAT (default: the one that TEXT's mot_results is in)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the summary")


def _run(predictor: Predictor, arguments: dict[str, Any]) -> ExportResult:
    return export(arguments.pop("text"), **arguments)


COMMAND = Command(
    "Write the tracks of a run for a labelling tool or as a data set.",
    f"TEXT --to {'|'.join(FORMATS)} [--video VIDEO] [options]",
    _add_arguments,
    _run,
)
