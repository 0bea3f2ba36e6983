"""Pictures of another size brought to that of the video."""

import cv2
import numpy as np


def fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Letterbox a picture into a size, then make its sides even, as yuv420p demands (2x2 is x264's least).

    Args:
        image: [H, W, 3] uint8.
        size: height and width in pixels.

    Returns:
        [H', W', 3] uint8, contiguous; H' and W' are those of the size, or one more where they are odd.
    """
    height, width = size
    if image.shape[:2] != size:
        scale = min(height / image.shape[0], width / image.shape[1])
        inner = [max(1, round(side * scale)) for side in image.shape[:2]]
        image = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        bottom, right = height - inner[0] - top, width - inner[1] - left
        image = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT)
    if height % 2 or width % 2:  # repeated, not black: a dark line at the edge would show
        image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(image)
