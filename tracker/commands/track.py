"""The command ``track``: one source, or several cameras."""

from __future__ import annotations

import argparse
from typing import Any

from ..cameras.config import read_cameras
from ..cameras.run import run_cameras
from ..cameras.status import CamerasResult
from ..errors import PartialFailure
from ..option_groups import add_group_arguments
from ..options import CHOSEN, add_config_arguments, add_input_arguments, add_threshold_arguments
from ..pipeline.result import TrackingResult
from ..predictor import Predictor
from .base import Command, UsageError
from .first_run import agreed_model
from .viewing import add_view_arguments, viewing


def _add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_input_arguments(parser.add_argument_group("Input options", "What to track."), everything)
    config = parser.add_argument_group("Config options", "Model, device and results.")
    add_config_arguments(config)
    add_view_arguments(config)
    add_threshold_arguments(parser.add_argument_group("Thresholds", "Of detection and association."), everything)
    add_group_arguments(parser, everything)


def _run(predictor: Predictor, arguments: dict[str, Any]) -> TrackingResult | CamerasResult:
    source, video_stream, sources = (arguments.pop(name) for name in ("source", "video_stream", "sources"))
    if [source, video_stream, sources].count(None) != 2:
        raise UsageError("one SOURCE is required, by itself or as --video_stream SOURCE; or --sources FILE")
    if predictor.detector is None:
        arguments["model"] = agreed_model(arguments["model"])
    predictor.change_model(*(arguments.pop(name) for name in CHOSEN))
    source = video_stream if source is None else source
    with viewing(source, arguments) as sinks:
        if sources is None:
            return predictor.mot_predict(source, sinks=sinks, **arguments)
    result = run_cameras(predictor, read_cameras(sources), **arguments)
    if result.failed:
        names = ", ".join(one.name for one in result.failed)
        raise PartialFailure(f"{len(result.failed)} of {len(result.cameras)} cameras failed: {names}", result)
    return result


COMMAND = Command(
    "Follow the pedestrians in a video: every person gets a number that stays.",
    "SOURCE [options], or --sources FILE [options]",
    _add_arguments,
    _run,
)
