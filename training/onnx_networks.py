"""ONNX networks, as teachers and to compare a model with; only they need onnxruntime."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tracker.errors import ModelError

REID_INPUT = (1, 256, 128, 3)  # a crop: height, width, BGR 0 to 255


class OnnxNetwork:
    """A network with one image-like input, on the processor.

    Args:
        path: The .onnx file.
        threads: Processor threads.

    Attributes:
        shape: Shape of the input.

    Raises:
        ModelError: onnxruntime is missing, or the file does not hold a network with a single input of fixed shape.
    """

    def __init__(self, path: Path, threads: int) -> None:
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as errors
        except ImportError as error:
            raise ModelError(
                "an ONNX file needs onnxruntime, which is not installed: pip install 'onnxruntime<1.24'"
            ) from error
        if not path.is_file():
            raise ModelError(f"there is no ONNX file {path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # threads would keep spinning after a run, and slow down what is measured next
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except (errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf) as error:
            raise ModelError(f"{path} cannot be loaded by onnxruntime: {str(error).splitlines()[0]}") from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or not all(isinstance(side, int) for side in inputs[0].shape):
            raise ModelError(f"{path} must have one input of fixed shape, not {[item.shape for item in inputs]}")
        self._input, self.shape = inputs[0].name, tuple(inputs[0].shape)

    def __call__(self, blob: np.ndarray) -> np.ndarray:
        """Run the network on a float32 array of ``shape``, and return its first output."""
        return self._session.run(None, {self._input: blob})[0]


class ReidNetwork(OnnxNetwork):
    """A network from the crop of one person, [1, 256, 128, 3] BGR 0 to 255, to an embedding [1, D].

    Args:
        path: The .onnx file.
        threads: Processor threads.

    Attributes:
        dimension: Length D of an embedding.

    Raises:
        ModelError: onnxruntime is missing, or the file does not hold such a network.
    """

    def __init__(self, path: Path, threads: int) -> None:
        super().__init__(path, threads)
        if self.shape != REID_INPUT:
            raise ModelError(f"{path} must take crops {list(REID_INPUT)}, not {list(self.shape)}")
        self.dimension = self(np.zeros(self.shape, np.float32)).size

    def embed(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Embed boxes, in one forward pass each.

        Args:
            image: [H, W, 3] uint8 BGR.
            boxes: [N, 4] left, top, right, bottom in pixels; parts beyond the image are cut off.

        Returns:
            [N, D] float32, L2-normalised.
        """
        height, width = image.shape[:2]
        rows = []
        for left, top, right, bottom in np.rint(boxes).astype(int):
            # at least one pixel of any box
            left, top = np.clip([left, top], 0, [width - 1, height - 1])
            crop = image[top : max(bottom, top + 1), left : max(right, left + 1)]
            crop = cv2.resize(crop, (REID_INPUT[2], REID_INPUT[1]))
            rows.append(self(crop[None].astype(np.float32)).ravel())
        embeddings = np.array(rows, np.float32).reshape(len(rows), -1)
        return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
