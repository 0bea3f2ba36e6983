"""Person re-identification networks: from the crop of a person to an embedding."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tracker.errors import ModelError
from training.teachers.network import TeacherNetwork

CROP = (256, 128)  # height and width that the networks take
INPUTS = ((1, 3, *CROP), (1, *CROP, 3))


class ReidNetwork(TeacherNetwork):
    """A network from the crop of one person, 256x128 pixels BGR 0 to 255, to an embedding [1, D].

    Args:
        path: The ``.onnx`` or ``.xml`` file. Its input is [1, 3, 256, 128] or [1, 256, 128, 3].
        threads: Processor threads.

    Attributes:
        dimension: Length D of an embedding.

    Raises:
        ModelError: openvino is missing, or the file does not hold such a network.
    """

    def __init__(self, path: Path, threads: int) -> None:
        super().__init__(path, threads)
        if self.shape not in INPUTS:
            raise ModelError(f"{path} must take crops {list(INPUTS[0])} or {list(INPUTS[1])}, not {list(self.shape)}")
        self.dimension = self(np.zeros(self.shape, np.float32))[0].size

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
            crop = cv2.resize(crop, CROP[::-1]).astype(np.float32)
            if self.shape == INPUTS[0]:
                crop = np.ascontiguousarray(crop.transpose(2, 0, 1))
            rows.append(self(crop[None])[0].ravel())
        embeddings = np.array(rows, np.float32).reshape(len(rows), self.dimension)
        return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
