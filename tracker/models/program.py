"""The check of Paddle's graphs, ``*.pdmodel`` with their ``*.pdiparams``, before a backend sees them.

A program may come from anyone, and Paddle executes whatever operators it names: there are some that write files, load
others or call Python. Here a program is read without Paddle, and is refused unless all its operators only compute. Its
parameters must be of the shapes that it declares: the backends trust the file, and allocate what it says.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError
from ..settings.checks import shown
from .protobuf import DOUBLE, FLOAT, TEXT, WHOLE, parse, schema

_LARGEST_FILE = 16_000_000  # bytes; the program of the full network has 130 kB
_LARGEST_DESCRIPTION = 1000  # bytes, of the type and shape of a parameter

# What the networks here are made of, their usual relatives, and what Paddle's own passes put in their place. None
# reads or writes anything but its tensors; none runs another block of the program or takes indices from a tensor.
_ENDS = "feed fetch"
_LAYERS = (
    "conv2d depthwise_conv2d conv2d_transpose depthwise_conv2d_transpose conv2d_fusion fused_conv2d "
    "fused_conv2d_add_act fc mul matmul matmul_v2 bmm fused_matmul pool2d batch_norm sync_batch_norm layer_norm "
    "group_norm instance_norm norm p_norm dropout"
)
_ACTIVATIONS = (
    "relu relu6 leaky_relu prelu elu celu selu gelu swish silu hard_swish hard_sigmoid sigmoid logsigmoid tanh mish "
    "softplus softsign softmax log_softmax fused_softplus"
)
_ARITHMETIC = (
    "elementwise_add elementwise_sub elementwise_mul elementwise_div elementwise_max elementwise_min elementwise_pow "
    "fused_elementwise_add fused_elementwise_sub fused_elementwise_mul fused_elementwise_div "
    "scale clip abs exp log sqrt rsqrt square reciprocal pow floor ceil round sign sin cos "
    "mean reduce_mean reduce_sum reduce_max reduce_min reduce_prod "
    "quantize_linear dequantize_linear"
)
_SHAPES = (
    "reshape reshape2 transpose transpose2 fused_transpose flatten flatten2 flatten_contiguous_range squeeze squeeze2 "
    "unsqueeze unsqueeze2 concat split slice strided_slice stack unstack shape cast assign expand_v2 tile pad2d pad3d "
    "fill_constant assign_value "
    "nearest_interp nearest_interp_v2 bilinear_interp bilinear_interp_v2 bicubic_interp_v2 pixel_shuffle"
)
OPERATORS = frozenset(" ".join((_ENDS, _LAYERS, _ACTIVATIONS, _ARITHMETIC, _SHAPES)).split())

_NONE = "@EMPTY@"  # Paddle's name for an argument that is left out
_TENSOR, _FEED, _FETCH = 7, 9, 10  # kinds of variables
_ITEM_SIZES = {1: 2, 2: 4, 3: 8, 4: 2, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2}  # bytes, by data type of a tensor
_NUMBERS = {
    1: "<i2",
    2: "<i4",
    3: "<i8",
    4: "<f2",
    5: "<f4",
    6: "<f8",
    20: "u1",
    21: "i1",
}  # bfloat16 is not among them
_WHOLE_NUMBERS = {0, 3, 9, 11}  # kinds of attributes: int, ints, long, longs
_BLOCK, _BLOCKS = 8, 10  # kinds of attributes that name another block

# Paddle's framework.proto
_COMPLEX = schema({"r": (1, DOUBLE), "i": (2, DOUBLE)})
_SCALAR = schema({"type": (1, WHOLE), "b": (2, WHOLE), "i": (3, WHOLE), "r": (4, DOUBLE), "c": (5, _COMPLEX)})
_ATTRIBUTE = schema(
    {
        **{"name": (1, TEXT), "type": (2, WHOLE), "i": (3, WHOLE), "f": (4, FLOAT), "s": (5, TEXT), "b": (10, WHOLE)},
        **{"block_idx": (12, WHOLE), "l": (13, WHOLE), "var_name": (17, TEXT)},
        **{"float64": (19, DOUBLE), "scalar": (20, _SCALAR)},
    },
    {
        **{"ints": (6, WHOLE), "floats": (7, FLOAT), "strings": (8, TEXT), "bools": (11, WHOLE)},
        **{"blocks_idx": (14, WHOLE), "longs": (15, WHOLE), "float64s": (16, DOUBLE)},
        **{"vars_name": (18, TEXT), "scalars": (21, _SCALAR)},
    },
)
_ARGUMENTS = schema({"parameter": (1, TEXT)}, {"arguments": (2, TEXT)})
_OPERATOR = schema(
    {"type": (3, TEXT), "is_target": (5, WHOLE)},
    {"inputs": (1, _ARGUMENTS), "outputs": (2, _ARGUMENTS), "attrs": (4, _ATTRIBUTE)},
)
_TENSOR_TYPE = schema({"data_type": (1, WHOLE)}, {"dims": (2, WHOLE)})
_DENSE = schema({"tensor": (1, _TENSOR_TYPE), "legacy_lod_level": (2, WHOLE)})
_VARIABLE = schema(
    {
        **{"name": (1, TEXT), "type": (2, schema({"type": (1, WHOLE), "dense_tensor": (3, _DENSE)}))},
        **{"persistable": (3, WHOLE), "need_check_feed": (4, WHOLE), "is_parameter": (5, WHOLE)},
        "stop_gradient": (6, WHOLE),
    },
    {
        "attrs": (
            7,
            schema({"name": (1, TEXT), "type": (2, WHOLE), "i": (3, WHOLE), "s": (4, TEXT)}, {"ints": (5, WHOLE)}),
        )
    },
)
_BLOCK_DESCRIPTION = schema(
    {"idx": (1, WHOLE), "parent_idx": (2, WHOLE), "forward_block_idx": (5, WHOLE)},
    {"vars": (3, _VARIABLE), "ops": (4, _OPERATOR)},
)
_VERSION = schema({"version": (1, WHOLE)})
_VERSIONS = schema({}, {"pair": (1, schema({"op_name": (1, TEXT), "op_version": (2, _VERSION)}))})
_PROGRAM = schema({"version": (4, _VERSION), "op_version_map": (5, _VERSIONS)}, {"blocks": (1, _BLOCK_DESCRIPTION)})


def check_graph(program: Path, parameters: Path) -> None:
    """Check that a graph is whole, and that all its operators only compute.

    Args:
        program: The ``.pdmodel`` file.
        parameters: The ``.pdiparams`` file.

    Raises:
        ModelError: A file cannot be read or is damaged, the two do not belong together, or an operator is not known to
            be harmless.
    """
    read_graph(program, parameters, with_numbers=False)


@dataclass(frozen=True)
class Operator:
    """An operator of a graph.

    Attributes:
        type: Paddle's name of it.
        inputs: Names of its arguments, by Paddle's name of their role.
        outputs: Names of its results, likewise.
        attributes: Its attributes.
    """

    type: str
    inputs: dict[str, list[str]]
    outputs: dict[str, list[str]]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """A graph that was read and checked.

    Attributes:
        operators: In the order of their execution.
        shapes: Of its tensors by name; -1 where a side is open.
        parameters: By name; empty where they were not asked for.
    """

    operators: list[Operator]
    shapes: dict[str, list[int]]
    parameters: dict[str, np.ndarray]


def read_graph(program: Path, parameters: Path, with_numbers: bool = True) -> Graph:
    """Read a graph and check it, as `check_graph` does.

    Args:
        program: The ``.pdmodel`` file.
        parameters: The ``.pdiparams`` file.
        with_numbers: Whether to return the parameters too.

    Raises:
        ModelError: As `check_graph`; or a parameter has a type of numbers that NumPy lacks.
    """
    variables, operators, shapes = _read_program(program)
    kept: dict[str, np.ndarray] = {}
    try:
        _check_parameters(parameters, variables, kept if with_numbers else None)
    except OSError as error:
        raise ModelError(f"cannot read {parameters}: {error.strerror}") from error
    except (ValueError, KeyError, struct.error) as error:
        raise ModelError(
            f"{parameters} is damaged or not that of {program.name}: {_reason(error)}; export the model again"
        ) from error
    return Graph(operators, shapes, kept)


def _operator(description: dict[str, Any]) -> Operator:
    inputs, outputs = (
        {group["parameter"]: group["arguments"] for group in description.get(kind, ()) if group.get("arguments")}
        for kind in ("inputs", "outputs")
    )
    attributes = {}
    for one in description.get("attrs", ()):
        values = [value for key, value in one.items() if key not in ("name", "type")]
        value = values[0] if values else []
        if one["type"] in _WHOLE_NUMBERS:
            if not all(isinstance(part, int) for part in (value if isinstance(value, list) else [value])):
                raise ValueError(f"its attribute {shown(one['name'])} holds no whole numbers")
            value = [_signed(part) for part in value] if isinstance(value, list) else _signed(value)
        attributes[one["name"]] = value
    return Operator(description["type"], inputs, outputs, attributes)


def _signed(value: int) -> int:
    """Return a whole number as it was before it went on the wire."""
    return value - (1 << 64) if value >> 63 else value


def _read_program(path: Path) -> tuple[list[dict[str, Any]], list[Operator], dict[str, list[int]]]:
    """Check a program; return its variables, its operators and the shapes of its tensors."""
    try:
        blocks = parse(read_limited(path, _LARGEST_FILE), _PROGRAM).get("blocks", [])
        operators = [operator for block in blocks for operator in block.get("ops", [])]
        for operator in operators:
            if operator["type"] not in OPERATORS:
                raise ModelError(refusal(path, operator["type"]))
        if len(blocks) != 1:
            raise ValueError(f"it has {len(blocks)} blocks where one is needed")
        variables = blocks[0].get("vars", [])
        _check_arguments(variables, operators)
        tensors = {
            one["name"]: one["type"]["dense_tensor"]["tensor"] for one in variables if "dense_tensor" in one["type"]
        }
        shapes = {name: [_signed(side) for side in tensor.get("dims", [])] for name, tensor in tensors.items()}
        return variables, [_operator(one) for one in operators], shapes
    except (ValueError, KeyError) as error:
        raise ModelError(f"{path} is damaged or no Paddle program: {_reason(error)}; export the model again") from error


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):  # of a message without a field that is always there
        return f"a field {error} is missing"
    return "it ends too early" if isinstance(error, struct.error) else str(error)


def refusal(path: Path, operator: str) -> str:
    """Return the message with which a graph is refused for one of its operators."""
    return (
        f"{path} is refused: its operator {shown(operator)} is not among those that only compute; "
        "use a model folder from a source you trust"
    )


def read_limited(path: Path, most: int) -> bytes:
    """Read a regular file.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        ModelError: The file cannot be read.
        ValueError: The file is empty, as those are that the system makes up while they are read, or has more bytes.
    """
    try:
        if not path.is_file():
            raise ModelError(f"{path} is missing or no regular file")
        if not 0 < path.stat().st_size <= most:
            raise ValueError(f"it has {path.stat().st_size} bytes")
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error


def _check_arguments(variables: list[dict[str, Any]], operators: list[dict[str, Any]]) -> None:
    """Check that operators work on tensors of the program, and that no attribute names a block."""
    names = {_NONE}
    for variable in variables:
        if variable["type"]["type"] not in (_TENSOR, _FEED, _FETCH):
            raise ValueError(f"its variable {shown(variable['name'])} is no tensor")
        names.add(variable["name"])
    for operator in operators:
        for group in (*operator.get("inputs", ()), *operator.get("outputs", ())):
            for name in group.get("arguments", ()):
                if name not in names:
                    raise ValueError(f"its operator {operator['type']} works on {shown(name)}, which is not in it")
        for attribute in operator.get("attrs", ()):
            if attribute["type"] in (_BLOCK, _BLOCKS):
                raise ValueError(f"its operator {operator['type']} has a block of its own")


def _check_parameters(path: Path, variables: list[dict[str, Any]], kept: dict[str, np.ndarray] | None) -> None:
    """Check that a file holds the parameters of a program and nothing else; put them into a dict, unless it is None.

    They stand in the order of their names, each with a header, its type and shape as a message, and its numbers.
    """
    if not path.is_file():
        raise ValueError("it is missing or no regular file")
    lasting = {variable["name"]: variable["type"] for variable in variables if variable.get("persistable")}
    tensors = {name: kind["dense_tensor"]["tensor"] for name, kind in lasting.items() if kind["type"] == _TENSOR}
    end = path.stat().st_size
    if not end:  # as of files that the system makes up while they are read
        raise ValueError("it is empty")
    with path.open("rb") as file:
        for name, declared in sorted(tensors.items()):
            # versions of two formats around the number of levels that a list of sequences has
            *zeros, length = struct.unpack("<IQIi", file.read(20))
            if any(zeros) or not 0 <= length <= _LARGEST_DESCRIPTION:
                raise ValueError(f"{shown(name)} has a malformed header")
            description = parse(file.read(length), _TENSOR_TYPE)
            if description != declared:
                raise ValueError(f"{shown(name)} is of another type or shape than the program says")
            size = math.prod(description.get("dims", [])) * _ITEM_SIZES[description["data_type"]]
            if size > end - file.tell():
                raise ValueError(f"it ends within {shown(name)}")
            if kept is None:
                file.seek(size, 1)
            else:
                kind = _NUMBERS[description["data_type"]]
                kept[name] = np.frombuffer(file.read(size), kind).reshape(description.get("dims", []))
        if file.tell() != end:
            raise ValueError("numbers follow the last parameter")
