"""The best pictures of every person: large, sharp, whole and alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...boxes import intersection, ltwh_to_ltrb
from ...errors import OutputError
from .view import remove_pictures, write_jpeg

MARGIN = 0.1  # of the box, on every side
FULL_HEIGHT = 128  # pixels: who is taller is large enough
CUT_OFF = 0.2  # factor of the quality of somebody whom the border cuts off
TRIAL = 250  # milliseconds at least from one look at somebody to the next
APART = 2000  # milliseconds at least between two pictures of somebody
FORGET = 3000  # milliseconds out of sight after which a picture is written, and its memory freed
_SHARP = 200.0  # variance of the Laplacian, at a height of `_SHARP_HEIGHT`, of a picture that is sharp enough
_SHARP_HEIGHT = 96


@dataclass
class _Shot:
    """A picture of somebody.

    Attributes:
        quality: 0 to 1.
        taken: milliseconds.
        picture: [H, W, 3] uint8; None once it is written.
        slot: number of its file, from 0.
    """

    quality: float
    taken: float
    picture: np.ndarray | None
    slot: int


@dataclass
class _Best:
    """The best pictures so far of somebody in sight.

    Attributes:
        seen: when they were seen last, milliseconds.
        tried: when they were looked at last.
        shots: the pictures.
    """

    seen: float
    tried: float = -np.inf
    shots: list[_Shot] = field(default_factory=list)


class BestPictures:
    """Keeps the best pictures of everybody in sight, and writes them once they are gone.

    The quality is the product of the score, the height up to `FULL_HEIGHT`, the part of the box that no other covers,
    and the sharpness; the border cutting somebody off takes four fifths of it. The pictures of each person in sight are
    in memory, and a few numbers for everybody else.

    Args:
        folder: of the pictures, ``ID.jpg``, the best, and ``ID-2.jpg`` and so on; older ones in it are removed.
        count: of pictures of a person. They are taken at least `APART` after one another.

    Raises:
        OutputError: while updating or closing too: a picture cannot be written or removed.
    """

    def __init__(self, folder: Path, count: int = 1) -> None:
        self.folder = folder
        self._count = count
        self._best: dict[int, _Best] = {}
        self._written: dict[int, list[_Shot]] = {}
        remove_pictures(folder)

    def path(self, identity: int) -> str | None:
        """Return where the best picture of somebody is or will be, relative to the answers; None without one."""
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
            best = self._best.get(identity) or _Best(now, shots=self._written.get(identity, []))
            best.seen = now
            rival = self._rival(best.shots, now)
            least = -1.0 if rival is None else rival.quality
            if identity in self._best and (most <= least or now - best.tried < TRIAL):
                continue
            area = _cut_out(image, box)
            if area is None:
                continue
            self._best[identity] = best
            best.tried = now
            quality = most * _sharpness(area)
            if quality > least:
                shot = _Shot(quality, now, area.copy(), len(best.shots) if rival is None else rival.slot)
                best.shots = [one for one in best.shots if one is not rival] + [shot]
        for identity in [identity for identity, best in self._best.items() if now - best.seen > FORGET]:
            self._write(identity)

    def close(self) -> None:
        """Write the pictures of those still in sight."""
        for identity in list(self._best):
            self._write(identity)

    def _rival(self, shots: list[_Shot], now: float) -> _Shot | None:
        """Return the picture that one taken now would replace; None while there is room for both."""
        near = [shot for shot in shots if now - shot.taken < APART]
        if near:
            return min(near, key=lambda shot: shot.quality)
        return min(shots, key=lambda shot: shot.quality) if len(shots) == self._count else None

    def _write(self, identity: int) -> None:
        """Write the new pictures of somebody, and see to it that the best is the first."""
        shots = self._best.pop(identity).shots
        self._written[identity] = shots
        for shot in shots:
            if shot.picture is not None:
                write_jpeg(self._file(identity, shot.slot), shot.picture, 90)
                shot.picture = None
        best, first = max(shots, key=lambda shot: shot.quality), next(shot for shot in shots if shot.slot == 0)
        if best is not first:
            old, new = self._file(identity, best.slot), self._file(identity, 0)
            aside = new.with_name(f".{new.name}.part")
            try:
                for source, target in ((new, aside), (old, new), (aside, old)):
                    source.replace(target)
            except OSError as error:
                raise OutputError(f"cannot write {new}: {error.strerror}; free some space") from error
            best.slot, first.slot = 0, best.slot

    def _file(self, identity: int, slot: int) -> Path:
        return self.folder / (f"{identity}-{slot + 1}.jpg" if slot else f"{identity}.jpg")

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
    left, top, width, height = box.tolist()
    rows, columns = image.shape[:2]
    x0, x1 = (min(max(round(x), 0), columns) for x in (left - MARGIN * width, left + (1 + MARGIN) * width))
    margin = round(MARGIN * height)
    y0, y1 = (min(max(round(y), 0), rows) for y in (round(top) - margin, round(top + height) + margin))
    return image[y0:y1, x0:x1] if x1 > x0 and y1 > y0 else None


def _sharpness(picture: np.ndarray) -> float:
    """Return how sharp a picture is, 0 to 1, whatever its size."""
    import cv2

    height, width = picture.shape[:2]
    size = (max(1, round(width * _SHARP_HEIGHT / height)), _SHARP_HEIGHT)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if height > _SHARP_HEIGHT else cv2.INTER_LINEAR)
    spread = float(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), cv2.CV_32F).var())
    return min(1.0, spread / _SHARP)
