"""Files of weights, and checkpoints: all that a run needs to resume, in one file."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from tracker.errors import ModelError, OutputError
from tracker.models.npz import load_npz
from tracker.settings.checks import shown

_MOST_STEPS = 1 << 40
_MOMENTS = ("moment1_0", "moment2_0", "beta1_pow_acc_0", "beta2_pow_acc_0")  # Paddle's names of what AdamW keeps


class MovingAverage:
    """Exponential moving average of a network's weights and statistics.

    Args:
        network: The network whose state is averaged.
        decay: Weight of the average against the newest state; smaller in the first steps.

    Attributes:
        state: The averages by name.
        steps: How many states were taken in.
    """

    def __init__(self, network: nn.Layer, decay: float) -> None:
        self._network, self._decay = network, decay
        self.reset()

    def reset(self) -> None:
        """Start over from the network's present state."""
        self.state = {name: value.detach().clone() for name, value in self._network.state_dict().items()}
        self.steps = 0

    def update(self) -> None:
        """Take in the network's present state."""
        self.steps += 1
        weight = 1 - min(self._decay, (1 + self.steps) / (10 + self.steps))
        with paddle.no_grad():
            for name, value in self._network.state_dict().items():
                self.state[name].lerp_(value.detach(), weight)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the averages by name."""
        return {name: value.numpy() for name, value in self.state.items()}


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an ``.npz`` file, whole or not at all: an older file of this name stays until the new one is on disk.

    Args:
        path: The file; its folder is made where it is missing.
        arrays: The arrays by name.

    Raises:
        OutputError: The file cannot be written.
    """
    with _written_whole(path) as part:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            # not numpy.savez: on a full disk it leaves its archive open, which raises once more when it is collected
            with zipfile.ZipFile(file, "w") as archive:
                for name, value in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, np.asanyarray(value), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())


def save_parameters(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write a ``.pdparams`` file, whole or not at all.

    Args:
        arrays: The weights by name.
        path: The file, in an existing folder.

    Raises:
        OutputError: The file cannot be written.
    """
    with _written_whole(path) as part:
        paddle.save({name: paddle.to_tensor(value) for name, value in arrays.items()}, str(part))


@contextlib.contextmanager
def _written_whole(path: Path) -> Iterator[Path]:
    """Yield the path of a new file, which replaces the one at ``path`` unless an error ends the block."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"cannot save {path}: {error.strerror or error}; what was there before is kept") from error


def collect(
    task: nn.Layer, average: MovingAverage, optimizer: paddle.optimizer.Optimizer, step: int
) -> dict[str, np.ndarray]:
    """Collect the state of a run as arrays.

    Args:
        task: The layer that is trained.
        average: Its moving average.
        optimizer: Its optimizer.
        step: Steps done.
    """
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
    """Set a run to the state of a checkpoint.

    Args:
        path: A file of `save_arrays` with the arrays of `collect`.
        task: The layer that is trained.
        average: Its moving average.
        optimizer: Its optimizer.

    Returns:
        The steps done by then.

    Raises:
        ModelError: The file is damaged, or of a run with another network or other data.
    """
    arrays = load_npz(path)
    groups: dict[str, dict[str, np.ndarray]] = {"task": {}, "average": {}, "optimizer": {}}
    others: list[str] = []
    for key, value in arrays.items():
        group, _, name = key.partition("/")
        if name and group in groups:
            groups[group][name] = value
        elif key not in ("step", "average_steps"):
            others.append(key)
    for saved, expected in ((groups["task"], task.state_dict()), (groups["average"], average.state)):
        wrong = [name for name in expected if name not in saved or not _fits(saved[name], expected[name])]
        if wrong or len(saved) != len(expected) or not {"step", "average_steps"} <= set(arrays):
            raise ModelError(
                f"{path} is of a run with another network or other data ({', '.join(wrong[:2]) or 'more parameters'}); "
                "give another --output to start a new run"
            )
    if others:
        raise ModelError(f"{path} is damaged: it has {shown(others[0])}; give another --output to start a new run")
    steps = {name: _count(arrays[name], name, path) for name in ("step", "average_steps")}
    state = {**optimizer.state_dict(), **_moments(groups["optimizer"], task, path)}
    task.set_state_dict(groups["task"])
    for name, value in groups["average"].items():
        average.state[name].set_value(value)
    optimizer.set_state_dict(state)
    average.steps = steps["average_steps"]
    return steps["step"]


def _fits(saved: np.ndarray, expected: paddle.Tensor) -> bool:
    """Return whether a saved array can take the place of a tensor: of its shape and kind of numbers, all finite."""
    if list(saved.shape) != list(expected.shape):
        return False
    if not expected.is_floating_point():
        return saved.dtype.kind in "biu"
    return saved.dtype.kind == "f" and bool(np.isfinite(saved).all())


def _count(value: np.ndarray, name: str, path: Path) -> int:
    """Return the number of steps in an array of one."""
    if value.shape != () or value.dtype.kind not in "iu" or not 0 <= value < _MOST_STEPS:
        raise ModelError(f"{path} is damaged: {name} is no number of steps; give another --output to start a new run")
    return int(value)


def _moments(saved: Mapping[str, np.ndarray], task: nn.Layer, path: Path) -> dict[str, paddle.Tensor]:
    """Return the state of the optimizer by its names, after checking that it belongs to the parameters of a task."""
    parameters = dict(task.named_parameters())
    state = {}
    for key, value in saved.items():
        structured, _, kind = key.rpartition("/")
        parameter = parameters.get(structured)
        if parameter is None or kind not in _MOMENTS:
            raise ModelError(f"{path} is damaged: its optimizer has {shown(key)}; give another --output")
        shape = list(parameter.shape) if kind.startswith("moment") else [1]
        if list(value.shape) != shape or value.dtype.kind != "f" or not np.isfinite(value).all():
            raise ModelError(f"{path} is damaged: {shown(key)} does not fit the optimizer; give another --output")
        state[f"{parameter.name}_{kind}"] = paddle.to_tensor(value)
    return state


def _names(task: nn.Layer) -> dict[str, str]:
    """Return the names of parameters in the network by those in the optimizer, which are numbered within a process."""
    return {parameter.name: name for name, parameter in task.named_parameters()}
