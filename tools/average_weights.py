"""Average the weights of one network from several trainings, or from several steps of one.

    python tools/average_weights.py FIRST.pdparams SECOND.pdparams --output MEAN.pdparams

Fine-tuning gains on its own data and loses some elsewhere; the average of the weights before and after it keeps most of
both (WiSE-FT, arXiv 2109.01903). The files are .pdparams, or checkpoint.npz of tools/train.py. tools/export_model.py
makes a model folder of the result.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

import numpy as np

from tools.cli import run_tool
from tracker.errors import OptionError
from tracker.models.export import read_weights
from tracker.models.pdparams import check_parameters
from tracker.settings.checks import check_positive


def average(paths: Sequence[Path], shares: Sequence[float]) -> dict[str, np.ndarray]:
    """Return the weighted mean of several networks' weights, array by array.

    Args:
        paths: ``.pdparams`` files or checkpoints of one network, trained from the same weights.
        shares: weight of each file, positive; they are divided by their sum.

    Returns:
        Arrays float32 by parameter name.

    Raises:
        ModelError: a file cannot be read, or holds another network than the first.
        OptionError: the number of shares is not that of the files, or one is not positive.
    """
    if len(shares) != len(paths):
        raise OptionError(f"{len(shares)} shares for {len(paths)} files: give one for each")
    for share in shares:
        check_positive("shares", share)
    mean: dict[str, np.ndarray] = {}
    for path, share in zip(paths, np.asarray(shares, np.float64) / sum(shares)):
        arrays = read_weights(path)
        mean = mean or {name: np.zeros(value.shape) for name, value in arrays.items()}
        check_parameters(arrays, {name: value.shape for name, value in mean.items()}, str(path))
        for name, value in arrays.items():
            mean[name] += value * share
    return {name: value.astype(np.float32) for name, value in mean.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("weights", type=Path, nargs="+", help=".pdparams files or checkpoints")
    parser.add_argument("--shares", type=float, nargs="+", help="weight of each file (default: all the same)")
    parser.add_argument("--output", type=Path, required=True, help=".pdparams file to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the average that the command line asks for."""
    mean = average(arguments.weights, arguments.shares or [1.0] * len(arguments.weights))
    from training.checkpoint import save_parameters  # imports Paddle, which takes seconds

    save_parameters(mean, arguments.output)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
