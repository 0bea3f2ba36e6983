"""What the machine is and can do: its processor, and its rate of single-precision matrix products."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tracker.detection.backends.network import default_threads

SIZE = 2048  # rows and columns of the matrices: large enough that a core has its own part to keep in its cache


def processor() -> str:
    """The processor's name, as Linux tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def load() -> float:
    """Processes that wanted to run during the last minute, on average; nothing should before a measurement."""
    return os.getloadavg()[0]


def matrix_products(threads: int, size: int = SIZE) -> tuple[dict[str, Callable[[], object]], float]:
    """Ways to multiply two float32 matrices: what a forward pass, nearly all matrix products, could at best reach.

    Args:
        threads: of those libraries that let themselves be told; the others take all cores, and are left out for less.
        size: rows and columns of both matrices.

    Returns:
        A product by name of the library, and the floating-point operations of one.
    """
    random = np.random.default_rng(0)
    left, right = (random.normal(size=(size, size)).astype(np.float32) for _ in range(2))
    products: dict[str, Callable[[], object]] = {}
    if importlib.util.find_spec("openvino"):
        products["openvino (oneDNN)"] = _openvino_product(left, right, threads)
    if threads == default_threads() or not products:
        products["numpy (OpenBLAS)"] = lambda: left @ right
    return products, 2.0 * size**3


def _openvino_product(left: np.ndarray, right: np.ndarray, threads: int) -> Callable[[], object]:
    import openvino
    from openvino import opset13

    from tracker.detection.backends.openvino_network import (
        openvino_core,  # a process must not have a second one, see there
    )

    port = opset13.parameter(left.shape, np.float32)
    # a constant, which the library may lay out beforehand, as weights are
    model = openvino.Model([opset13.matmul(port, opset13.constant(right), False, False)], [port])
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    compiled = openvino_core().compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda: request.infer([left], share_inputs=True)
