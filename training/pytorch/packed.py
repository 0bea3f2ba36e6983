"""A packed set: frames with the teachers' boxes and vectors, and people cut out of them, in one ``.npz`` file.

It is small enough to travel to a machine that has nothing else. Frames are JPEG, scaled down to what the network sees.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from tracker.errors import DataError, ModelError, OutputError
from tracker.models.npz import load_npz

LARGEST = (608, 1088)  # height and width in pixels that a frame is scaled down to
QUALITIES = (90, 80, 70, 60)  # of JPEG, the first that fits is taken
IGNORED, PERSON = 0, 1  # kinds of a box
NO_VECTOR = -1
_FORMAT = 1
_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
_BOX_BYTES = 64  # that a box and its share of a frame's numbers take at most
_HEADERS = 8192  # bytes of the names of arrays
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
    """Write a packed set, in the best quality of JPEG that fits; where none does, frames are left out evenly.

    Args:
        path: The file.
        frames: What to pack; used up once. The order is kept.
        megabytes: How large the file may become, in 10^6 bytes.
        cutouts: People cut out: [h, w, 3] uint8 BGR and [h, w] float, 1 where the person is. It is read last, and may
            have been filled while ``frames`` were.

    Returns:
        The quality.

    Raises:
        DataError: There is no frame, or not a single one fits.
        OutputError: The file cannot be written.
    """
    rows = []
    for frame in frames:
        image, scale = _scaled_down(frame.image)
        small = replace(frame, image=_NO_IMAGE, boxes=(frame.boxes * scale).reshape(-1, 4))
        rows.append((small, image.shape[:2], [_encode(".jpg", image, quality) for quality in QUALITIES]))
    if not rows:
        raise DataError("there is no frame to pack")
    people = _joined("cutouts", [_encode(".jpg", image, QUALITIES[0]) for image, _ in cutouts])
    people |= _joined("masks", [_encode(".png", (mask * 255).astype(np.uint8)) for _, mask in cutouts])
    room = megabytes * 1e6 - _HEADERS - sum(array.nbytes for array in people.values())
    numbers = np.array([_BOX_BYTES * (len(frame.boxes) + 1) + 2 * frame.vectors.size for frame, _, _ in rows])
    sizes = numbers[:, None] + [[len(file) for file in files] for *_, files in rows]
    fits = np.flatnonzero(sizes.sum(axis=0) <= room)
    best = int(fits[0]) if len(fits) else len(QUALITIES) - 1
    kept = np.arange(len(rows))
    while len(kept) and sizes[kept, best].sum() > room:
        kept = np.arange(len(kept) - 1) * len(rows) // max(len(kept) - 1, 1)
    if not len(kept):
        raise DataError(f"{megabytes:g} MB is too little: {len(rows)} frames take {sizes[:, -1].sum() / 1e6:.1f} MB")
    chosen = [rows[index] for index in kept]
    arrays = people | _columns([(frame, size) for frame, size, _ in chosen])
    _save(path, arrays | _joined("frames", [files[best] for *_, files in chosen]))
    return QUALITIES[best]


def _columns(rows: Sequence[tuple[TaughtFrame, tuple[int, int]]]) -> dict[str, np.ndarray]:
    """Return the arrays of a set, but for its images, from its frames and their sizes."""
    frames = [frame for frame, _ in rows]
    names = list(dict.fromkeys(frame.source for frame in frames))
    known = np.concatenate([frame.vectors.any(axis=1) for frame in frames])
    vector_of = np.where(known, np.cumsum(known) - 1, NO_VECTOR)
    return {
        "format": np.array(_FORMAT),
        "sources": np.array(names),
        "source": np.array([names.index(frame.source) for frame in frames], np.int32),
        "numbers": np.array([frame.number for frame in frames], np.int64),
        "sizes": np.array([size for _, size in rows], np.int32),
        "boxes": np.concatenate([frame.boxes for frame in frames]).astype(np.float32),
        "kinds": np.where(np.concatenate([frame.ignored for frame in frames]), IGNORED, PERSON).astype(np.uint8),
        "box_starts": np.cumsum([0, *(len(frame.boxes) for frame in frames)]),
        "vectors": np.concatenate([frame.vectors for frame in frames])[known].astype(np.float16),
        "vector_of": vector_of.astype(np.int32),
    }


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
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
