"""A sample of the frames of videos and image folders, evenly spread, in no more memory than it needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

import cv2
import numpy as np

from tracker.detection.letterbox import INTERPOLATIONS
from tracker.errors import SourceError
from tracker.settings.model import LetterboxConfig
from tracker.sources import open_source

Item = TypeVar("Item")


def spread(items: Iterable[Item], count: int) -> list[Item]:
    """Up to count items in their order, evenly spread over as many as there are, a number that need not be known.

    Never holds more than twice as many.
    """
    kept, step = [], 1
    for index, item in enumerate(items):
        if index % step == 0:
            kept.append(item)
        if len(kept) > 2 * count:
            kept, step = kept[::2], 2 * step
    if len(kept) <= count:
        return kept
    return [kept[index] for index in np.linspace(0, len(kept) - 1, count).round().astype(int)]


def read_frames(sources: Sequence[str], count: int, letterbox: LetterboxConfig) -> list[np.ndarray]:
    """Up to count images [H, W, 3] uint8 BGR, none larger than the network's input.

    Every source gives an equal share, evenly spread over its length. One with fewer frames gives all, and those after
    it the more.

    Raises:
        SourceError: a source cannot be read, or is live and so has no end to spread them to.
    """
    images: list[np.ndarray] = []
    for index, name in enumerate(sources):
        share = math.ceil((count - len(images)) / (len(sources) - index))
        if share < 1:
            break
        with open_source(name) as source:
            if source.live:
                raise SourceError(f"{source.name} is live and has no end: record some of it, and give the file")
            images += spread((shrink(frame.image, letterbox) for frame in source), share)
    return images


def shrink(image: np.ndarray, config: LetterboxConfig) -> np.ndarray:
    """The image, at most as large as the letterbox scales it, to hold many. The network's input stays the same."""
    ratio = min(config.height / image.shape[0], config.width / image.shape[1])
    if ratio >= 1:
        return image
    size = tuple(max(1, round(side * ratio)) for side in (image.shape[1], image.shape[0]))
    return cv2.resize(image, size, interpolation=INTERPOLATIONS[config.interpolation])


def hold_back(items: Sequence[Item], count: int, held: int) -> tuple[list[Item], list[Item]]:
    """Items to calibrate with and, evenly spread among them, items to check with: in the ratio of count to held."""
    number = min(max(1, round(len(items) * held / (count + held))), len(items))
    chosen = set(((np.arange(number) + 0.5) * len(items) / number).astype(int))
    return (
        [item for index, item in enumerate(items) if index not in chosen],
        [item for index, item in enumerate(items) if index in chosen],
    )
