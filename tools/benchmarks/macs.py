"""How many multiplications with addition (MACs) a pass of an exported network takes, read from its graph."""

from __future__ import annotations

import math
from pathlib import Path

from tracker.errors import ModelError


def count_macs(program: Path) -> float:
    """MACs of the convolutions and matrix products of a graph, for one image; all else is left out.

    A convolution takes, for every value it puts out, as many as one of its filters has weights: I/groups * kh * kw.

    Args:
        program: a ``.pdmodel`` file whose images have a fixed size.

    Raises:
        ModelError: it cannot be read.
    """
    from paddle.base.core import ProgramDesc

    try:
        graph = ProgramDesc(program.read_bytes())  # kept, for it takes its block with it
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{program} cannot be read: {str(error).strip().splitlines()[0]}") from error
    block = graph.block(0)

    def shape(name: str) -> list[int]:
        # the number of images is open, written as -1
        return [abs(side) for side in block.find_var(name.encode()).shape()]

    total = 0.0
    for index in range(block.op_size()):
        op = block.op(index)
        if op.type() in ("conv2d", "depthwise_conv2d"):
            total += math.prod(shape(op.output("Output")[0])) * math.prod(shape(op.input("Filter")[0])[1:])
        elif op.type() in ("matmul_v2", "mul"):
            inner = shape(op.input("Y")[0])
            total += math.prod(shape(op.output("Out")[0])) * inner[-1 if _transposed(op) else -2]
    return total


def _transposed(op) -> bool:  # noqa: ANN001 (no public type)
    return op.type() == "matmul_v2" and bool(op.attr("trans_y"))
