"""Weights of a backbone that somebody else trained, read from an OpenVINO model.

The bundled detector's backbone comes from Intel's person-vehicle-bike-detection-2003 (a MobileNetV2; Open Model Zoo,
Apache-2.0), which has seen more of the world than any set of pictures at hand; its blocks were narrowed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tracker.detection.backends.openvino_network import openvino_core
from tracker.errors import ModelError
from tracker.models.networks.mobilenet import MobileNetV2

_CONVOLUTIONS = ("Convolution", "GroupConvolution")
_PASSED = ("Convert", "Reshape", "Squeeze", "Unsqueeze")  # what may lie between a constant and its user


def read_backbone(path: Path, backbone: MobileNetV2) -> dict[str, np.ndarray]:
    """Read the convolutions of a backbone, with BatchNorm and the scale of the pixels folded into them.

    The graph's convolutions are taken in their order, those passed over whose shape is not the next one needed: they
    belong to what reads the backbone.

    Args:
        path: An OpenVINO model (``.xml`` beside its ``.bin``) whose backbone is a MobileNetV2.
        backbone: The network that the weights are for, which takes BGR pixels from 0 to 255.

    Returns:
        Name in ``backbone`` -> array: ``X.c.weight`` and ``X.c.bias`` of every convolution.

    Raises:
        ModelError: The file cannot be read, or holds no such backbone.
    """
    try:
        operations = openvino_core().read_model(path).get_ordered_ops()
    except RuntimeError as error:
        raise ModelError(f"{path} cannot be read by OpenVINO: {str(error).strip().splitlines()[-1]}") from error
    needed = iter(
        [(name, tuple(value.shape)) for name, value in backbone.named_parameters() if name.endswith("c.weight")]
    )
    arrays: dict[str, np.ndarray] = {}
    following = next(needed)
    for weight, bias in _convolutions(operations):
        if weight.shape != following[1] or len(bias) != len(weight):
            continue
        scale = 1 if arrays else _pixel_scale(operations)
        arrays[following[0]] = weight * np.float32(scale)
        arrays[following[0].replace("weight", "bias")] = bias
        following = next(needed, ("", ()))
        if not following[0]:
            return arrays
    raise ModelError(f"{path} holds no MobileNetV2 of these widths: it has no convolution {list(following[1])} next")


def _convolutions(operations: list[Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the weights [O, I, K, K] of each convolution and the bias [O] added to it; [0] where there is none."""
    for operation in operations:
        if operation.get_type_name() in _CONVOLUTIONS:
            weight = _constant(operation.input_value(1))
            users = [item.get_node() for item in operation.output(0).get_target_inputs()]
            added = [_added(user, operation) for user in users if user.get_type_name() == "Add"]
            if weight is not None:
                weight = weight.reshape(-1, *weight.shape[-3:]).astype(np.float32)
                bias = added[0] if len(added) == 1 and added[0] is not None else np.zeros(0)
                yield weight, bias.ravel().astype(np.float32)


def _added(addition: Any, operation: Any) -> np.ndarray | None:
    """Return the constant that an addition adds to the output of an operation; None if it is no constant."""
    others = [addition.input_value(i) for i in range(2) if addition.input_value(i).get_node() != operation]
    return _constant(others[0]) if others else None


def _pixel_scale(operations: list[Any]) -> float:
    """Return the number by which the input is multiplied."""
    image = next(item for item in operations if item.get_type_name() == "Parameter")
    users = [item.get_node() for item in image.output(0).get_target_inputs()]
    factors = [_constant(user.input_value(1)) for user in users if user.get_type_name() == "Multiply"]
    return float(factors[0].item()) if len(factors) == 1 and factors[0] is not None and factors[0].size == 1 else 1.0


def _constant(output: Any) -> np.ndarray | None:
    """Return the value of an output if it is a constant, in the output's shape; otherwise None."""
    node = output.get_node()
    while node.get_type_name() in _PASSED:
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        return None
    return np.array(node.data).reshape(list(output.get_shape()))
