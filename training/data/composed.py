"""Made-up pictures: people cut out of a few pictures stand in perspective before pieces of the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import cv2
import numpy as np

from training.data.looks import change_clothes, change_picture

MOVING = 0.15  # probability of a clip's frame as background, and weight of a person from a clip: they are much alike
WHOLE = 0.5  # probability that one picture makes the background; otherwise it is a grid of parts
SMALLER = 0.25  # probability that such a picture need not fill the canvas
PAD = 114
EMPTY = 0.2  # probability of a canvas without pasted people
FEW = 0.45  # probability of a small group, of 1 to 8; crowds have 6 to 39
SMALL_GROUP, CROWD = (1, 9), (6, 40)
BESIDE = 0.5  # probability that somebody stands close to the one before, in front of or beside
LEAST_HEIGHT = 14.0  # pixels
ENLARGED = 3  # most that somebody is scaled up by, where there are others with more pixels
LEAST_SHOWN = (4, 3)  # rows and columns within the canvas


@dataclass(frozen=True)
class Cutout:
    """A person cut out of a picture.

    Attributes:
        image: [h, w, 3] uint8 BGR, the person from side to side and from head to foot.
        mask: [h, w] uint8, 255 where the person is.
        weight: How often the person is taken, against others.
    """

    image: np.ndarray = field(repr=False)
    mask: np.ndarray = field(repr=False)
    weight: float = 1.0


@dataclass(frozen=True)
class Material:
    """What pictures are composed of.

    Attributes:
        pictures: [H, W, 3] uint8 BGR each, for backgrounds and patterns.
        frames: Likewise, frames of clips; for backgrounds, and for patterns where there are no pictures.
        people: The people cut out of either.
    """

    pictures: Sequence[np.ndarray]
    frames: Sequence[np.ndarray]
    people: Sequence[Cutout]


@dataclass(frozen=True)
class Composed:
    """A made-up picture, and the people pasted into it.

    Attributes:
        image: [H, W, 3] uint8 BGR.
        boxes: [P, 4] float32, left, top, right, bottom in pixels: the whole person, hidden parts too, within the image.
        visible: [P] float32, the share of the person's outline that neither others nor the image's border hide.
    """

    image: np.ndarray
    boxes: np.ndarray
    visible: np.ndarray


def compose(material: Material, height: int, width: int, rng: np.random.Generator) -> Composed:
    """Make up a picture.

    Args:
        material: What it is made of: at least one picture or frame, and one person.
        height: Of the picture, in pixels.
        width: Likewise.
        rng: Random number generator.
    """
    canvas = _Canvas(_background(material, height, width, rng).astype(np.float32))
    if rng.random() >= EMPTY:
        _paste_crowd(canvas, material, rng)
    return Composed(change_picture(canvas.image, rng), *canvas.people())


class _Canvas:
    """A picture on which people are pasted, each before all earlier ones.

    Args:
        image: [H, W, 3] float32 BGR, the background; it is painted over.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self._owner = np.full(image.shape[:2], -1, np.int32)  # who is seen in a pixel
        self._boxes: list[list[int]] = []
        self._areas: list[int] = []

    def paste(self, image: np.ndarray, mask: np.ndarray, x: float, foot: float) -> None:
        """Paste a person, unless next to nothing of it lies within the canvas.

        Args:
            image: [h, w, 3] float32 BGR.
            mask: [h, w] float32, 1 where the person is.
            x: Middle of the person in pixels.
            foot: Row on which the person stands.
        """
        height, width = self._owner.shape
        rows, columns = np.flatnonzero(mask.max(axis=1) > 0.5), np.flatnonzero(mask.max(axis=0) > 0.5)
        if not len(rows) or not len(columns):
            return
        top, left = int(foot) - int(rows[-1]), int(x - mask.shape[1] / 2)
        first, last = max(top, 0), min(top + mask.shape[0], height)
        begin, end = max(left, 0), min(left + mask.shape[1], width)
        box = [max(left + columns[0], 0), max(top + rows[0], 0)]
        box += [min(left + columns[-1] + 1, width), min(top + rows[-1] + 1, height)]
        if box[3] - box[1] < LEAST_SHOWN[0] or box[2] - box[0] < LEAST_SHOWN[1]:
            return
        there = np.s_[first:last, begin:end]
        part = np.s_[first - top : last - top, begin - left : end - left]
        share = mask[part][..., None]
        self.image[there] = self.image[there] * (1 - share) + image[part] * share
        self._owner[there][mask[part] > 0.5] = len(self._boxes)
        self._boxes.append(box)
        self._areas.append(int((mask > 0.5).sum()))

    def people(self) -> tuple[np.ndarray, np.ndarray]:
        """Return their boxes and how much of each is seen, as in `Composed`."""
        seen = np.bincount(self._owner[self._owner >= 0], minlength=len(self._boxes))
        boxes = np.array(self._boxes, np.float32).reshape(-1, 4)
        return boxes, (seen / np.maximum(self._areas, 1)).astype(np.float32)


