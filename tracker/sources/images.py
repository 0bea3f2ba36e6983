"""Images: finding them in a folder, reading them as 8-bit BGR, and a source made of them."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ..errors import OptionError, SourceError
from ..structures import Frame
from .base import DEFAULT_RATE, MAX_PIXELS, Source, check_pixels
from .image_header import image_size, is_cut_off
from .seqinfo import IMAGES, SEQINFO, SeqInfo, SequenceFolder, find_sequence

# No image needs more in a file: four channels of 16 bits, and what else a camera writes there.
_BYTES_PER_PIXEL, _HEADER_BYTES = 8, 1 << 24

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MAX_NUMBER = 10_000_000  # a larger number in a name is a time or an identity, not that of a frame
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)", re.DOTALL)


def to_bgr8(image: np.ndarray) -> np.ndarray:
    """Convert an image to three channels of 8 bits.

    Args:
        image: [H, W], [H, W, 1] grey, [H, W, 3] BGR or [H, W, 4] BGRA; uint8 or uint16. Alpha is dropped.

    Returns:
        [H, W, 3] uint8, BGR, contiguous; the argument itself if it already is.

    Raises:
        OptionError: the shape or dtype is another, the image is empty, or not an array.
    """
    if not isinstance(image, np.ndarray):
        raise OptionError(f"an image must be a numpy array [H, W, 3] uint8, got {type(image).__name__}")
    depth = image.dtype.type
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or image.size == 0 or depth not in (np.uint8, np.uint16):
        raise OptionError(
            "an image must be [H, W], [H, W, 1], [H, W, 3] or [H, W, 4], not empty, of uint8 or uint16; "
            f"got shape {list(image.shape)} of {image.dtype}"
        )
    if depth is np.uint16:
        # 65535 = 255 * 257, so that white stays white.
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if channels == 1:
        height, width = image.shape[:2]
        image = np.broadcast_to(image.reshape(height, width, 1), (height, width, 3))
    elif channels == 4:
        image = image[:, :, :3]
    return np.ascontiguousarray(image)


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray | None:
    """Read an image file, turned upright by its EXIF orientation.

    Args:
        path: the file; its name may hold any character.
        max_pixels: width times height that it may have.

    Returns:
        [H, W, 3] uint8, BGR; None where the file cannot be read as an image, or not all of it.

    Raises:
        SourceError: it is larger than `max_pixels`; it is not decoded then.
    """
    try:
        if path.stat().st_size > _BYTES_PER_PIXEL * max_pixels + _HEADER_BYTES:
            return None
        content = path.read_bytes()
        size = image_size(content)
        if size is None or is_cut_off(content):
            return None
        check_pixels(repr(str(path)), *size, max_pixels)
        data = np.frombuffer(content, dtype=np.uint8)
        # These flags keep 16-bit depth like IMREAD_UNCHANGED, which however ignores the orientation.
        image = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
        return None if image is None else to_bgr8(image)
    except (OSError, OptionError, cv2.error):
        return None


def is_image(path: Path) -> bool:
    """Return whether a path is a file with the suffix of an image, other than what macOS lays beside it (._NAME)."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("._") and path.is_file()


def natural_order(path: Path) -> tuple[list[str | int], str]:
    """Return a sort key that puts img2 before img10."""
    parts: list[str | int] = re.split(r"(\d+)", str(path).lower())
    # The split alternates text and digits, so that numbers are only ever compared with numbers.
    parts[1::2] = [int(digits) for digits in parts[1::2]]
    # img1 and img01 have the same parts; their names decide.
    return parts, str(path)


class ImageFolder(NamedTuple):
    """The images of a folder, and what is known of them.

    Attributes:
        path: the folder that the results are named after; of a MOTChallenge sequence the one around the images.
        files: the image files in natural order.
        frame_rate: frames per second that seqinfo.ini states; None without it.
        numbers: the frame that each file is, from 1, by the names of a sequence's images; None where order tells.
    """

    path: Path
    files: list[Path]
    frame_rate: float | None = None
    numbers: list[int] | None = None


def find_images(folder: Path, chosen: list[Path] | None = None) -> ImageFolder:
    """List the images of a folder, or of a MOTChallenge sequence: its folder, or that of its images.

    Args:
        folder: an existing folder.
        chosen: the image files to take, all in that folder and in natural order; None for all that it holds.

    Raises:
        SourceError: the folder cannot be listed, or seqinfo.ini is wrong.
    """
    images = folder
    try:
        sequence = find_sequence(folder)
        if sequence is None:
            files = list_images(folder) if chosen is None else chosen
            if files or not (folder / IMAGES).is_dir():
                return ImageFolder(folder, files)
            sequence = SequenceFolder(folder, folder / IMAGES, SeqInfo(folder / SEQINFO, {}))
        images = sequence.images
        files = list_images(images) if chosen is None else chosen
    except PermissionError:
        raise SourceError(f"no permission to read {str(images)!r}: change its permissions") from None
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{str(images)!r}, which seqinfo.ini names, is not a folder: correct imDir") from None
    numbers = frame_numbers(files)
    if files and numbers is None:
        logger.warning("the images in %r are not named by frame, 000001.jpg and so on: numbered by order", str(images))
    return ImageFolder(sequence.path, files, sequence.info.frame_rate, numbers)


def list_images(folder: Path) -> list[Path]:
    """Return the image files of a folder in natural order.

    Raises:
        OSError: the folder cannot be listed.
    """
    return sorted(filter(is_image, folder.iterdir()), key=natural_order)


def frame_numbers(files: Sequence[Path]) -> list[int] | None:
    """Return the frames that images are named by, counted from 1 where the names count from 0.

    Args:
        files: in natural order, such as 000301.jpg, 000302.jpg, or walk_1.png, walk_2.png.

    Returns:
        The number of each file; None where a name does not end with one, what comes before it differs, or two files
        have the same number.
    """
    names = [_NUMBERED.fullmatch(file.stem) for file in files]
    matches = [name for name in names if name]
    numbers = [int(match["number"]) for match in matches]
    if len(matches) < len(files) or len({match["prefix"] for match in matches}) > 1:
        return None
    if any(after <= before for before, after in itertools.pairwise(numbers)) or max(numbers, default=0) > MAX_NUMBER:
        return None
    return [number + 1 for number in numbers] if 0 in numbers else numbers


class ImageSource(Source):
    """Image files, one frame each, dated by the frame rate.

    Args:
        files: the images in order.
        label: what messages call them.
        name: stem for the names of output files.
        frame_rate: frames per second; 30 where it is not known.
        numbers: the frame that each file is, from 1 and rising; None for 1, 2, 3, ...
        max_pixels: width times height that an image may have; larger ones are skipped.
    """

    def __init__(
        self,
        files: Sequence[Path],
        label: str,
        name: str,
        frame_rate: float | None,
        numbers: Sequence[int] | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__(label, name, frame_rate or DEFAULT_RATE, len(files))
        self._files = files
        self._max_pixels = max_pixels
        self._indices = range(len(files)) if numbers is None else [number - 1 for number in numbers]
        self.first_frame = self._indices[0] + 1 if files else 1

    def _read(self) -> Iterator[Frame]:
        for index, file in zip(self._indices, self._files):
            try:
                image = read_image(file, self._max_pixels)
            except SourceError as error:
                if len(self._files) == 1:
                    raise
                logger.warning("%s", error)
                image = None
            if image is None:
                self.skipped += 1
            else:
                yield Frame(index, (index + 1 - self.first_frame) / self.frame_rate, image)
