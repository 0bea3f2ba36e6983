"""The arguments of the commands ``join`` and ``find``, and what they ask for."""

from __future__ import annotations

import argparse
from typing import Any

from ..detection.detector import Model
from ..library.identities.find import FindResult, find
from ..library.identities.join import FALSE_RATE, JoinResult, join
from ..models.locate import find_model
from ..options import add_model_arguments
from ..predictor import Predictor
from ..settings.runtime import RuntimeOptions, parse_input_size
from .base import Command
from .first_run import agreed_model

JOIN_USAGE = "FOLDERS... [--cameras FILE] [options]"
JOIN_HELP = "Give people one number over several cameras, from runs with --save_embeddings."
FIND_USAGE = "PICTURE|NAME:ID FOLDER... [--top N] [options]"
FIND_HELP = "Look for the person in a picture among the people of runs with --save_embeddings."
_FOLDERS = "output folders of runs with --save_embeddings, such as mot_result; each recording in them is a camera"


def add_join_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    """Add the arguments of ``join``."""
    parser.add_argument("folders", nargs="+", metavar="FOLDERS", help=_FOLDERS)
    parser.add_argument("--cameras", metavar="FILE", help="YAML file of clock times, ways between cameras, and floors")
    parser.add_argument(
        "--false_matches",
        type=float,
        default=FALSE_RATE,
        metavar="SHARE",
        help="of the pairs of different people, how many may be as alike as one (default: %(default)g)",
    )
    parser.add_argument("--output_dir", help="folder for people_global.csv and .html (default: the first of FOLDERS)")
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the summary")


def run_join(predictor: Predictor, arguments: dict[str, Any]) -> JoinResult:
    """Join the cameras that the arguments name; the predictor is not used."""
    return join(arguments.pop("folders"), **arguments)


def add_find_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    """Add the arguments of ``find``."""
    parser.add_argument(
        "wanted", metavar="PICTURE|NAME:ID", help="picture of a person, or somebody of a recording, such as street:7"
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help=_FOLDERS)
    parser.add_argument("--top", type=int, default=20, metavar="N", help="number of hits (default: %(default)d)")
    parser.add_argument(
        "--box", type=_box, metavar="L,T,R,B", help="the person in the picture, pixels (default: the largest one)"
    )
    parser.add_argument(
        "--reid",
        metavar="MODEL",
        help=".onnx or .xml of a re-identification network, which compares the pictures in answers/NAME/people "
        "in place of the vectors",
    )
    parser.add_argument("--output_dir", help="folder for find.csv and find.html (default: the first FOLDER)")
    add_model_arguments(parser.add_argument_group("Model options", "The model that the runs had."))
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the summary")


def run_find(predictor: Predictor, arguments: dict[str, Any]) -> FindResult:
    """Look for the person that the arguments name; a model is loaded only for a picture that needs it."""
    names = ("model", "threads", "backend", "precision", "use_gpu", "input_size", "device")
    model, threads, backend, precision, use_gpu, input_size, device = (arguments.pop(name) for name in names)

    def load() -> Any:
        if predictor.detector is not None:
            return predictor.detector
        size = parse_input_size(input_size)
        runtime = RuntimeOptions(backend, precision, use_gpu, threads, input_size=size, device=device)
        return Model(find_model(agreed_model(model)), runtime).detector()

    return find(arguments.pop("wanted"), arguments.pop("folders"), load, **arguments)


def _box(text: str) -> tuple[float, ...]:
    try:
        left, top, right, bottom = (float(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no box such as 100,50,160,210") from None
    return left, top, right, bottom


JOIN = Command(JOIN_HELP, JOIN_USAGE, add_join_arguments, run_join)
FIND = Command(FIND_HELP, FIND_USAGE, add_find_arguments, run_find)