def _paste_crowd(canvas: _Canvas, material: Material, rng: np.random.Generator) -> None:
    """Paste people with their feet below a horizon, the taller the farther from it, beginning with the farthest."""
    height, width = canvas.image.shape[:2]
    count = int(rng.integers(*(SMALL_GROUP if rng.random() < FEW else CROWD)))
    horizon = rng.uniform(-0.1, 0.5) * height
    nearest = np.exp(rng.uniform(np.log(0.12), np.log(1.1))) * height  # how tall somebody at the lower border is
    if rng.random() < 0.8:
        feet = horizon + (height * 1.15 - horizon) * rng.beta(1.1, 1.1, count)
    else:
        feet = rng.uniform(0.2 * height, 1.1 * height, count)
    weights = np.array([person.weight for person in material.people])
    pixels = np.array([len(person.mask) for person in material.people])
    before: tuple[float, float] | None = None  # x and height of the one pasted last
    for foot in np.sort(feet):
        if rng.random() < 0.9:
            tall = nearest * max((foot - horizon) / (height - horizon), 0.02) * np.exp(rng.normal(0, 0.12))
        else:  # a child, or somebody on another floor
            tall = nearest * rng.uniform(0.2, 1)
        tall = float(np.clip(tall, LEAST_HEIGHT, 1.3 * height))
        if before is not None and rng.random() < BESIDE:
            x = before[0] + rng.choice([-1, 1]) * rng.uniform(0.15, 0.8) * 0.38 * max(tall, before[1])
        else:
            x = rng.uniform(-0.02, 1.02) * width
        before = (x, tall)
        odds = weights * (pixels * ENLARGED >= min(tall, pixels.max() * ENLARGED))
        person = material.people[rng.choice(len(odds), p=odds / odds.sum())]
        canvas.paste(*_dressed(person, tall, material, rng), x, foot)


def _dressed(
    person: Cutout, tall: float, material: Material, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return image and mask of somebody in other clothes, mirrored half of the time, and of a height in pixels."""
    mask = person.mask.astype(np.float32) / 255
    image = change_clothes(person.image, mask, partial(_piece, material, rng, 0.02, 0.4), rng)
    if rng.random() < 0.5:
        image, mask = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
    scale = tall / len(mask)
    size = (max(round(mask.shape[1] * scale * np.exp(rng.normal(0, 0.08))), 4), max(round(tall), 8))
    return _resized(image, size), _resized(mask, size)


def _background(material: Material, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return a picture, a part of it, or parts of several in a grid, mirrored half of the time: [H, W, 3] uint8."""
    if rng.random() < WHOLE:
        image = _background_of(_any_picture(material, rng, MOVING / WHOLE), height, width, rng)
    else:
        image = np.empty((height, width, 3), np.uint8)
        across = int(rng.choice([2, 2, 3, 4]))
        down = across if rng.random() < 0.7 else max(across - 1, 1)
        ys, xs = np.linspace(0, height, down + 1).astype(int), np.linspace(0, width, across + 1).astype(int)
        for top, bottom in pairwise(ys):
            for left, right in pairwise(xs):
                image[top:bottom, left:right] = _piece(material, rng, 0.5, 1, bottom - top, right - left)
    return np.ascontiguousarray(image[:, ::-1]) if rng.random() < 0.5 else image


def _background_of(picture: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Scale a picture so that it fills the canvas and more, or now and then less, and take a part of it."""
    factors = height / picture.shape[0], width / picture.shape[1]
    if rng.random() < SMALLER:
        scale = min(factors) * np.exp(rng.uniform(-0.2, 0.3))
    else:
        scale = max(factors) * np.exp(rng.uniform(0, 0.7))
    rows, columns = (min(max(round(side / scale), 1), whole) for side, whole in zip((height, width), picture.shape))
    y, x = rng.integers(picture.shape[0] - rows + 1), rng.integers(picture.shape[1] - columns + 1)
    filled = min(max(round(rows * scale), 8), height), min(max(round(columns * scale), 8), width)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = PAD if rng.random() < 0.5 else rng.integers(0, 256, 3)
    image[: filled[0], : filled[1]] = _resized(picture[y : y + rows, x : x + columns], filled[::-1])
    return image


def _piece(
    material: Material, rng: np.random.Generator, least: float, most: float, height: int, width: int
) -> np.ndarray:
    """Return a part of any picture, of a share ``least`` to ``most`` of its height, as [height, width, 3] uint8."""
    picture = _any_picture(material, rng, 0)
    share = np.exp(rng.uniform(np.log(least), np.log(most)))
    rows = min(max(int(picture.shape[0] * share), 8), picture.shape[0])
    columns = min(max(int(rows * width / height), 6), picture.shape[1])
    y, x = rng.integers(picture.shape[0] - rows + 1), rng.integers(picture.shape[1] - columns + 1)
    return _resized(picture[y : y + rows, x : x + columns], (width, height))


def _any_picture(material: Material, rng: np.random.Generator, moving: float) -> np.ndarray:
    """Return a picture, or with a probability ``moving`` a clip's frame; where one kind is missing, the other."""
    of_clip = material.frames and (not material.pictures or rng.random() < moving)
    choice = material.frames if of_clip else material.pictures
    return choice[rng.integers(len(choice))]


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to a width and height."""
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if size[1] < len(image) else cv2.INTER_LINEAR)
