"""A proof of every crossing: the person before, on and after the line, three small pictures side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .view import remove_pictures, write_jpeg

SIDE = 128  # pixels of a small picture
AROUND = 1.6  # of the box's height: what it shows
STEP = 200  # milliseconds at least from one small picture of somebody to the next
APART = 800  # milliseconds from one picture of a proof to the next
NEAR = 2.0  # of the box's height: who is farther from every line is not looked at
KEPT = 20  # small pictures of one person
_LINE, _FOOT, _BOX = (0, 220, 255), (60, 60, 255), (255, 255, 255)  # BGR
_GAP = 4  # pixels of white between two of them


@dataclass(frozen=True)
class Crossed:
    """A crossing to be proved.

    Attributes:
        number: of the proof, from 1.
        id: who crossed.
        line: name of the line.
        ms: when, milliseconds.
        x: where, pixels.
        y: likewise.
    """

    number: int
    id: int
    line: str
    ms: float
    x: float
    y: float


@dataclass(frozen=True)
class _Sample:
    """A small picture of somebody.

    Attributes:
        ms: when it was taken, milliseconds.
        picture: [SIDE, SIDE, 3] uint8.
        corner: x and y of its corner in the frame, pixels.
        scale: pixels of it in one of the frame.
        box: left, top, width, height in the frame.
    """

    ms: float
    picture: np.ndarray
    corner: np.ndarray
    scale: float
    box: np.ndarray

    @property
    def foot(self) -> np.ndarray:
        left, top, width, height = self.box
        return np.array([left + width / 2, top + height])


class ProofStrips:
    """Keeps a few small pictures of everybody near a line, and writes those of who crosses one.

    Args:
        folder: of the proofs, ``NUMBER.jpg``; older ones in it are removed.
        lines: [N, 2] points of each line by its name, pixels.
        memory: how long somebody out of sight is remembered, seconds.

    Raises:
        OutputError: while updating or closing too: a proof cannot be written or removed.
    """

    def __init__(self, folder: Path, lines: Mapping[str, np.ndarray], memory: float) -> None:
        self.folder = folder
        self._lines = dict(lines)
        self._memory = 1000 * memory + 2000
        self._samples: dict[int, list[_Sample]] = {}
        self._seen: dict[int, float] = {}
        self._pending: list[Crossed] = []
        if lines:
            self._starts = np.concatenate([points[:-1] for points in lines.values()])
            self._sides = np.concatenate([np.diff(points, axis=0) for points in lines.values()])
            self._squares = (self._sides**2).sum(axis=1)
        remove_pictures(folder)

    def update(self, image: np.ndarray, now: float, ids: np.ndarray, boxes: np.ndarray) -> None:
        """Look at the people of a frame.

        Args:
            image: [H, W, 3] uint8 BGR.
            now: time of the frame, milliseconds.
            ids: [N] identities.
            boxes: [N, 4] left, top, width, height, pixels.
        """
        if not self._lines:
            return
        near = self._distances(boxes) <= NEAR * boxes[:, 3]
        for identity, box in zip(ids[near].tolist(), boxes[near]):
            samples = self._samples.setdefault(identity, [])
            self._seen[identity] = now
            if not samples or now - samples[-1].ms >= STEP:
                samples.append(_sample(image, now, box))
                del samples[:-KEPT]
        while self._pending and now >= self._pending[0].ms + APART + STEP:
            self._write(self._pending.pop(0))
        waiting = {crossed.id for crossed in self._pending}
        for identity in [identity for identity, seen in self._seen.items() if now - seen > 2000]:
            if identity not in waiting:
                del self._samples[identity][:-1]
                if now - self._seen[identity] > self._memory:
                    del self._samples[identity], self._seen[identity]

    def add(self, crossed: Crossed) -> None:
        """Prove a crossing, as soon as the picture after it is there."""
        self._pending.append(crossed)

    def close(self) -> None:
        """Write the proofs that still wait for a picture."""
        while self._pending:
            self._write(self._pending.pop(0))

    def _distances(self, boxes: np.ndarray) -> np.ndarray:
        """Return how far the foot of each box is from the nearest line, [N] pixels."""
        feet = np.stack([boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3]], axis=1)
        way = feet[:, None] - self._starts
        along = (way * self._sides).sum(axis=2) / self._squares
        off = way - np.minimum(np.maximum(along, 0), 1)[..., None] * self._sides
        return np.sqrt((off * off).sum(axis=2).min(axis=1))

    def _write(self, crossed: Crossed) -> None:
        """Write the pictures on the line, and nearest to `APART` before and after that; white where there is none."""
        samples = self._samples.get(crossed.id, [])
        chosen: list[_Sample | None] = [None, None, None]
        if samples:
            place = np.array([crossed.x, crossed.y])
            near = [sample for sample in samples if sample.ms <= crossed.ms + STEP] or samples
            on = min(near[-8:], key=lambda sample: float(np.linalg.norm(sample.foot - place)))
            before = [sample for sample in samples if sample.ms < on.ms]
            after = [sample for sample in samples if sample.ms > on.ms]
            chosen = [_nearest(before, on.ms - APART), on, _nearest(after, on.ms + APART)]
        white = np.full((SIDE, _GAP, 3), 255, np.uint8)
        parts = [white]
        for sample in chosen:
            parts += [_marked(sample, self._lines[crossed.line]), white]
        write_jpeg(self.folder / f"{crossed.number}.jpg", np.concatenate(parts[1:-1], axis=1), 85)


def _nearest(samples: list[_Sample], ms: float) -> _Sample | None:
    return min(samples, key=lambda sample: abs(sample.ms - ms), default=None)


def _sample(image: np.ndarray, now: float, box: np.ndarray) -> _Sample:
    """Cut a square around somebody out of a frame, moved into it where it would reach beyond the border."""
    import cv2

    left, top, width, height = box.tolist()
    rows, columns = image.shape[:2]
    side = int(min(max(AROUND * max(width, height), 32), rows, columns)) // 2 * 2
    x = int(min(max(left + width / 2 - side / 2, 0), columns - side))
    y = int(min(max(top + height / 2 - side / 2, 0), rows - side))
    picture = image[y : y + side, x : x + side]
    # hardly to be told from INTER_AREA all the way, and several times as fast
    if side >= 4 * SIDE:
        picture = cv2.resize(picture, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_LINEAR)
    if side > 2 * SIDE:
        half = len(picture) // 2
        picture = cv2.resize(picture, (half, half), interpolation=cv2.INTER_AREA)
    picture = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return _Sample(now, picture, np.array([x, y]), SIDE / side, box.copy())


def _marked(sample: _Sample | None, line: np.ndarray) -> np.ndarray:
    """Return a small picture with the line, the box, and the foot that counts; grey for none."""
    import cv2

    if sample is None:
        return np.full((SIDE, SIDE, 3), 225, np.uint8)

    def place(points: np.ndarray) -> np.ndarray:
        fixed = np.rint((points - sample.corner) * sample.scale * 16)
        return np.clip(fixed, -(2**20), 2**20).astype(np.int32)

    picture = sample.picture.copy()
    left, top, width, height = sample.box
    corners = place(np.array([[left, top], [left + width, top + height]]))
    cv2.rectangle(picture, *map(tuple, corners.tolist()), _BOX, 1, cv2.LINE_AA, 4)
    cv2.polylines(picture, [place(line)], False, _LINE, 2, cv2.LINE_AA, 4)
    cv2.circle(picture, tuple(place(sample.foot).tolist()), 4 * 16, _FOOT, cv2.FILLED, cv2.LINE_AA, 4)
    return picture
