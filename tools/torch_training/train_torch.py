"""Train the compact network in PyTorch from one packed file, for a fixed time; needs no PaddlePaddle.

    python tools/torch_training/train_torch.py PACKED.npz --output OUTPUT --minutes 12

The run ends by itself. The same command goes on where a run was stopped: OUTPUT has a checkpoint of every minute, and
weights.npz, of which the project's environment makes an inference folder:

    python tools/export_model.py -c config/jde_compact.yml --weights OUTPUT/weights.npz --output OUTPUT/jde_compact
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))  # so that the script runs from any folder

from tools.cli import run_tool
from tracker.errors import OptionError
from tracker.settings.checks import check_positive, check_whole

PARTS = ("detector", "heads", "embedding", "all")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("packed", metavar="FILE", type=Path, help="a packed set of pack_training.py")
    parser.add_argument("--output", type=Path, required=True, help="folder of checkpoint and weights")
    parser.add_argument("--minutes", type=float, default=12, help="time of the whole run (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="end after so many steps, where that is earlier")
    parser.add_argument(
        "--part", choices=PARTS, default="heads", help="what is trained; heads: on a fixed backbone (default)"
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), help="default: a GPU where there is one")
    parser.add_argument("-c", "--config", type=Path, default=PROJECT / "config" / "jde_compact.yml", help="the network")
    parser.add_argument(
        "--weights",
        type=Path,
        default=PROJECT / "weights" / "jde_compact.pdparams",
        help=".pdparams, or weights.npz of a run, to begin with (default: those of the bundled model)",
    )
    parser.add_argument("--batch", type=int, help="canvases of a step (default: 32 on a GPU, 4 on a processor)")
    parser.add_argument("--people", type=int, help="crops of a step (default: 512 on a GPU, 64 on a processor)")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate of neck and heads (%(default)s)")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Train as the command line asks for."""
    try:
        import torch
    except ImportError as error:
        raise OptionError("PyTorch is not installed: pip install -r requirements-torch.txt") from error
    from training.pytorch.run import Run, RunSettings

    for name in ("minutes", "rate"):
        check_positive(name, getattr(arguments, name))
    for name in ("steps", "batch", "people", "threads"):
        if getattr(arguments, name) is not None:
            check_whole(name, getattr(arguments, name))
    check_whole("seed", arguments.seed, low=0)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise OptionError("PyTorch finds no GPU here: leave --device out, or --device cpu")
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    on_gpu = device.type == "cuda"
    settings = RunSettings(
        part=arguments.part,
        minutes=arguments.minutes,
        steps=arguments.steps,
        batch=arguments.batch or (32 if on_gpu else 4),
        people=arguments.people or (512 if on_gpu else 64),
        rate=arguments.rate,
        threads=arguments.threads or os.cpu_count() or 1,
        seed=arguments.seed,
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    Run(arguments.packed, arguments.config, arguments.weights, arguments.output, device, settings).run()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
