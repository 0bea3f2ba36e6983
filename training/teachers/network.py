"""Networks in OpenVINO, as teachers and to compare a model with."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from tracker.detection.backends.network import BackendError
from tracker.detection.backends.openvino_import import import_openvino
from tracker.detection.backends.openvino_network import OPENVINO_ERRORS, OpenVINONetwork, openvino_core
from tracker.errors import ModelError
from tracker.models.download import file_digest


class TeacherNetwork:
    """A network with one image-like input, on the processor.

    Args:
        path: The ``.onnx`` file, or the ``.xml`` file of OpenVINO's format with its ``.bin`` beside it.
        threads: Processor threads.
        size: Height and width that the input gets, of an image [1, C, H, W]; None for those of the file.

    Attributes:
        path: The file.
        shape: Shape of the input.
        outputs: Names of the outputs, in their order.

    Raises:
        ModelError: openvino is missing, or the file does not hold a network with a single input of fixed shape.
    """

    def __init__(self, path: Path, threads: int, size: tuple[int, int] | None = None) -> None:
        try:
            import_openvino()
        except ImportError as error:
            raise BackendError(
                f"teachers need the package openvino: pip install '{OpenVINONetwork.requirement}'"
            ) from error
        if not path.is_file():
            raise ModelError(f"there is no network {path}")
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        try:
            model = openvino_core().read_model(path)
            shapes = [item.partial_shape for item in model.inputs]
            if len(shapes) != 1 or shapes[0].is_dynamic:
                raise ModelError(f"{path} must have one input of fixed shape, not {[str(shape) for shape in shapes]}")
            self.shape = tuple(shapes[0].to_shape())
            if size:
                self.shape = (*self.shape[:2], *size)
                model.reshape(list(self.shape))
            self._request = openvino_core().compile_model(model, "CPU", settings).create_infer_request()
        except OPENVINO_ERRORS as error:
            last = str(error).strip().splitlines()[-1:] or ["unknown reason"]
            raise ModelError(f"{path} cannot be loaded by openvino: {last[0]}") from error
        self.path = path
        self.outputs = [next(iter(sorted(output.get_names())), "") for output in model.outputs]

    def __call__(self, blob: np.ndarray) -> list[np.ndarray]:
        """Run the network on a float32 array of ``shape``, and return its outputs."""
        self._request.infer([blob])
        return [np.array(tensor.data) for tensor in self._request.output_tensors]


def network_digest(path: Path) -> str:
    """Return a digest of a network's file, and of the ``.bin`` beside an ``.xml``.

    Raises:
        ModelError: A file is missing.
    """
    files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    try:
        return hashlib.sha256("".join(map(file_digest, files)).encode()).hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror} ({error.filename})") from error
