"""Motion of the camera between frames, from sparse optical flow of the background.

For camera-motion compensation as in BoT-SORT (Aharon et al., "BoT-SORT: Robust Associations Multi-Pedestrian
Tracking", 2022, section 3.2). Corners of the background (Shi and Tomasi, "Good features to track", 1994) are followed
by the pyramidal method of Lucas and Kanade (Bouguet, 2000), and RANSAC (Fischler and Bolles, 1981) fits a similarity
to them. Unlike there, a camera that stands still is recognised, and the flow is measured against a kept frame.

All lengths of this file are pixels of the shrunk picture on which the flow is computed, unless said otherwise.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

_AREA = 384 * 216  # of the shrunk picture, at most: what follows the shrinking costs the same at any resolution

_CELL = 20  # the strongest corner of each cell is followed, which spreads them over the whole picture
_MIN_CONTRAST = 6 / 255  # of a corner in its weaker direction, as a share of white; below lie noise and block artefacts
_WINDOW = (11, 11)  # matched around a corner
_LEVELS = 3  # of the pyramid above the picture
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.01)

_TOLERANCE = 1.5  # between a corner and where the similarity puts it: parallax in a street takes that much
_MIN_CORNERS = 12  # that agree
_MIN_SHARE = 0.4  # of the corners followed that agree; fewer may be a few things that move alike
_MAX_CHANGE = 0.2  # |z - 1| of the similarity's complex factor z: a zoom by 20 % or a turn by 11 degrees in one frame

_STILL = 0.25  # shorter motion does not count; over the fixed camera of PETS09-S2L1 the fit is off by 0.04 at most
_MIN_RESTING = 0.25  # of the corners followed: so many can be background in a crowd, see `_is_still`
_SAMPLE = 4  # while the camera stands still, every fourth corner tells that it still does


class CameraMotion:
    """Follows the background of one sequence, a frame at a time; all state is in the instance.

    The flow is measured against a reference frame, which is kept while the camera stands still. So the motion of a
    camera that creeps adds up until it counts, and is then reported as a whole, but noise does not add up. The
    present frame becomes the reference when the camera has moved or the reference cannot be found in the picture.
    """

    def __init__(self) -> None:
        self._size = (0, 0)  # height and width of the frames
        self._reference = np.empty((0, 0), np.uint8)  # [h, w] grey, shrunk
        self._corners = np.empty((0, 2), np.float32)  # [P, 2] x, y in the reference
        self._still = False  # at the last frame

    def estimate(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray | None:
        """Estimate the motion of the background since the frame before.

        Args:
            image: [H, W, 3] uint8 BGR.
            boxes: [N, 4] left, top, right, bottom of the people in its pixels, where no background is. What lies
                outside the image is cut off; boxes that are not finite are left out.

        Returns:
            [2, 3] float64 affine that maps pixels of the frame before to pixels of this one, with the origin of boxes:
            0 is the left or top edge of the image. None while the camera stands still, at the first frame, and where
            the motion cannot be told: no texture, a cut, too few corners that agree. Motion too small to count at one
            frame is part of what is returned later.
        """
        picture, scale = _shrink(image)
        background = _background(picture, np.asarray(boxes, np.float64).reshape(-1, 4) / np.tile(scale, 2))
        size = image.shape[0], image.shape[1]
        if self._size != size:
            self._size = size
            self._start(picture, background)
            return None
        if self._still and self._sample_is_still(picture, background):
            return None
        before, now = _follow(self._reference, picture, self._corners, background)
        motion = _fit_similarity(before, now)
        self._still = motion is not None and _is_still(motion, before, now)
        if self._still:
            return None
        self._start(picture, background)
        return None if motion is None else _to_image(motion, scale)

    def _start(self, picture: np.ndarray, background: np.ndarray) -> None:
        self._reference, self._corners = picture, _find_corners(picture, background)

    def _sample_is_still(self, picture: np.ndarray, background: np.ndarray) -> bool:
        """Whether a few corners suffice to tell that the camera still stands still; False if they leave doubt."""
        sample = self._corners[::_SAMPLE]
        before, now = _follow(self._reference, picture, sample, background)
        return len(before) >= _MIN_CORNERS and bool(np.median(np.linalg.norm(now - before, axis=1)) < _STILL)


def _shrink(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grey picture [h, w] uint8 of at most `_AREA`, and [2] pixels of the image per pixel of it along x and y."""
    height, width = image.shape[:2]
    ratio = min(1.0, math.sqrt(_AREA / (height * width)))
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    # Linear reads four pixels for each one it makes, which is all the smoothing that corners need; the mean over all
    # pixels, and grey before shrinking, take several times as long.
    picture = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2GRAY)
    return picture, np.array([width / size[0], height / size[1]])


