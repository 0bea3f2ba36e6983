"""Hiding people in a picture: heads or whole bodies in coarse blocks, or in one colour."""

from __future__ import annotations

import cv2
import numpy as np

HOW = ("head", "body", "solid")  # what is hidden, and how
HEAD = 0.25  # of the height of a box, from its upper side, is the head
# What is hidden reaches beyond the box or its head, for boxes tremble: upwards and downwards by these shares of the
# height of the box, and it is wider by a factor. Chosen on PETS09-S2L1: with 0.05, 0.05 and 1.2 a tenth of the heads
# shows in part, with these none of anybody who is detected.
ABOVE, BELOW = 0.2, 0.1
WIDER = {"head": 1.6, "body": 1.4, "solid": 1.4}
BLOCKS = 8  # across what is hidden, and as many from top to bottom
LEAST_BLOCK = 4  # pixels; of somebody small there are fewer blocks
COLOR = (114, 114, 114)  # of `solid`


def hide(image: np.ndarray, boxes: np.ndarray, how: str) -> np.ndarray:
    """Hide people in a picture.

    Whatever is hidden is made of the picture as given, also where several overlap: nothing of it is left but the means
    of blocks, at most 8 x 8 a person, or for `solid` nothing at all.

    Args:
        image: [H, W, 3] uint8 BGR, left unchanged.
        boxes: [N, 4] left, top, width, height of the people, pixels of the image; what lies outside is cut off.
        how: one of `HOW`: ``head``, an ellipse around the upper quarter of the box, in blocks; ``body``, the whole
            box, in blocks; ``solid``, the whole box, in one colour. All of them with a margin.

    Returns:
        [H, W, 3] uint8 BGR, a new array.
    """
    canvas = np.array(image, order="C")
    for region in regions(boxes, how):
        _hide(canvas, image, region, how)
    return canvas


def regions(boxes: np.ndarray, how: str) -> np.ndarray:
    """Return [N, 4] left, top, right, bottom of what is hidden of each of the boxes [N, 4] left, top, width, height.

    Boxes that are not finite or have no area are left out. Of a head it is the rectangle around the ellipse.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    boxes = boxes[np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1)]
    left, top, width, height = boxes.T
    end = top + height * ((HEAD if how == "head" else 1) + BELOW)
    middle, half = left + width / 2, WIDER[how] / 2 * width
    return np.stack([middle - half, top - ABOVE * height, middle + half, end], axis=1)


def covered(shape: tuple[int, int], boxes: np.ndarray, how: str) -> np.ndarray:
    """Return [H, W] bool: where `hide` hides something in a picture of that height and width."""
    mask = np.zeros(shape, np.uint8)
    for region in regions(boxes, how):
        place = _pixels(region, shape)
        if place:
            mask[place] |= _shape(region, place, how)
    return mask.astype(bool)


def _pixels(region: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Return the rows and columns of a picture that a region touches; None if it lies outside."""
    height, width = shape[:2]
    left, top = np.floor(np.clip(region[:2], 0, (width, height))).astype(int).tolist()
    right, bottom = np.ceil(np.clip(region[2:], 0, (width, height))).astype(int).tolist()
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None


def _shape(region: np.ndarray, place: tuple[slice, slice], how: str) -> np.ndarray:
    """Return [h, w] uint8, 1 where a pixel of a place belongs to a region: to its ellipse, or everywhere."""
    rows, columns = place
    if how != "head":
        return np.ones((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    left, top, right, bottom = region
    x = (np.arange(columns.start, columns.stop) + 0.5 - (left + right) / 2) / ((right - left) / 2)
    y = (np.arange(rows.start, rows.stop) + 0.5 - (top + bottom) / 2) / ((bottom - top) / 2)
    return (x**2 + y[:, None] ** 2 <= 1).astype(np.uint8)


def _hide(canvas: np.ndarray, image: np.ndarray, region: np.ndarray, how: str) -> None:
    place = _pixels(region, image.shape)
    if place is None:
        return
    if how == "solid":
        canvas[place] = COLOR
        return
    part = image[place]
    height, width = part.shape[:2]
    blocks = [max(1, min(BLOCKS, side // LEAST_BLOCK)) for side in (width, height)]
    coarse = cv2.resize(part, blocks, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    cv2.copyTo(coarse, _shape(region, place, how), canvas[place])
