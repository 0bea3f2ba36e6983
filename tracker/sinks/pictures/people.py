"""One best picture of every person: large, sharp, whole and alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...boxes import intersection, ltwh_to_ltrb
from .view import remove_pictures, write_jpeg

MARGIN = 0.1  # of the box, on every side
FULL_HEIGHT = 128  # pixels: who is taller is large enough
CUT_OFF = 0.2  # factor of the quality of somebody whom the border cuts off
TRIAL = 250  # milliseconds at least from one look at somebody to the next
FORGET = 3000  # milliseconds out of sight after which a picture is written, and its memory freed
_SHARP = 200.0  # variance of the Laplacian, at a height of `_SHARP_HEIGHT`, of a picture that is sharp enough
_SHARP_HEIGHT = 96


@dataclass
class _Best:
    """The best picture so far of somebody in sight.

    Attributes:
        quality: 0 to 1.
        picture: [H, W, 3] uint8; None once it is written.
        tried: when the person was looked at last, milliseconds.
        seen: when they were seen last.
    """

    quality: float
    picture: np.ndarray | None
    tried: float
    seen: float


class BestPictures:
    """Keeps the best picture of everybody in sight, and writes it once they are gone.

    The quality is the product of the score, the height up to `FULL_HEIGHT`, the part of the box that no other covers,
    and the sharpness; the border cutting somebody off takes four fifths of it. One picture is in memory for each
    person in sight, and a number for everybody else.

    Args:
        folder: of the pictures, ``ID.jpg``; older ones in it are removed.

    Raises:
        OutputError: while updating or closing too: a picture cannot be written or removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._best: dict[int, _Best] = {}
        self._written: dict[int, float] = {}  # quality by identity
        remove_pictures(folder)

    def path(self, identity: int) -> str | None:
        """Return where the picture of somebody is or will be, relative to the answers; None without one."""
        known = identity in self._best or identity in self._written
        return f"{self.folder.name}/{identity}.jpg" if known else None

    def update(self, image: np.ndarray, now: float, ids: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> None:
        """Look at the people of a frame.

        Args:
            image: [H, W, 3] uint8 BGR.
            now: time of the frame, milliseconds.
            ids: [N] identities.
            boxes: [N, 4] left, top, width, height, pixels.
            scores: [N].
        """
        height, width = image.shape[:2]
        for identity, box, most in zip(ids.tolist(), boxes, self._qualities(boxes, scores, width, height)):
            best = self._best.get(identity)
            if best:
                best.seen = now
                if most <= best.quality or now - best.tried < TRIAL:
                    continue
            else:
                most_before = self._written.get(identity, -1.0)
                best = _Best(most_before, None, -np.inf, now)
            area = _cut_out(image, box)
            if area is None:
                continue
            self._best[identity] = best
            best.tried = now
            quality = most * _sharpness(area)
            if quality > best.quality:
                best.quality, best.picture = quality, area.copy()
        for identity in [identity for identity, best in self._best.items() if now - best.seen > FORGET]:
            self._write(identity)

    def close(self) -> None:
        """Write the pictures of those still in sight."""
        for identity in list(self._best):
            self._write(identity)

    def _write(self, identity: int) -> None:
        best = self._best.pop(identity)
        self._written[identity] = best.quality
        if best.picture is not None:
            write_jpeg(self.folder / f"{identity}.jpg", best.picture, 90)

    @staticmethod
    def _qualities(boxes: np.ndarray, scores: np.ndarray, width: int, height: int) -> list[float]:
        """Return the quality of each picture if it were quite sharp."""
        corners = ltwh_to_ltrb(boxes)
        area = np.maximum(boxes[:, 2] * boxes[:, 3], 1e-9)
        shared = intersection(corners[:, None], corners) / area[:, None]
        np.fill_diagonal(shared, 0)
        whole = (corners[:, :2] > 0).all(1) & (corners[:, 2] < width) & (corners[:, 3] < height)
        quality = scores * np.minimum(1, boxes[:, 3] / FULL_HEIGHT) * (1 - shared.max(axis=1, initial=0))
        return (quality * np.where(whole, 1, CUT_OFF)).tolist()


def _cut_out(image: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """Return the part of a picture that shows a box and its margin, a view; None if nothing of it is inside."""
    left, top, width, height = box
    x, y = np.rint([left - MARGIN * width, left + (1 + MARGIN) * width]), np.rint([top, top + height])
    y += np.rint([-MARGIN * height, MARGIN * height])
    (x0, x1), (y0, y1) = np.clip(x, 0, image.shape[1]).astype(int), np.clip(y, 0, image.shape[0]).astype(int)
    return image[y0:y1, x0:x1] if x1 > x0 and y1 > y0 else None


def _sharpness(picture: np.ndarray) -> float:
    """Return how sharp a picture is, 0 to 1, whatever its size."""
    import cv2

    height, width = picture.shape[:2]
    size = (max(1, round(width * _SHARP_HEIGHT / height)), _SHARP_HEIGHT)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if height > _SHARP_HEIGHT else cv2.INTER_LINEAR)
    spread = float(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), cv2.CV_32F).var())
    return min(1.0, spread / _SHARP)
