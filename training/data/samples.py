"""Samples that the readers of training data return."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from tracker.errors import DataError, SourceError
from tracker.sources import images
from tracker.sources.image_header import image_size, is_cut_off

NOBODY = -1  # the identity of a person whose identity is unknown


@dataclass(frozen=True)
class Sample:
    """One image and the people in it.

    Attributes:
        path: The image file, for messages.
        image: [H, W, 3] uint8, BGR, upright.
        boxes: [N, 4] float32, left, top, right, bottom in pixels of the image; may reach beyond its borders.
        identities: [N] int64, from 0 and unique within the dataset that the sample comes from; -1 where unknown.
        ignored: [N] bool: neither person nor background, nothing is trained in these boxes.
        labelled: Whether people were annotated. If not, `boxes` is empty, and a teacher has to detect them.
    """

    path: Path
    image: np.ndarray = field(repr=False)
    boxes: np.ndarray
    identities: np.ndarray
    ignored: np.ndarray
    labelled: bool


class Dataset(Protocol):
    """Images with boxes, read one at a time.

    Attributes:
        name: Name of the folder or list that it is read from.
        identities: How many identities it has; all its identity numbers are below.
    """

    name: str
    identities: int

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            DataError: Its image or label is damaged.
            IndexError: There is no such sample.
        """


class Identities(Protocol):
    """Crops of one person each, read one at a time.

    Attributes:
        name: Name of the folder that it is read from.
        identities: How many identities it has; all its identity numbers are below.
    """

    name: str
    identities: int

    def __len__(self) -> int: ...

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Read a crop.

        Returns:
            [H, W, 3] uint8 BGR, and its identity; -1 unknown.

        Raises:
            DataError: The image is damaged.
        """


def make_sample(
    path: Path,
    image: np.ndarray,
    boxes: np.ndarray | list = (),
    identities: np.ndarray | list | None = None,
    ignored: np.ndarray | list | None = None,
    labelled: bool = True,
) -> Sample:
    """Make a `Sample` of lists or arrays of any number type.

    Args:
        path: The image file, for messages.
        image: [H, W, 3] uint8, BGR.
        boxes: [N, 4] left, top, right, bottom in pixels.
        identities: [N]; None for unknown ones.
        ignored: [N]; None for none.
        labelled: Whether people were annotated.
    """
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    identities = np.full(len(boxes), NOBODY) if identities is None else identities
    ignored = np.zeros(len(boxes)) if ignored is None else ignored
    return Sample(path, image, boxes, np.asarray(identities, np.int64), np.asarray(ignored, bool), labelled)


def read_image(path: Path) -> np.ndarray:
    """Read an image file, turned upright by its EXIF orientation.

    Returns:
        [H, W, 3] uint8, BGR.

    Raises:
        DataError: The file is missing, is not an image, is too large or ends before the image does.
    """
    try:
        image = images.read_image(path)
    except SourceError as error:
        raise DataError(str(error)) from error
    if image is None:
        if not path.is_file():
            raise DataError(f"{path}: is missing")
        # a JPEG is told apart, for other programs show it, with grey in place of what is missing
        ends_early = image_size(path.read_bytes()) and is_cut_off(path.read_bytes())
        raise DataError(f"{path}: {'ends before the image does' if ends_early else 'is no readable image'}")
    return image


def need_folder(folder: Path | str, expected: str) -> Path:
    """Check that a folder exists.

    Args:
        folder: The folder.
        expected: What should be in it, for the message.

    Returns:
        The folder as a `Path`.

    Raises:
        DataError: There is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: is not a folder; expected {expected}")
    return folder
