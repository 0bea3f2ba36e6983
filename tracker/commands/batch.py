"""The arguments of the command ``batch``, and the batch that they ask for."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import PartialFailure
from ..library.batch.result import BatchResult
from ..library.batch.track import track_batch
from ..option_groups import GROUPS, add_group
from ..options import add_config_arguments, add_reading_arguments, add_threshold_arguments
from ..predictor import Predictor
from .base import Command
from .first_run import agreed_model

USAGE = "SOURCES... [--list FILE] [--output_dir OUT] [--jobs N] [--resume] [options]"
LIVE = "Camera options"  # title of the one group of options that is not for videos
HELP = "Track many videos, each with its own files; one that fails does not stop the others."


def add_batch_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    """Add the arguments of the command, and those of ``track`` that every video gets.

    Args:
        parser: of the command.
        everything: whether help shows the rarely needed ones too.
    """
    group = parser.add_argument_group("Batch options", "Which videos, and how they are shared out.")
    group.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCES",
        help="videos, folders of videos, folders of images, globs such as 'videos/**/*.mp4', URLs",
    )
    group.add_argument(
        "--list",
        dest="list_file",
        metavar="FILE",
        help="text file with further SOURCES, one a line, relative to its folder; - for standard input",
    )
    group.add_argument(
        "--jobs", type=int, metavar="N", help="videos tracked at once, sharing the cores (default: one a core)"
    )
    group.add_argument(
        "--ray",
        metavar="ADDRESS|auto|local",
        help="share the videos out to the workers of a Ray cluster; --jobs is their number, one thread each by default",
    )
    group.add_argument(
        "--parts",
        metavar="LENGTH",
        help="track longer videos in parts of this length at once, such as 10m, then joined; makes no annotated video",
    )
    group.add_argument(
        "--resume", action="store_true", help="leave out what is done with the same options, model and input"
    )
    add_reading_arguments(parser.add_argument_group("Input options", "How to read each video."), everything)
    add_config_arguments(parser.add_argument_group("Config options", "Model, device and results."))
    add_threshold_arguments(parser.add_argument_group("Thresholds", "Of detection and association."), everything)
    for title in GROUPS:
        if title != LIVE:
            add_group(parser, title, everything)


def run_batch(predictor: Predictor, arguments: dict[str, Any]) -> BatchResult:
    """Run the batch that the arguments ask for; the predictor is not used, for the jobs have their own.

    Raises:
        PartialFailure: A video failed; its ``result`` is that of all.
    """
    arguments["model"] = agreed_model(arguments["model"])
    result = track_batch(arguments.pop("sources"), **arguments)
    if result.failed:
        raise PartialFailure(f"{len(result.failed)} of {len(result.rows)} videos failed", result)
    return result


COMMAND = Command(HELP, USAGE, add_batch_arguments, run_batch)
