"""Average the weights of one network from several trainings, or from several steps of one.

    python tools/average_weights.py FIRST.pdparams SECOND.pdparams --output MEAN.pdparams

What a fine-tuned network gains on its own data it partly loses elsewhere; halfway back to where it began, it mostly
keeps both (WiSE-FT, arXiv 2109.01903). Files are .pdparams, or checkpoint.npz of tools/train.py. tools/export_model.py
makes a model folder of the result.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from tracker.errors import OptionError, TrackingError
from tracker.models.export import read_weights
from tracker.models.pdparams import check_parameters
from tracker.settings.checks import check_positive


def average(paths: Sequence[Path], shares: Sequence[float]) -> dict[str, np.ndarray]:
    """The weighted mean of weights, array by array.

    Args:
        paths: ``.pdparams`` files or checkpoints of one network, trained from the same weights.
        shares: what each counts; they need not add up to 1.

    Raises:
        ModelError: a file cannot be read, or is of another network than the first.
        OptionError: there is not one share, a positive number, for every file.
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


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="+", help=".pdparams files or checkpoints")
    parser.add_argument("--shares", type=float, nargs="+", help="what each of them counts (default: all the same)")
    parser.add_argument("--output", type=Path, required=True, help=".pdparams file to write")
    arguments = parser.parse_args(argv)
    try:
        mean = average(arguments.weights, arguments.shares or [1.0] * len(arguments.weights))
        from training.checkpoint import save_parameters  # imports Paddle

        save_parameters(mean, arguments.output)
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
