"""A packed set: frames with the teachers' boxes and vectors, and people cut out of them, in one ``.npz`` file.

It is small enough to travel to a machine that has nothing else. Frames are JPEG, scaled down to what the network sees.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from tracker.errors import DataError, ModelError, OutputError
from tracker.models.npz import load_npz

LARGEST = (608, 1088)  # height and width in pixels that a frame is scaled down to
QUALITIES = (90, 80, 70, 60, 50)  # of JPEG, the first that fits is taken
IGNORED, PERSON = 0, 1  # kinds of a box
NO_VECTOR = -1
_FORMAT = 1
_BYTES = ("frames", "cutouts", "masks")
_ARRAYS = ("sources", "source", "numbers", "sizes", "boxes", "kinds", "box_starts", "vectors", "vector_of")


@dataclass(frozen=True)
class TaughtFrame:
    """A frame to pack.

    Attributes:
        source: Name of the sequence, clip or folder that it is from.
        number: Of the frame there.
        image: [H, W, 3] uint8 BGR.
        boxes: [N, 4] left, top, right, bottom in pixels.
        ignored: [N] bool: neither person nor background.
        vectors: [N, T], embeddings by the teacher; zeros where there is none.
    """

    source: str
    number: int
    image: np.ndarray
    boxes: np.ndarray
    ignored: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True)
class PackedSet:
    """F frames with N boxes, and K people cut out of them.

    Attributes:
        sources: Names of the sources.
        source: [F] int, which of them each frame is from.
        numbers: [F] int, number of each frame there.
        sizes: [F, 2] int, height and width in pixels.
        boxes: [N, 4] float32, left, top, right, bottom in pixels of the packed frame.
        kinds: [N] uint8, `PERSON` or `IGNORED`.
        box_starts: [F + 1] int, the first box of each frame.
        vectors: [V, T] float16, the teacher's embeddings.
        vector_of: [N] int, which of them is of a box; `NO_VECTOR` for none.
        frames: The JPEG file of each frame, as an array of bytes.
        cutouts: A JPEG file of each person cut out.
        masks: A PNG file of each of them: 255 where the person is.
    """

    sources: list[str]
    source: np.ndarray
    numbers: np.ndarray
    sizes: np.ndarray
    boxes: np.ndarray
    kinds: np.ndarray
    box_starts: np.ndarray
    vectors: np.ndarray
    vector_of: np.ndarray
    frames: list[np.ndarray]
    cutouts: list[np.ndarray]
    masks: list[np.ndarray]

    def people(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes [n, 4] of a frame and their kinds [n]."""
        part = slice(*self.box_starts[index : index + 2])
        return self.boxes[part], self.kinds[part]

    def frame(self, index: int) -> np.ndarray:
        """Return a frame, [H, W, 3] uint8 BGR.

        Raises:
            DataError: It is damaged.
        """
        image = decode(self.frames[index])
        if image.shape[:2] != tuple(self.sizes[index]):
            raise DataError(f"frame {index} of the packed set is damaged: it has another size than stated")
        return image


