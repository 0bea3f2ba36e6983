"""The command line of the tracker, whatever starts it: ``hub run`` or ``python -m tracker``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from .errors import TrackingError
from .options import add_config_arguments, add_input_arguments, add_threshold_arguments
from .pipeline.result import TrackingResult
from .predictor import Predictor


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The options of the command of that name."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Follow the pedestrians in a video: every person gets a number that stays.",
        epilog="Ctrl-C ends the run in order: the files are complete to the last finished frame.",
    )
    add_input_arguments(parser.add_argument_group("Input options", "What to track."))
    add_config_arguments(parser.add_argument_group("Config options", "Model, device and results."))
    add_threshold_arguments(parser.add_argument_group("Thresholds", "Of detection and association."))
    return parser


def run_command(predictor: Predictor, prog: str, argv: Sequence[str] | None = None) -> TrackingResult:
    """Track what the arguments ask for.

    Args:
        predictor: its model is changed for the one asked for.
        prog: name of the command.
        argv: arguments; None for those of the process.

    Raises:
        SystemExit: 1 after an error, 2 for a wrong command line, 130 after Ctrl-C; told in one line on stderr.
    """
    arguments = vars(make_parser(prog).parse_args(argv))
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.getLogger(__package__).setLevel(logging.INFO)
    predictor.change_model(*(arguments.pop(name) for name in ("model", "threads", "backend", "precision")))
    try:
        return predictor.mot_predict(**arguments)
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        print("interrupted: the files hold all finished frames", file=sys.stderr)
        raise SystemExit(130) from None
