"""The file of what people look like, ``NAME_people.npz``: its one writer and its one reader.

It holds plain arrays, a row for each view of a person and up to eight of these for each:

    ids [V] int64, frames [V] int64 (from 1), seconds [V] float64 (of the source), scores and qualities [V] float32
    (0 to 1), boxes [V, 4] float32 (left, top, width, height in pixels), vectors [V, D] float16 (L2-normalised); and
    model, the name of the network that made the vectors, for those of two networks cannot be compared.
"""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import OutputError, SourceError
from ..models.npz import load_source_npz
from .views import View, Views

ROWS_AT_ONCE = 4096  # that are copied in one go
LENGTH_ERROR = 0.01  # of a vector in float16
_COLUMNS = {"ids": "<i8", "frames": "<i8", "seconds": "<f8", "scores": "<f4", "qualities": "<f4"}


@dataclass(frozen=True)
class StoredPeople:
    """What a run has kept of what people look like, a row for each view.

    Attributes:
        model: name of the network that made the vectors.
        ids: [V] int64.
        frames: [V] int64, from 1.
        seconds: [V] float64.
        scores: [V] of the detections, 0 to 1.
        qualities: [V] 0 to 1.
        boxes: [V, 4] left, top, width, height in pixels.
        vectors: [V, D] float32, L2-normalised.
    """

    model: str
    ids: np.ndarray
    frames: np.ndarray
    seconds: np.ndarray
    scores: np.ndarray
    qualities: np.ndarray
    boxes: np.ndarray
    vectors: np.ndarray

    def of(self, identity: int) -> Views:
        """Return the views of one person."""
        rows = np.flatnonzero(self.ids == identity)
        return Views(
            tuple(
                View(
                    vector=self.vectors[row].astype(np.float16),
                    quality=float(self.qualities[row]),
                    frame=int(self.frames[row]),
                    seconds=float(self.seconds[row]),
                    score=float(self.scores[row]),
                    box=tuple(self.boxes[row].tolist()),  # type: ignore[arg-type]
                )
                for row in rows
            )
        )


class PeopleWriter:
    """Writes the file: people who are gone are kept on disk, so that memory holds those in sight only.

    Args:
        path: the file; its folder exists. Until the first `write` an older file stays as it is.
        model: name of the network that makes the vectors.

    Raises:
        OutputError: while adding and writing too: no space, or no right to write.
    """

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        self._model = model
        self._dtype: np.dtype | None = None
        self._rows = 0
        try:
            self._spool = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}; choose another output_dir") from error

    def add(self, identity: int, views: Views) -> None:
        """Keep the views of somebody who is gone."""
        rows = self._records([(identity, views)])
        try:
            self._spool.write(rows.tobytes())
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}; free some space") from error
        self._rows += len(rows)

    def write(self, in_sight: Mapping[int, Views]) -> None:
        """Write the file, whole or not at all.

        Args:
            in_sight: the views of people who are not gone yet.
        """
        last = self._records(list(in_sight.items()))
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            with zipfile.ZipFile(part, "w") as archive:
                _write_array(archive, "model", np.array(self._model or "?"), ())
                for name in last.dtype.names or ():
                    shape = (self._rows + len(last), *last.dtype[name].shape)
                    _write_array(archive, name, (rows[name] for rows in self._all(last)), shape, last.dtype[name].base)
            part.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise OutputError(f"cannot write {self.path}: {error.strerror}; free some space") from error

    def close(self) -> None:
        """Give up what is kept on disk. A second call does nothing."""
        self._spool.close()

    def _records(self, people: Iterable[tuple[int, Views]]) -> np.ndarray:
        kept = [(identity, view) for identity, views in people for view in views.kept]
        if self._dtype is None and kept:
            self._dtype = _record(len(kept[0][1].vector))
        rows = np.zeros(len(kept), self._dtype or _record(0))
        for row, (identity, view) in zip(rows, kept):
            row["ids"], row["frames"], row["seconds"] = identity, view.frame, view.seconds
            row["scores"], row["qualities"] = view.score, view.quality
            row["boxes"], row["vectors"] = view.box, view.vector
        return rows

    def _all(self, last: np.ndarray) -> Iterator[np.ndarray]:
        """Yield all records, those on disk first."""
        self._spool.seek(0)
        left = self._rows
        while left:
            count = min(left, ROWS_AT_ONCE)
            yield np.frombuffer(self._spool.read(count * last.dtype.itemsize), last.dtype)
            left -= count
        self._spool.seek(0, 2)
        yield last


def _record(dimension: int) -> np.dtype:
    return np.dtype([*_COLUMNS.items(), ("boxes", "<f4", (4,)), ("vectors", "<f2", (dimension,))])


def _write_array(
    archive: zipfile.ZipFile,
    name: str,
    parts: np.ndarray | Iterable[np.ndarray],
    shape: tuple[int, ...],
    dtype: np.dtype | None = None,
) -> None:
    """Write an array, given in parts, as numpy does; with one date, so that the same content makes the same bytes."""
    if isinstance(parts, np.ndarray):
        dtype, parts = parts.dtype, [parts]
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part).tobytes())


def read_people(path: Path) -> StoredPeople:
    """Read the file. Nothing in it is run, whoever made it.

    Raises:
        SourceError: the file is missing or damaged, or is not of the format above.
    """
    path = Path(path)
    arrays = load_source_npz(path, "people", "--save_embeddings makes one")
    problem = _problem(arrays)
    if problem:
        raise SourceError(f"{path} is no file of people: {problem}")
    columns = {name: arrays[name] for name in (*_COLUMNS, "boxes")}
    return StoredPeople(str(arrays["model"]), vectors=arrays["vectors"].astype(np.float32), **columns)


def _problem(arrays: Mapping[str, np.ndarray]) -> str | None:
    """Say what is wrong with the arrays; None if nothing is."""
    for name in ("model", *_COLUMNS, "boxes", "vectors"):
        if name not in arrays:
            return f"it has no array {name!r}"
    if arrays["model"].shape != () or arrays["model"].dtype.kind != "U":
        return "model must be one word"
    count = len(arrays["ids"]) if arrays["ids"].ndim else -1
    shapes: dict[str, tuple[int | None, ...]] = {
        **dict.fromkeys(_COLUMNS, (count,)),
        "boxes": (count, 4),
        "vectors": (count, None),
    }
    for name, shape in shapes.items():
        array, kinds = arrays[name], "iu" if name in ("ids", "frames") else "f"
        if array.dtype.kind not in kinds:
            return f"{name} must be numbers, got {array.dtype}"
        if array.ndim != len(shape) or any(b is not None and a != b for a, b in zip(array.shape, shape)):
            return f"{name} must be of shape {list(shape)}, got {list(array.shape)}"
        if not np.isfinite(array).all():
            return f"{name} must be finite"
    if count and ((arrays["ids"] < 1).any() or (arrays["frames"] < 1).any()):
        return "ids and frames must be from 1"
    length = np.linalg.norm(arrays["vectors"].astype(np.float32), axis=1)
    if (np.abs(length - 1) > LENGTH_ERROR).any():
        return "vectors must be L2-normalised, of length 1"
    return None
