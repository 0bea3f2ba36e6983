"""Weights to start from, made trainable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from tracker.errors import ModelError
from tracker.models.networks.mobilenet import EPSILON
from tracker.models.npz import load_npz
from tracker.models.pdparams import load_pdparams
from training.openvino_weights import read_backbone


def read_weights(path: Path, network: nn.Layer) -> dict[str, np.ndarray]:
    """Read a ``.pdparams`` file, or an ``.npz`` or OpenVINO file with BatchNorm folded into the convolutions.

    Args:
        path: The file.
        network: The network that the weights are for.

    Returns:
        Name in the network -> array.

    Raises:
        ModelError: The file is damaged or of another format.
    """
    if path.suffix == ".xml":  # of a detector whose backbone is the network's
        backbone = read_backbone(path, network.det.backbone)
        arrays = {f"det.backbone.{name}": value for name, value in backbone.items()}
    elif path.suffix == ".npz":
        arrays = load_npz(path)
    else:
        return load_pdparams(path)
    return unfold_biases(arrays, set(network.state_dict()))


def unfold_biases(arrays: Mapping[str, np.ndarray], names: set[str]) -> dict[str, np.ndarray]:
    """Convert weights in PyTorch's layout, with BatchNorm folded into the convolutions, to parameters of a network.

    The bias of a folded convolution becomes a BatchNorm that only adds it. Matrices are transposed.

    Args:
        arrays: Names and values. ``X.c.bias`` is a folded bias; statistics end in running_mean and running_var.
        names: The parameter names of the network.
    """
    values: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        name = name.replace("running_mean", "_mean").replace("running_var", "_variance")
        if name in names:
            values[name] = value.T if value.ndim == 2 else value
            continue
        prefix = name.removesuffix("c.bias")
        if prefix == name or f"{prefix}n.bias" not in names:
            values[name] = value  # for another network: kept, so that an error can name it
            continue
        values[f"{prefix}n.bias"] = value
        values[f"{prefix}n.weight"] = np.ones_like(value)
        values[f"{prefix}n._mean"] = np.zeros_like(value)
        values[f"{prefix}n._variance"] = np.full_like(value, 1 - EPSILON)
    return values


def start_from(network: nn.Layer, arrays: dict[str, np.ndarray]) -> list[str]:
    """Set the parameters for which there is an array of the same name and shape.

    Args:
        network: The network to change.
        arrays: Weights by name.

    Returns:
        The names of the parameters that were not set.

    Raises:
        ModelError: No array fits.
    """
    state = network.state_dict()
    fitting = {
        name: value for name, value in arrays.items() if name in state and list(value.shape) == state[name].shape
    }
    if not fitting:
        raise ModelError(f"none of {len(arrays)} weights fits the network: they are for another one")
    network.set_state_dict(fitting)
    return [name for name in state if name not in fitting]


def normalise(network: nn.Layer, images: Iterable[paddle.Tensor]) -> None:
    """Restore BatchNorm in a network whose weights have BatchNorm folded into the convolutions.

    Folded weights differ in size between channels by orders of magnitude, so that no step size suits all of them. Here
    the statistics of every convolution's output are measured and become those of its BatchNorm, and every filter is
    scaled to the size that random initialisation gives. The network's output stays the same.

    Args:
        network: A network with blocks of a convolution ``c`` and a BatchNorm ``n``.
        images: Network inputs [N, 3, H, W] to measure on.
    """
    blocks = [layer for layer in network.sublayers() if hasattr(layer, "c") and isinstance(layer.n, nn.BatchNorm2D)]
    sums = {id(block): np.zeros((2, block.n._num_features)) for block in blocks}
    counts = dict.fromkeys(sums, 0)

    def note(block: nn.Layer):  # noqa: ANN202 (a hook of Paddle)
        def hook(layer: nn.Layer, inputs: tuple, output: paddle.Tensor) -> None:
            sums[id(block)][0] += output.sum(axis=[0, 2, 3]).numpy()
            sums[id(block)][1] += (output * output).sum(axis=[0, 2, 3]).numpy()
            counts[id(block)] += output.shape[0] * output.shape[2] * output.shape[3]

        return hook

    hooks = [block.c.register_forward_post_hook(note(block)) for block in blocks]
    network.eval()
    with paddle.no_grad():
        for image in images:
            network(image)
        for hook in hooks:
            hook.remove()
        for block in blocks:
            _normalise(block.c, block.n, *sums[id(block)] / counts[id(block)])


def _normalise(convolution: nn.Conv2D, norm: nn.BatchNorm2D, mean: np.ndarray, square: np.ndarray) -> None:
    variance = np.maximum(square - mean**2, 1e-6)
    old_scale = norm.weight.numpy() / np.sqrt(norm._variance.numpy() + norm._epsilon)
    old_shift = norm.bias.numpy() - norm._mean.numpy() * old_scale
    weight = convolution.weight.numpy()
    # He initialisation has a variance of 2 / inputs: filters of length sqrt(2)
    length = np.sqrt(2) / np.maximum(np.linalg.norm(weight.reshape(len(weight), -1), axis=1), 1e-8)
    convolution.weight.set_value(weight * length[:, None, None, None].astype(weight.dtype))
    mean, variance, old_scale = mean * length, variance * length**2, old_scale / length
    deviation = np.sqrt(variance + norm._epsilon)
    for value, new in (
        (norm._mean, mean),
        (norm._variance, variance),
        (norm.weight, old_scale * deviation),
        (norm.bias, old_shift + old_scale * mean),
    ):
        value.set_value(new.astype(np.float32))
