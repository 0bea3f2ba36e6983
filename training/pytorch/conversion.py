"""Names and layouts of weights: PaddlePaddle's, in which the project keeps them, and PyTorch's. No value changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# what the two call the statistics of BatchNorm
_STATISTICS = {"_mean": "running_mean", "_variance": "running_var"}
_COUNTER = "num_batches_tracked"  # of BatchNorm in PyTorch; PaddlePaddle has none


def to_torch(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Convert the project's weights to PyTorch's names and layouts.

    Args:
        arrays: Name in the PaddlePaddle network -> array.

    Returns:
        Name in the PyTorch network -> array; matrices of linear layers are transposed.
    """
    return _renamed(arrays, _STATISTICS)


def from_torch(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Convert weights of the PyTorch network to the project's names and layouts: what `to_torch` does, back.

    Args:
        arrays: Name in the PyTorch network -> array.
    """
    counted = {name: value for name, value in arrays.items() if not name.endswith(_COUNTER)}
    return _renamed(counted, {theirs: ours for ours, theirs in _STATISTICS.items()})


def _renamed(arrays: Mapping[str, np.ndarray], names: Mapping[str, str]) -> dict[str, np.ndarray]:
    converted = {}
    for name, value in arrays.items():
        path, dot, last = name.rpartition(".")
        converted[f"{path}{dot}{names.get(last, last)}"] = np.ascontiguousarray(value.T if value.ndim == 2 else value)
    return converted
