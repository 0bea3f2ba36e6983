"""A stronger network for what people look like: from the picture of a person to a vector."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...detection.backends.openvino_network import openvino_core
from ...errors import ModelError

_ENDINGS = (".onnx", ".xml")


class ReidNetwork:
    """A re-identification network that OpenVINO reads, fed pictures of people in BGR, 0 to 255.

    Networks that expect other values, as many ONNX exports do (RGB, mean and deviation of ImageNet taken off), must
    have that within their graph.

    Args:
        path: ``.onnx`` or ``.xml`` file; its input is one picture, [1, 3, H, W] or [1, H, W, 3].
        threads: processor threads; None for all cores.

    Attributes:
        name: of the file.

    Raises:
        ModelError: openvino is missing, or the file holds no such network.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.name = path.name
        if path.suffix.lower() not in _ENDINGS or not path.is_file():
            raise ModelError(f"a re-identification network must be a file {' or '.join(_ENDINGS)}, not {path}")
        try:
            core = openvino_core()
        except ImportError as error:
            raise ModelError("a re-identification network needs the package openvino: pip install openvino") from error
        try:
            options = {} if threads is None else {"INFERENCE_NUM_THREADS": threads}
            model = core.read_model(path)
            shape = [size.get_length() if size.is_static else 1 for size in model.input().partial_shape]
            self._channels_first = len(shape) == 4 and shape[1] == 3
            if len(shape) != 4 or 3 not in (shape[1], shape[3]) or min(shape[1:]) < 3:
                raise ModelError(f"{path} must take one picture, [1, 3, H, W] or [1, H, W, 3], not {shape}")
            model.reshape([1, *shape[1:]])
            self._size = (shape[3], shape[2]) if self._channels_first else (shape[2], shape[1])
            self._network = core.compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise ModelError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from error

    def embed(self, picture: np.ndarray) -> np.ndarray:
        """Return the vector [D] float32, L2-normalised, of a person.

        Args:
            picture: [H, W, 3] uint8 BGR, the person and little else.
        """
        import cv2

        pixels = cv2.resize(picture, self._size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
        if self._channels_first:
            pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        vector = np.asarray(self._network([pixels[None]])[0], np.float32).ravel()
        return vector / max(float(np.linalg.norm(vector)), 1e-12)
