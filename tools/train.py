"""Train a JDE network, or go on from where a run stopped.

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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tracker.errors import OptionError, TrackingError


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", type=Path, required=True, help="a training configuration, as in config/")
    parser.add_argument("--output", type=Path, help="folder of checkpoint and results")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="NAME=VALUE", help="in place of the configuration"
    )
    parser.add_argument("--processes", type=int, default=1, help="that train together; on GPUs one for each")
    parser.add_argument("--use_gpu", action="store_true", help="train on GPUs")
    parser.add_argument("--smoke", action="store_true", help="try everything on a few drawn pictures, without data")
    arguments = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="smoke.") as scratch:
            _train(arguments, Path(scratch))
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _train(arguments: argparse.Namespace, scratch: Path) -> None:
    from training.run import train, train_weights
    from training.settings import load_settings

    settings = load_settings(arguments.config, arguments.changes)
    output = arguments.output
    if arguments.smoke:
        from training.smoke import smoke_settings

        settings, output = smoke_settings(settings, scratch / "data"), output or scratch / "output"
        # in two parts, the second from the checkpoint of the first
        half = dataclasses.replace(settings.schedule, steps=settings.schedule.steps // 2)
        train_weights(dataclasses.replace(settings, schedule=half), output, arguments.processes, arguments.use_gpu)
    if output is None:
        raise OptionError("--output FOLDER is needed, for checkpoint and results")
    train(settings, output, arguments.processes, arguments.use_gpu)


if __name__ == "__main__":
    sys.exit(main())