def _background(picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return [h, w] bool, False inside the boxes [N, 4] left, top, right, bottom."""
    height, width = picture.shape
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    boxes = np.clip(boxes, 0, [width, height, width, height])
    background = np.ones((height, width), bool)
    first, last = np.floor(boxes[:, :2]).astype(int), np.ceil(boxes[:, 2:]).astype(int)
    for (left, top), (right, bottom) in zip(first.tolist(), last.tolist()):
        background[top:bottom, left:right] = False
    return background


def _find_corners(picture: np.ndarray, background: np.ndarray) -> np.ndarray:
    """[P, 2] float32 x, y: the corner of the background with the largest smaller eigenvalue in each cell."""
    # OpenCV scales the eigenvalue so that its root is the contrast of the corner as a share of white.
    strength = cv2.cornerMinEigenVal(picture, blockSize=3)
    strength *= background
    rows, columns = picture.shape[0] // _CELL, picture.shape[1] // _CELL
    cells = strength[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    cells = cells.swapaxes(1, 2).reshape(rows * columns, _CELL * _CELL)
    best = cells.argmax(axis=1)
    cell = np.flatnonzero(cells[np.arange(len(cells)), best] >= _MIN_CONTRAST**2)
    x = cell % columns * _CELL + best[cell] % _CELL
    y = cell // columns * _CELL + best[cell] // _CELL
    return np.stack([x, y], axis=1).astype(np.float32)


def _follow(
    reference: np.ndarray, picture: np.ndarray, corners: np.ndarray, background: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Corners [P, 2] of the reference in the picture: [Q, 2] before and now, of those found on the background."""
    if len(corners) == 0:
        return corners, corners
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        reference, picture, corners[:, None], None, winSize=_WINDOW, maxLevel=_LEVELS, criteria=_STOP
    )
    moved = moved[:, 0]
    height, width = picture.shape
    column, row = np.rint(moved).astype(int).T
    kept = (status[:, 0] == 1) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    kept[kept] = background[row[kept], column[kept]]  # not where people have walked meanwhile
    return corners[kept], moved[kept]


def _fit_similarity(before: np.ndarray, now: np.ndarray) -> np.ndarray | None:
    """[2, 3] that maps most corners [Q, 2] of before to now; None if there is no such motion or no camera moves so."""
    if len(before) < _MIN_CORNERS:
        return None
    # OpenCV's RANSAC starts from the same seed at every call, so results can be repeated.
    motion, agreeing = cv2.estimateAffinePartial2D(before, now, ransacReprojThreshold=_TOLERANCE)
    if motion is None or agreeing.sum() < max(_MIN_CORNERS, _MIN_SHARE * len(before)):
        return None
    if math.hypot(motion[0, 0] - 1, motion[1, 0]) > _MAX_CHANGE:
        return None
    return motion


def _is_still(motion: np.ndarray, before: np.ndarray, now: np.ndarray) -> bool:
    """Whether corners [Q, 2] hardly move by the similarity, or standing still explains more of them than it does."""
    fitted = before @ motion[:, :2].T + motion[:, 2]
    if np.square(fitted - before).sum(axis=1).mean() < _STILL**2:
        return True
    # A crowd that is not masked bends the fit by more than that. It then runs between the background and the crowd and
    # meets few corners of either, while those of the background are where they were.
    resting = np.linalg.norm(now - before, axis=1) < _STILL
    explained = np.linalg.norm(now - fitted, axis=1) < _STILL
    return bool(resting.mean() >= max(_MIN_RESTING, explained.mean()))


def _to_image(motion: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """From pixels of the shrunk picture, 0 at the centre of its first, to pixels of the image, 0 at its edge."""
    linear, shift = motion[:, :2], motion[:, 2]
    shift = shift + 0.5 - linear @ [0.5, 0.5]
    return np.column_stack([linear * scale[:, None] / scale, shift * scale])
