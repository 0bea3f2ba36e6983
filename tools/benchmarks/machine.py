"""The machine: its processor, its load, and its rate of single-precision matrix products."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import numpy as np

from tracker.detection.backends.network import thread_count
from tracker.sinks.records.run_file import processor as processor

SIZE = 2048  # rows and columns of the matrices, large enough to keep every core busy out of its cache


def load() -> float:
    """Return the load average of the last minute, which should be near 0 before a measurement."""
    return os.getloadavg()[0]


def matrix_products(threads: int, size: int = SIZE) -> tuple[dict[str, Callable[[], object]], float]:
    """Prepare products of two float32 matrices: the upper limit of a forward pass, which is nearly all such products.

    Args:
        threads: number of threads; a library that always takes all cores is left out where they are fewer.
        size: rows and columns of both matrices.

    Returns:
        Functions that compute the product, by name of the library, and the floating-point operations of one product.
    """
    random = np.random.default_rng(0)
    left, right = (random.normal(size=(size, size)).astype(np.float32) for _ in range(2))
    products: dict[str, Callable[[], object]] = {}
    if importlib.util.find_spec("openvino"):
        products["openvino (oneDNN)"] = _openvino_product(left, right, threads)
    if threads == thread_count(None) or not products:
        products["numpy (OpenBLAS)"] = lambda: left @ right
    return products, 2.0 * size**3


def _openvino_product(left: np.ndarray, right: np.ndarray, threads: int) -> Callable[[], object]:
    from tracker.detection.backends.openvino_network import openvino_core

    core = openvino_core()  # imports it
    import openvino
    from openvino import opset13

    port = opset13.parameter(left.shape, np.float32)
    # a constant, whose memory layout the library may choose beforehand, as it does for weights
    model = openvino.Model([opset13.matmul(port, opset13.constant(right), False, False)], [port])
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    # no core of its own: OpenVINO breaks the handling of signals where a process has two
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda: request.infer([left], share_inputs=True)
