"""What the readers of training data hand out, and how damaged files are passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from tracker.errors import DataError
from tracker.sources import images

NOBODY = -1  # the identity of a person who was not told apart from others


@dataclass(frozen=True)
class Sample:
    """One image and who is in it.

    Attributes:
        path: the image file, for messages.
        image: [H, W, 3] uint8, BGR, upright.
        boxes: [N, 4] float32, left, top, right, bottom in pixels of the image; may reach beyond its borders.
        identities: [N] int64, from 0 and unique within the dataset the sample comes from; -1 where unknown.
        ignored: [N] bool, neither person nor background: nothing is learnt in these boxes.
        labelled: False where nobody looked for people (`boxes` is empty then): a teacher has to.
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
        name: of the folder or list it is read from.
        identities: how many identity numbers it uses: all its identities lie below.
    """

    name: str
    identities: int

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            DataError: its image or label is damaged.
            IndexError: there is no such sample.
        """


class Identities(Protocol):
    """Crops of one person each; attributes as of `Dataset`."""

    name: str
    identities: int

    def __len__(self) -> int: ...

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Read a crop, [H, W, 3] uint8 BGR, and the identity it shows, -1 for nobody else's.

        Raises:
            DataError: it is damaged.
        """


def make_sample(
    path: Path,
    image: np.ndarray,
    boxes: np.ndarray | list = (),
    identities: np.ndarray | list | None = None,
    ignored: np.ndarray | list | None = None,
    labelled: bool = True,
) -> Sample:
    """Make a `Sample` of anything that converts to its arrays; identities default to unknown, ignored to False."""
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    identities = np.full(len(boxes), NOBODY) if identities is None else identities
    ignored = np.zeros(len(boxes)) if ignored is None else ignored
    return Sample(path, image, boxes, np.asarray(identities, np.int64), np.asarray(ignored, bool), labelled)


def read_image(path: Path) -> np.ndarray:
    """Read an image file, turned upright by its EXIF orientation.

    Returns:
        [H, W, 3] uint8, BGR.

    Raises:
        DataError: the file is missing, is no image or ends before the image does.
    """
    image = images.read_image(path)
    if image is None:
        raise DataError(f"{path}: {'is no readable image' if path.is_file() else 'is missing'}")
    # OpenCV fills what is missing of a JPEG with grey, and only its own log would tell.
    if path.suffix.lower() in (".jpg", ".jpeg") and _is_cut_short(path.read_bytes()):
        raise DataError(f"{path}: ends before the image does")
    return image


def _is_cut_short(jpeg: bytes) -> bool:
    # Two bytes end an image. They may stand in the thumbnail as well, yet that lies before the scan.
    return jpeg.startswith(b"\xff\xd8") and jpeg.rfind(b"\xff\xd9") < jpeg.rfind(b"\xff\xda")


class skip_damaged:
    """A dataset without its damaged items, each of which is reported once.

    A loop over it yields every readable sample once. By index, the next readable one stands in for a damaged one, so
    that random draws need no special case.

    Args:
        dataset: the dataset to read.
        report: is called with one line a damaged item, for example `logger.warning` or `tqdm.write`.
    """

    def __init__(self, dataset: Dataset, report: Callable[[str], object]) -> None:
        self.name = dataset.name
        self._dataset = dataset
        self._report = report
        self._damaged: set[int] = set()

    @property
    def identities(self) -> int:
        """How many identity numbers the dataset uses."""
        return self._dataset.identities

    def __len__(self) -> int:
        """Count the items, damaged ones included: which those are shows only when they are read."""
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:
        """Read a sample, or the next readable one after it.

        Raises:
            DataError: not one item can be read.
        """
        index = range(len(self))[index]
        for candidate in (*range(index, len(self)), *range(index)):
            sample = self._read(candidate)
            if sample is not None:
                return sample
        raise self._nothing_left()

    def __iter__(self) -> Iterator[Sample]:
        """Yield every readable sample once.

        Raises:
            DataError: not one item can be read.
        """
        for index in range(len(self)):
            sample = self._read(index)
            if sample is not None:
                yield sample
        if len(self._damaged) == len(self):
            raise self._nothing_left()

    def _read(self, index: int) -> Sample | None:
        if index in self._damaged:
            return None
        try:
            return self._dataset[index]
        except DataError as error:
            self._damaged.add(index)
            self._report(str(error))
            return None

    def _nothing_left(self) -> DataError:
        return DataError(f"{self.name}: all {len(self)} images or their labels are damaged")


def need_folder(folder: Path | str, expected: str) -> Path:
    """The folder, when there is one.

    Raises:
        DataError: there is none; the message says what was expected in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder; expected {expected}")
    return folder
