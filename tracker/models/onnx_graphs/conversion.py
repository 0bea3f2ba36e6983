"""Conversion of Paddle's graphs to ONNX, operator by operator.

Paddle's own converter, paddle2onnx 2.1, fails on these graphs (its reader of the newer program format takes no scales
that are doubles), so the dozen operators they are made of are written here. Their meaning: Paddle's operator
definitions, and https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelError
from ...settings.checks import check_installed, shown
from ..program import Graph, Operator, read_graph

OPSET = 13  # what every runtime in use reads
_SINGLE = 5  # Paddle's number of that precision


def convert(program: Path, parameters: Path, size: tuple[int, int] | None = None) -> bytes:
    """Convert a graph of a model folder.

    Args:
        program: The ``.pdmodel`` file.
        parameters: The ``.pdiparams`` file.
        size: Width and height of the images that the graph takes, in pixels; None leaves both open.

    Returns:
        The ONNX model. Its inputs and outputs are those of the Paddle graph in their order, float32: images
        [N, 3, H, W] to maps for ``model``; groups of rows [K_i, R_i] to embeddings [K, D] for ``embed``.

    Raises:
        OptionError: The package onnx is not installed.
        ModelError: A file is missing or damaged, or has an operator that is not converted.
    """
    check_installed("conversion to ONNX", "onnx")
    import onnx

    graph = read_graph(program, parameters)
    made = _Nodes(graph)
    for operator in graph.operators:
        if operator.type not in CONVERTERS:
            raise ModelError(
                f"{program} has the operator {shown(operator.type)}, which is not converted to ONNX; known are "
                f"{', '.join(CONVERTERS)}"
            )
        CONVERTERS[operator.type](made, operator)
    helper, single = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, single, _sides(graph, name, size)) for _, name in sorted(made.inputs)]
    outputs = [helper.make_tensor_value_info(name, single, None) for _, name in sorted(made.outputs)]
    model = helper.make_model(
        helper.make_graph(made.nodes, program.stem, inputs, outputs, made.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="jde_darknet53_30e_1088x608",
        ir_version=8,
    )
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _sides(graph: Graph, name: str, size: tuple[int, int] | None) -> list[int | str]:
    first, *others = graph.shapes[name]
    if len(others) == 3:  # an image
        return ["images", others[0], *(("height", "width") if size is None else size[::-1])]
    return [f"{name}_count" if first < 0 else first, *others]


class _Nodes:
    """The nodes and constants of an ONNX graph, and the names of its inputs and outputs.

    Attributes:
        parameters: by name, those of the Paddle graph and what is computed of them alone.
    """

    def __init__(self, graph: Graph) -> None:
        from onnx import helper, numpy_helper

        self._make_node, self._from_array = helper.make_node, numpy_helper.from_array
        self.parameters, self._shapes = dict(graph.parameters), graph.shapes
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[tuple[int, str]] = []  # with their place
        self.outputs: list[tuple[int, str]] = []  # likewise
        self._named: set[str] = set()

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        """Add a node of ONNX's operators; the parameters among its inputs become constants of the graph."""
        for name in inputs:
            if name in self.parameters and name not in self._named:
                self._named.add(name)
                self.constants.append(self._from_array(self.parameters[name], name))
        self.nodes.append(self._make_node(kind, inputs, [output], **attributes))

    def constant(self, output: str, role: str, values: list[float] | list[int], kind: type) -> str:
        """Add a constant that belongs to a node; return its name."""
        name = f"{output}.{role}"
        self.constants.append(self._from_array(np.array(values, kind), name))
        return name

    def rank(self, name: str) -> int:
        """Return the number of dimensions of a tensor."""
        return len(self._shapes[name])


def _one(arguments: dict[str, list[str]], role: str) -> str:
    (name,) = arguments[role]
    return name


def _feed(made: _Nodes, operator: Operator) -> None:
    made.inputs.append((operator.attributes["col"], _one(operator.outputs, "Out")))


def _fetch(made: _Nodes, operator: Operator) -> None:
    made.outputs.append((operator.attributes["col"], _one(operator.inputs, "X")))


def _convolution(made: _Nodes, operator: Operator) -> None:
    given = operator.attributes
    if (
        given.get("padding_algorithm", "EXPLICIT") != "EXPLICIT"
        or given.get("data_format", "NCHW") not in _CHANNELS_FIRST
    ):
        raise ModelError("a convolution with automatic padding or channels last is not converted to ONNX")
    pads = given["paddings"] * 2 if len(given["paddings"]) == 2 else [given["paddings"][i] for i in (0, 2, 1, 3)]
    inputs = [_one(operator.inputs, "Input"), _one(operator.inputs, "Filter"), *operator.inputs.get("Bias", ())]
    shared = {"strides": given["strides"], "dilations": given["dilations"], "group": given["groups"]}
    made.add("Conv", inputs, _one(operator.outputs, "Output"), pads=pads, **shared)


def _batch_norm(made: _Nodes, operator: Operator) -> None:
    inputs = [_one(operator.inputs, role) for role in ("X", "Scale", "Bias", "Mean", "Variance")]
    made.add("BatchNormalization", inputs, _one(operator.outputs, "Y"), epsilon=operator.attributes["epsilon"])


def _relu6(made: _Nodes, operator: Operator) -> None:
    output = _one(operator.outputs, "Out")
    bounds = [made.constant(output, role, value, np.float32) for role, value in (("low", 0.0), ("high", 6.0))]  # type: ignore[arg-type]
    made.add("Clip", [_one(operator.inputs, "X"), *bounds], output)


