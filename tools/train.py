"""Train a JDE network, or resume a run that stopped.

    python tools/train.py -c config/train_compact.yml --output OUTPUT

The configuration names the network's own configuration, the data, the teachers and the schedule; every value can be
replaced with --set, for example --set schedule.steps=1000. OUTPUT gets the checkpoint and, at the end, model.pdparams
and the inference folder model/, which the module takes with --model OUTPUT/model.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

from tools.cli import run_tool
from tracker.errors import OptionError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("-c", "--config", type=Path, required=True, help="a training configuration, as in config/")
    parser.add_argument("--output", type=Path, help="folder of checkpoint and results")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="NAME=VALUE", help="replace a configured value"
    )
    parser.add_argument("--processes", type=int, default=1, help="number that train together; on GPUs one for each")
    parser.add_argument("--use_gpu", action="store_true", help="train on GPUs")
    parser.add_argument("--smoke", action="store_true", help="try everything on a few drawn pictures, without data")


def run(arguments: argparse.Namespace) -> None:
    """Train as the command line asks for."""
    with tempfile.TemporaryDirectory(prefix="smoke.") as scratch:
        _train(arguments, Path(scratch))


def _train(arguments: argparse.Namespace, scratch: Path) -> None:
    from training.run import train, train_weights
    from training.settings import load_settings

    settings = load_settings(arguments.config, arguments.changes)
    output = arguments.output
    if arguments.smoke:
        from training.smoke import smoke_settings

        settings, output = smoke_settings(settings, scratch / "data"), output or scratch / "output"
        # in two parts, the second from the checkpoint of the first, so that resuming is tried as well
        half = dataclasses.replace(settings.schedule, steps=settings.schedule.steps // 2)
        train_weights(dataclasses.replace(settings, schedule=half), output, arguments.processes, arguments.use_gpu)
    if output is None:
        raise OptionError("--output FOLDER is needed, for checkpoint and results")
    train(settings, output, arguments.processes, arguments.use_gpu)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
