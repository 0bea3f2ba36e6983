"""Crops of boxes, as inputs of an embedding graph."""

from __future__ import annotations

import cv2
import numpy as np


def read_crops(image: np.ndarray, boxes: np.ndarray, grid: tuple[int, int], color: str = "BGR") -> np.ndarray:
    """Crop boxes and resize the crops to one size: by area averaging, or bilinearly where a crop is smaller than that.

    Args:
        image: [H, W, 3] uint8 BGR.
        boxes: [K, 4] left, top, right, bottom in pixels. They are rounded to whole pixels and clipped to the image, and
            at least one pixel of each is kept.
        grid: rows and columns of a crop.
        color: ``BGR`` or ``RGB``, order of the channels in a row.

    Returns:
        [K, 3 * rows * columns] float32: channel by channel, row by row.
    """
    height, width = image.shape[:2]
    crops = np.empty((len(boxes), *grid, 3), np.uint8)
    # clipped first, for a coordinate may exceed the range of int64
    low = np.rint(boxes[:, :2].clip(0, [width - 1, height - 1])).astype(np.int64)
    high = np.maximum(np.rint(boxes[:, 2:].clip(0, [width, height])).astype(np.int64), low + 1)
    for (left, top), (right, bottom), crop in zip(low.tolist(), high.tolist(), crops):
        large = bottom - top >= grid[0] and right - left >= grid[1]
        size, how = (grid[1], grid[0]), cv2.INTER_AREA if large else cv2.INTER_LINEAR
        cv2.resize(image[top:bottom, left:right], size, crop, interpolation=how)
    if color == "RGB":
        crops = crops[..., ::-1]
    return crops.transpose(0, 3, 1, 2).astype(np.float32).reshape(len(boxes), 3 * grid[0] * grid[1])
