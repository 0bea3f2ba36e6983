"""Decoded pictures as arrays: in BGR, and the way a player shows them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

# Matrices between YUV and RGB that FFmpeg's conversion knows, by their numbers in H.273; 0 is RGB, 2 not stated.
_KNOWN_MATRICES = frozenset({0, 1, 2, 4, 5, 6, 7, 9})
_BT601, _BT2020, _BT2020_CONSTANT_LUMINANCE = 5, 9, 10


class Upright:
    """Converts the pictures of one input to BGR, turned and mirrored the way a player shows them.

    What converts one picture converts the next, which saves the threads that FFmpeg starts for each. The turn is looked
    up anew only where it, or the size, is another: PyAV's side data refer to their picture, so that every picture whose
    side data were looked at stays in memory until Python collects circles.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._known: tuple[int, int, int] | None = None
        self._orientation = False, False, False

    def convert(self, picture: av.VideoFrame, aspect: Fraction | None = None) -> tuple[np.ndarray, Fraction]:
        """Convert a picture.

        Args:
            picture: as it was decoded.
            aspect: width of a stored pixel over its height; None or 0 for not stated, which counts as square.

        Returns:
            The picture [H, W, 3] uint8, BGR, and the width of its pixels over their height.

        Raises:
            av.error.FFmpegError: it cannot be converted.
            ValueError: likewise.
        """
        if picture.colorspace not in _KNOWN_MATRICES:
            # FFmpeg refuses these since version 8; before, and in other players, they are shown by the nearest one.
            picture.colorspace = _BT2020 if picture.colorspace == _BT2020_CONSTANT_LUMINANCE else _BT601
        image = self._reformatter.reformat(picture, format="bgr24").to_ndarray()
        aspect = aspect if aspect and aspect > 0 else Fraction(1)
        seen = picture.width, picture.height, round(picture.rotation)
        if seen != self._known:
            self._known, self._orientation = seen, _orientation(picture)
        transposed, mirrored, upside_down = self._orientation
        if transposed:
            image, aspect = image.transpose(1, 0, 2), 1 / aspect
        return np.ascontiguousarray(image[:: -1 if upside_down else 1, :: -1 if mirrored else 1]), aspect


def _orientation(picture: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return whether to swap the axes of a picture, and then whether to mirror it and to turn it upside down."""
    try:
        data: Any = picture.side_data  # declared as a mere dictionary
    except ValueError:
        # PyAV does not know all kinds of side data, as EXIF; the turn it tells all the same, counterclockwise.
        turns = round(picture.rotation / 90) % 4
        return turns % 2 == 1, turns >= 2, turns in (1, 2)
    matrix = next((item for item in data if item.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return False, False, False
    # x' = a x + c y, y' = b x + d y with y downwards; turns by other than quarters go to the nearest.
    a, b, _, c, d = (int(value) for value in np.frombuffer(memoryview(matrix), np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0