def _leaky_relu(made: _Nodes, operator: Operator) -> None:
    alpha = operator.attributes["alpha"]
    made.add("LeakyRelu", [_one(operator.inputs, "X")], _one(operator.outputs, "Out"), alpha=alpha)


def _swish(made: _Nodes, operator: Operator) -> None:
    value, output = _one(operator.inputs, "X"), _one(operator.outputs, "Out")
    made.add("Sigmoid", [value], f"{output}.sigmoid")
    made.add("Mul", [value, f"{output}.sigmoid"], output)


def _add(made: _Nodes, operator: Operator) -> None:
    first, second = _one(operator.inputs, "X"), _one(operator.inputs, "Y")
    output, axis = _one(operator.outputs, "Out"), operator.attributes.get("axis", -1)
    behind = 0 if axis < 0 else made.rank(first) - axis - made.rank(second)
    if behind:  # Paddle lines the second up from an axis on, ONNX at the last one
        shape = made.constant(output, "shape", [0] * made.rank(second) + [1] * behind, np.int64)
        made.add("Reshape", [second, shape], f"{output}.second")
        second = f"{output}.second"
    made.add("Add", [first, second], output)


def _scale(made: _Nodes, operator: Operator) -> None:
    value, output, given = _one(operator.inputs, "X"), _one(operator.outputs, "Out"), operator.attributes
    steps = (
        [("Mul", "scale"), ("Add", "bias")]
        if given.get("bias_after_scale", True)
        else [("Add", "bias"), ("Mul", "scale")]
    )
    for number, (kind, role) in enumerate(steps):
        result = output if number else f"{output}.first"
        made.add(kind, [value, made.constant(output, role, given[role], np.float32)], result)
        value = result


def _nearest(made: _Nodes, operator: Operator) -> None:
    given, output = operator.attributes, _one(operator.outputs, "Out")
    scales = given.get("scale") or []
    if len(scales) != 2 or given.get("align_corners") or set(operator.inputs) != {"X"}:
        raise ModelError("an interpolation other than to the nearest, by fixed factors, is not converted to ONNX")
    factors = made.constant(output, "scales", [1.0, 1.0, *scales], np.float32)
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    made.add("Resize", [_one(operator.inputs, "X"), "", factors], output, **modes)


def _concat(made: _Nodes, operator: Operator) -> None:
    made.add("Concat", operator.inputs["X"], _one(operator.outputs, "Out"), axis=operator.attributes["axis"])


def _reshape(made: _Nodes, operator: Operator) -> None:
    output = _one(operator.outputs, "Out")
    shape = made.constant(output, "shape", operator.attributes["shape"], np.int64)
    made.add("Reshape", [_one(operator.inputs, "X"), shape], output)


def _flatten(made: _Nodes, operator: Operator) -> None:
    value, output = _one(operator.inputs, "X"), _one(operator.outputs, "Out")
    if (operator.attributes["start_axis"], operator.attributes["stop_axis"]) not in (
        (1, made.rank(value) - 1),
        (1, -1),
    ):
        raise ModelError("a flattening of other axes than all but the first is not converted to ONNX")
    made.add("Flatten", [value], output, axis=1)


def _matmul(made: _Nodes, operator: Operator) -> None:
    if operator.attributes.get("trans_x") or operator.attributes.get("trans_y"):
        raise ModelError("a product of transposed matrices is not converted to ONNX")
    made.add("MatMul", [_one(operator.inputs, "X"), _one(operator.inputs, "Y")], _one(operator.outputs, "Out"))


def _norm(made: _Nodes, operator: Operator) -> None:
    given = operator.attributes
    if given["porder"] != 2 or given.get("asvector"):
        raise ModelError("a norm other than the Euclidean one is not converted to ONNX")
    keep = int(bool(given["keepdim"]))
    made.add(
        "ReduceL2", [_one(operator.inputs, "X")], _one(operator.outputs, "Out"), axes=[given["axis"]], keepdims=keep
    )


def _cast(made: _Nodes, operator: Operator) -> None:
    weights = made.parameters.get(_one(operator.inputs, "X"))
    if weights is None or operator.attributes["out_dtype"] != _SINGLE:
        raise ModelError("a cast other than of weights to single precision is not converted to ONNX")
    made.parameters[_one(operator.outputs, "Out")] = weights.astype(np.float32)


def _product(made: _Nodes, operator: Operator) -> None:
    """Compute weights that are stored as whole numbers and steps, see `networks.sixteen_bits`."""
    factors = [made.parameters.get(_one(operator.inputs, role)) for role in ("X", "Y")]
    if factors[0] is None or factors[1] is None:
        raise ModelError("a product other than of weights is not converted to ONNX")
    made.parameters[_one(operator.outputs, "Out")] = factors[0] * factors[1]


_CHANNELS_FIRST = ("NCHW", "AnyLayout")

CONVERTERS: dict[str, Callable[[_Nodes, Operator], None]] = {
    "feed": _feed,
    "fetch": _fetch,
    "conv2d": _convolution,
    "depthwise_conv2d": _convolution,
    "batch_norm": _batch_norm,
    "relu6": _relu6,
    "leaky_relu": _leaky_relu,
    "swish": _swish,
    "elementwise_add": _add,
    "scale": _scale,
    "nearest_interp_v2": _nearest,
    "concat": _concat,
    "reshape2": _reshape,
    "flatten_contiguous_range": _flatten,
    "matmul_v2": _matmul,
    "p_norm": _norm,
    "cast": _cast,
    "elementwise_mul": _product,
}
