"""A sample of the frames of videos and image folders, evenly spread, in no more memory than it needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

import cv2
import numpy as np

from tools.cli import progress
from tracker.detection.letterbox import INTERPOLATIONS
from tracker.errors import SourceError
from tracker.settings.model import LetterboxConfig
from tracker.sources import open_source

Item = TypeVar("Item")


def spread(items: Iterable[Item], count: int) -> list[Item]:
    """Pick items evenly spread over a stream of unknown length, in their order.

    No more than twice ``count`` items are held at a time: when there are more, every other one is dropped, and from
    then on only every 2nd, 4th, 8th ... item is taken.

    Args:
        items: the stream.
        count: number of items to pick, at least 1.

    Returns:
        ``count`` items, or all of them if there are fewer.
    """
    kept: list[Item] = []
    step = 1
    for index, item in enumerate(items):
        if index % step == 0:
            kept.append(item)
        if len(kept) > 2 * count:
            kept, step = kept[::2], 2 * step
    if len(kept) <= count:
        return kept
    return [kept[index] for index in np.linspace(0, len(kept) - 1, count).round().astype(int)]


def read_frames(sources: Sequence[str], count: int, letterbox: LetterboxConfig) -> list[np.ndarray]:
    """Read images evenly spread over videos and image folders.

    Every source gives an equal share, evenly spread over its length. A source with fewer frames gives all of them, and
    those after it give more.

    Args:
        sources: videos, folders of images or globs.
        count: number of images, at least 1.
        letterbox: of the network.

    Returns:
        Up to ``count`` images [H, W, 3] uint8 BGR, none larger than the network's input.

    Raises:
        SourceError: a source cannot be read, or is live, so that its length is not known.
    """
    images: list[np.ndarray] = []
    for index, name in enumerate(sources):
        share = math.ceil((count - len(images)) / (len(sources) - index))
        if share < 1:
            break
        with open_source(name) as source:
            if source.live:
                raise SourceError(f"{source.name} is live and has no end: record some of it, and give the file")
            frames = progress(source, f"reading {source.name}", "frames", source.frame_count)
            images += spread((shrink(frame.image, letterbox) for frame in frames), share)
    return images


def shrink(image: np.ndarray, config: LetterboxConfig) -> np.ndarray:
    """Scale an image down as the letterbox does, which makes the same network input of it and saves memory.

    Args:
        image: [H, W, 3] uint8 BGR.
        config: letterbox of the network.

    Returns:
        The smaller image, or the argument itself where it is no larger than the network's input.
    """
    ratio = min(config.height / image.shape[0], config.width / image.shape[1])
    if ratio >= 1:
        return image
    size = tuple(max(1, round(side * ratio)) for side in (image.shape[1], image.shape[0]))
    return cv2.resize(image, size, interpolation=INTERPOLATIONS[config.interpolation])


def hold_back(items: Sequence[Item], count: int, held: int) -> tuple[list[Item], list[Item]]:
    """Split items into two parts, the second evenly spread among the first.

    Args:
        items: at least one.
        count: share of the first part, for calibration.
        held: share of the second part, for checking the result.

    Returns:
        Both parts, in the ratio of ``count`` to ``held``; the second has at least one item.
    """
    number = min(max(1, round(len(items) * held / (count + held))), len(items))
    chosen = set(((np.arange(number) + 0.5) * len(items) / number).astype(int))
    return (
        [item for index, item in enumerate(items) if index not in chosen],
        [item for index, item in enumerate(items) if index in chosen],
    )