def decode(file: np.ndarray, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Return the image of a JPEG or PNG file, [H, W, 3] uint8 BGR; [H, W] where ``flags`` ask for grey.

    Raises:
        DataError: The file is damaged.
    """
    image = cv2.imdecode(file, flags) if len(file) else None
    if image is None:
        raise DataError("an image of the packed set is damaged")
    return image


def write_packed(
    path: Path, frames: Iterable[TaughtFrame], megabytes: float, cutouts: Sequence[tuple[np.ndarray, np.ndarray]] = ()
) -> int:
    """Write a packed set, in the best quality of JPEG that fits.

    Args:
        path: The file.
        frames: What to pack; used up once. The order is kept.
        megabytes: How large the file may become, in 10^6 bytes.
        cutouts: People cut out: [h, w, 3] uint8 BGR and [h, w] float, 1 where the person is. It is read last, and may
            have been filled while ``frames`` were.

    Returns:
        The quality.

    Raises:
        DataError: There is no frame, or not even the lowest quality fits.
        OutputError: The file cannot be written.
    """
    names: dict[str, int] = {}
    jpegs: dict[int, list[np.ndarray]] = {quality: [] for quality in QUALITIES}
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("sizes", "boxes", "kinds", "vectors", "vector_of")}
    source, numbers, starts, vectors = [], [], [0], 0
    for frame in frames:
        image, scale = _scaled_down(frame.image)
        for quality in QUALITIES:
            jpegs[quality].append(_encode(".jpg", image, quality))
        source.append(names.setdefault(frame.source, len(names)))
        numbers.append(frame.number)
        known = frame.vectors.any(axis=1)
        vector_of = np.full(len(frame.boxes), NO_VECTOR)
        vector_of[known] = vectors + np.arange(known.sum())
        vectors += int(known.sum())
        starts.append(starts[-1] + len(frame.boxes))
        columns["sizes"].append(np.array([image.shape[:2]], np.int32))
        columns["boxes"].append((frame.boxes * scale).astype(np.float32).reshape(-1, 4))
        columns["kinds"].append(np.where(frame.ignored, IGNORED, PERSON).astype(np.uint8))
        columns["vectors"].append(frame.vectors[known].astype(np.float16))
        columns["vector_of"].append(vector_of.astype(np.int32))
    if not source:
        raise DataError("there is no frame to pack")
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    arrays |= {
        "format": np.array(_FORMAT),
        "sources": np.array(list(names)),
        "source": np.array(source, np.int32),
        "numbers": np.array(numbers, np.int64),
        "box_starts": np.array(starts, np.int64),
    }
    arrays |= _joined("cutouts", [_encode(".jpg", image, QUALITIES[0]) for image, _ in cutouts])
    arrays |= _joined("masks", [_encode(".png", (mask * 255).astype(np.uint8)) for _, mask in cutouts])
    rest = sum(array.nbytes for array in arrays.values())
    for quality, files in jpegs.items():
        size = (rest + sum(map(len, files))) / 1e6
        if size < megabytes * 0.99:  # a hundredth is left for the names of arrays
            _save(path, arrays | _joined("frames", files))
            return quality
    raise DataError(f"{len(source)} frames take {size:.1f} MB at the lowest quality, not {megabytes:g}: take fewer")


def read_packed(path: Path) -> PackedSet:
    """Read a packed set.

    Raises:
        DataError: The file is missing, damaged or no packed set.
    """
    try:
        arrays = load_npz(path, "packed set")
    except ModelError as error:
        raise DataError(str(error)) from error
    needed = {"format", *_ARRAYS, *_BYTES, *(f"{name}_starts" for name in _BYTES)}
    if not needed <= set(arrays) or arrays["format"].shape or arrays["format"] != _FORMAT:
        raise DataError(f"{path} is no packed set of this version: make it anew")
    files = {name: (arrays[name], arrays[f"{name}_starts"]) for name in _BYTES}
    count, boxes = len(arrays["source"]), len(arrays["boxes"])
    whole = [
        count > 0 and len(arrays["sizes"]) == len(arrays["numbers"]) == count,
        arrays["boxes"].shape[1:] == (4,) and len(arrays["kinds"]) == len(arrays["vector_of"]) == boxes,
        _covers(arrays["box_starts"], count, boxes),
        len(files["cutouts"][1]) == len(files["masks"][1]) and len(files["frames"][1]) == count + 1,
        *(_covers(starts, len(starts) - 1, len(data)) for data, starts in files.values()),
        arrays["vector_of"].min(initial=0) >= NO_VECTOR
        and arrays["vector_of"].max(initial=-1) < len(arrays["vectors"]),
        arrays["source"].min(initial=0) >= 0 and arrays["source"].max(initial=0) < len(arrays["sources"]),
        arrays["vectors"].ndim == 2,
    ]
    if not all(whole):
        raise DataError(f"{path} is damaged: its arrays do not belong together")
    split = {name: [data[a:b] for a, b in pairwise(starts)] for name, (data, starts) in files.items()}
    values = {name: arrays[name] for name in _ARRAYS}
    return PackedSet(**{**values, "sources": [str(name) for name in arrays["sources"]], **split})


def _covers(starts: np.ndarray, count: int, length: int) -> bool:
    """Return whether ``count`` parts, one behind the other, make up ``length``."""
    ends = starts.shape == (count + 1,) and count >= 0 and starts[0] == 0 and starts[-1] == length
    return bool(ends and (np.diff(starts) >= 0).all())


def _scaled_down(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image that fits `LARGEST`, and the factors [4] for its boxes."""
    height, width = image.shape[:2]
    scale = min(1, LARGEST[0] / height, LARGEST[1] / width)
    if scale == 1:
        return image, np.ones(4)
    small = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    return small, np.tile([small.shape[1] / width, small.shape[0] / height], 2)


def _encode(kind: str, image: np.ndarray, quality: int | None = None) -> np.ndarray:
    return cv2.imencode(kind, image, [cv2.IMWRITE_JPEG_QUALITY, quality] if quality else [])[1].ravel()


def _joined(name: str, files: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    data = np.concatenate([*files, np.zeros(0, np.uint8)])
    return {name: data, f"{name}_starts": np.cumsum([0, *map(len, files)])}


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
