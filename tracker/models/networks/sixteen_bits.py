"""Weights of an inference graph in 16 bits, which halves its file; the loaded graph is what it was.

Half floats would need one operator fewer, but Paddle optimises no graph that has parameters of that type: on a
processor it is five times as slow. Whole numbers with a step for each output channel are more exact, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle.base.core import VarDesc

_LARGEST = 32767


def store_in_16_bits(prefix: Path) -> None:
    """Rewrite a saved inference graph so that its filters and matrices are stored as int16.

    Each becomes a parameter of whole numbers and one of float32 steps, followed by a ``cast`` and a multiplication.
    Paddle and OpenVINO compute the product once, when they load the graph. A weight is off by half a step at most, that
    is by 1 / 65534 of the largest weight of its output channel.

    Args:
        prefix: the graph's ``.pdmodel`` and ``.pdiparams`` files, without the suffix.
    """
    dynamic, scope = paddle.in_dynamic_mode(), paddle.static.Scope()
    paddle.enable_static()
    try:
        with paddle.static.scope_guard(scope):
            executor = paddle.static.Executor(paddle.CPUPlace())
            program, inputs, outputs = paddle.static.load_inference_model(str(prefix), executor)
            block = program.global_block()
            tensors = [v for v in block.vars.values() if v.persistable and v.type == VarDesc.VarType.DENSE_TENSOR]
            for parameter in tensors:
                if parameter.dtype == paddle.float32 and len(parameter.shape) > 1:
                    _store(parameter, block, scope)
            fed = [block.var(name) for name in inputs]
            paddle.static.save_inference_model(str(prefix), fed, outputs, executor, program=program)
    finally:
        if dynamic:
            paddle.disable_static()


def _store(parameter: Any, block: Any, scope: Any) -> None:
    """Store a filter [out, in, h, w] or a matrix [in, out] as int16, and make all its readers read the product."""
    tensor = scope.find_var(parameter.name).get_tensor()
    weights = np.array(tensor)
    # a step for each output channel: the first axis of a filter, the last of a matrix
    inner = tuple(range(1, weights.ndim)) if weights.ndim > 2 else 0
    steps = np.abs(weights).max(axis=inner, keepdims=True) / _LARGEST
    steps[steps == 0] = 1

    names = {name: f"{parameter.name}.{name}" for name in ("steps", "whole", "product")}
    step = block.create_var(name=names["steps"], dtype="float32", shape=steps.shape, persistable=True)
    whole = block.create_var(name=names["whole"], dtype="float32", shape=weights.shape)
    product = block.create_var(name=names["product"], dtype="float32", shape=weights.shape)
    for operator in block.ops:
        if parameter.name in operator.input_arg_names:
            operator._rename_input(parameter.name, product.name)
    parameter.desc.set_dtype(VarDesc.VarType.INT16)
    types = {"in_dtype": VarDesc.VarType.INT16, "out_dtype": VarDesc.VarType.FP32}
    block._insert_op(0, type="cast", inputs={"X": [parameter]}, outputs={"Out": [whole]}, attrs=types)
    factors = {"X": [whole], "Y": [step]}
    block._insert_op(1, type="elementwise_mul", inputs=factors, outputs={"Out": [product]}, attrs={"axis": -1})

    tensor.set(np.rint(weights / steps).astype(np.int16), paddle.CPUPlace())
    scope.var(step.name).get_tensor().set(steps, paddle.CPUPlace())
