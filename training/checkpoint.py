"""What a run needs to go on: weights, their moving averages, the optimizer's moments and the step, in one file."""

from __future__ import annotations

import contextlib
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from tracker.errors import ModelError, OutputError
from tracker.models.pdparams import load_npz


class MovingAverage:
    """Exponential moving average of all numbers of a network: steadier than any single step's.

    Args:
        network: whose state is averaged.
        decay: weight of the average against the newest state; less in the first steps.
    """

    def __init__(self, network: nn.Layer, decay: float) -> None:
        self._network, self._decay = network, decay
        self.reset()

    def reset(self) -> None:
        """Begin anew with the network's state as it is."""
        self.state = {name: value.detach().clone() for name, value in self._network.state_dict().items()}
        self.steps = 0

    def update(self) -> None:
        """Take in the network's state."""
        self.steps += 1
        weight = 1 - min(self._decay, (1 + self.steps) / (10 + self.steps))
        with paddle.no_grad():
            for name, value in self._network.state_dict().items():
                self.state[name].lerp_(value.detach(), weight)

    def arrays(self) -> dict[str, np.ndarray]:
        """The averages by name."""
        return {name: value.numpy() for name, value in self.state.items()}


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an ``.npz`` file, whole or not at all: an older file of this name stays until the new one is on disk.

    Raises:
        OutputError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            # as numpy.savez, which leaves its archive open when the disk is full and reports that later again
            with zipfile.ZipFile(file, "w") as archive:
                for name, value in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, np.asanyarray(value), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"cannot save {path}: {error.strerror or error}; what was there before is kept") from error


def collect(
    task: nn.Layer, average: MovingAverage, optimizer: paddle.optimizer.Optimizer, step: int
) -> dict[str, np.ndarray]:
    """All numbers of a run as arrays."""
    arrays = {f"task/{name}": value.numpy() for name, value in task.state_dict().items()}
    arrays |= {f"average/{name}": value for name, value in average.arrays().items()}
    names = _names(task)
    for key, value in optimizer.state_dict().items():
        if isinstance(value, paddle.Tensor):
            parameter = max((name for name in names if key.startswith(f"{name}_")), key=len)
            arrays[f"optimizer/{names[parameter]}/{key[len(parameter) + 1 :]}"] = value.numpy()
    arrays["step"], arrays["average_steps"] = np.array(step), np.array(average.steps)
    return arrays


def restore(path: Path, task: nn.Layer, average: MovingAverage, optimizer: paddle.optimizer.Optimizer) -> int:
    """Set a run to where it was saved.

    Returns:
        Steps that were done.

    Raises:
        ModelError: the file is not whole, or of a run with another network or other data.
    """
    arrays = load_npz(path)
    groups: dict[str, dict[str, Any]] = {"task": {}, "average": {}, "optimizer": {}}
    for key, value in arrays.items():
        group, _, name = key.partition("/")
        if name and group in groups:
            groups[group][name] = value
    for found, expected in ((groups["task"], task.state_dict()), (groups["average"], average.state)):
        wrong = [name for name in expected if name not in found or list(found[name].shape) != expected[name].shape]
        if wrong or len(found) != len(expected) or not {"step", "average_steps"} <= set(arrays):
            raise ModelError(
                f"{path} is of a run with another network or other data ({', '.join(wrong[:2]) or 'more parameters'}); "
                "give another --output to start anew"
            )
    task.set_state_dict(groups["task"])
    for name, value in groups["average"].items():
        average.state[name].set_value(value)
    names = {structured: name for name, structured in _names(task).items()}
    state = optimizer.state_dict()
    for key, value in groups["optimizer"].items():
        structured, _, kind = key.rpartition("/")
        state[f"{names[structured]}_{kind}"] = paddle.to_tensor(value)
    optimizer.set_state_dict(state)
    average.steps = int(arrays["average_steps"])
    return int(arrays["step"])


def _names(task: nn.Layer) -> dict[str, str]:
    """Names that the optimizer knows parameters by, which count up within a process, to those of the network."""
    return {parameter.name: name for name, parameter in task.named_parameters()}
