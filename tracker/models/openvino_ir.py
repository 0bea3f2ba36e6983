"""The check of OpenVINO's graphs, ``*.xml`` with their ``*.bin``, before OpenVINO sees them.

A graph may come from anyone. It is refused unless all its layers are of OpenVINO's own operation sets and only compute,
and all its constants lie within its own file of numbers.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.parsers import expat

from ..errors import ModelError
from ..settings.checks import shown
from .program import read_limited, refusal

_LARGEST_FILE = 64_000_000  # bytes; the graph of the compact network has 0.5 MB

# What exported and quantised networks are made of. None keeps a state from pass to pass or runs a graph of its own.
_ENDS = "Parameter Result Const"
_LAYERS = (
    "Convolution GroupConvolution ConvolutionBackpropData GroupConvolutionBackpropData MatMul MaxPool AvgPool "
    "BatchNormInference MVN NormalizeL2"
)
_ACTIVATIONS = (
    "ReLU PReLU Elu Selu Gelu Swish HSwish HSigmoid HardSigmoid Sigmoid Tanh Mish SoftPlus SoftSign SoftMax "
    "LogSoftmax Clamp"
)
_ARITHMETIC = (
    "Add Subtract Multiply Divide Power Maximum Minimum Abs Negative Exp Log Sqrt Sign Sin Cos Floor Ceiling Round "
    "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 FakeQuantize FakeConvert"
)
_SHAPES = (
    "Reshape Transpose Squeeze Unsqueeze Concat Split VariadicSplit StridedSlice Slice ShapeOf Gather Convert "
    "ConvertLike Broadcast Tile Pad DepthToSpace SpaceToDepth Identity Interpolate"
)
OPERATIONS = frozenset(" ".join((_ENDS, _LAYERS, _ACTIVATIONS, _ARITHMETIC, _SHAPES)).split())

# Where an element may stand: its name -> those of the elements around it. Below `rt_info` stand notes of whoever made
# the graph, by any names.
_INSIDE: dict[str, set[str | None]] = {
    "net": {None},
    **{"layers": {"net"}, "layer": {"layers"}, "data": {"layer"}, "input": {"layer"}, "output": {"layer"}},
    **{"port": {"input", "output"}, "dim": {"port"}, "edges": {"net"}, "edge": {"edges"}},
    "rt_info": {"net", "layer", "port"},
}
_NOTES, _DEEPEST = "rt_info", 20
_BITS = {
    **{f"{kind}{bits}": bits for kind in "iu" for bits in (1, 2, 3, 4, 6, 8, 16, 32, 64)},
    **{"f16": 16, "bf16": 16, "f32": 32, "f64": 64, "boolean": 8, "f8e4m3": 8, "f8e5m2": 8},
}


def check_ir(program: Path, parameters: Path) -> None:
    """Check that a graph is whole, and that all its layers only compute.

    Args:
        program: The ``.xml`` file.
        parameters: The ``.bin`` file.

    Raises:
        ModelError: A file cannot be read or is damaged, or a layer is not known to be harmless.
    """
    try:
        data = read_limited(program, _LARGEST_FILE)
        # OpenVINO's reader of XML is a lenient one: leave it nothing that another one may read in another way
        if b"<!" in data or b"<?" in data[1:] or not re.match(rb'<(\?xml version="1.0"[^<>&]*\?>\s*<)?net\b', data):
            raise ValueError("it does not begin as an OpenVINO graph, or has declarations or comments")
        if not parameters.is_file():
            raise ModelError(f"{parameters} is missing or no regular file")
        _Graph(program, parameters.stat().st_size).read(data.decode())
    except OSError as error:
        raise ModelError(f"cannot read {parameters}: {error.strerror}") from error
    except (ValueError, KeyError, expat.ExpatError) as error:
        reason = f"a layer has no {error}" if isinstance(error, KeyError) else error
        raise ModelError(f"{program} is damaged or no OpenVINO graph: {reason}; make it again") from error


class _Graph:
    """Reads a graph element by element.

    Args:
        path: The file, for messages.
        room: Bytes in its file of numbers.
    """

    def __init__(self, path: Path, room: int) -> None:
        self._path, self._room = path, room
        self._around: list[str | None] = [None]
        self._layer = ""  # the operation of the layer that is being read

    def read(self, text: str) -> None:
        """Read the whole graph.

        Raises:
            ModelError: A layer is refused.
            ValueError, KeyError, expat.ExpatError: The graph is damaged.
        """
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.Parse(text, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        around = self._around[-1]
        self._around.append(_NOTES if around == _NOTES else name)
        if len(self._around) > _DEEPEST:
            raise ValueError(f"elements are nested more than {_DEEPEST} deep")
        if around == _NOTES:
            return
        if around not in _INSIDE.get(name, ()):
            raise ValueError(f"it has an element {shown(name)} where none belongs")
        if name == "layer":
            self._layer = attributes["type"]
            if self._layer not in OPERATIONS or not re.fullmatch(r"opset\d{1,2}", attributes.get("version", "opset1")):
                raise ModelError(refusal(self._path, f"{self._layer} of {attributes.get('version')}"))
        elif name == "data" and self._layer == "Const":
            self._check_constant(attributes)

    def _end(self, name: str) -> None:
        self._around.pop()

    def _check_constant(self, attributes: dict[str, str]) -> None:
        offset, size = _whole(attributes["offset"]), _whole(attributes["size"])
        shape = [_whole(side) for side in attributes["shape"].split(",") if side.strip()]
        bits = _BITS.get(attributes["element_type"])
        if bits is None:
            raise ValueError(f"it has numbers of an unknown type {shown(attributes['element_type'])}")
        if size != (math.prod(shape) * bits + 7) // 8:
            raise ValueError(f"{size} bytes are not those of a constant of shape {shape[:8]}")
        if offset + size > self._room:
            raise ValueError(f"a constant lies past the end of its .bin file (byte {offset + size} of {self._room})")


def _whole(text: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,18}\s*", text):
        raise ValueError(f"{shown(text)} is no whole number")
    return int(text)
