"""Reading ``.npz`` files without running, or making room for, what a hostile or damaged file asks for.

numpy's own reader evaluates the header of each array as Python, makes room for the shape that it states before it has
read a byte, and raises whatever the zip reader does.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import cast

import numpy as np

from ..errors import ModelError, SourceError
from ..settings.checks import shown

# A packed file may grow: by far more than numbers do that mean something, and in any case to a size that any machine
# has room for.
_LARGEST_GROWTH, _SMALL = 30, 64_000_000  # times the file, bytes
_LARGEST_HEADER = 10_000  # bytes
_MAGIC = b"\x93NUMPY"
# as numpy and tools that imitate it write it; numbers and text of a fixed size, no objects
_HEADER = re.compile(
    r"\{'descr': '(?P<dtype>[<>|=](?:b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,5}|[Mm]8(?:\[\w{1,4}\])?))', "
    r"'fortran_order': (?P<fortran>True|False), 'shape': \((?P<shape>[\d, L]*)\),? ?\}\s*"
)


def load_npz(path: Path, what: str = ".npz file of arrays", prefix: str = "") -> dict[str, np.ndarray]:
    """Read the plain arrays of an ``.npz`` file. Nothing in the file is run.

    Memory is bounded by the size of the file: by 64 MB, or 30 times its size if that is more.

    Args:
        path: The file.
        what: What it should be, for the message.
        prefix: Only arrays whose names begin with it are read; it is taken off their names.

    Returns:
        Name -> array.

    Raises:
        ModelError: The file is missing, damaged, of another format, or packed far more tightly than arrays are.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise OSError(0, "it is no regular file")
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive, prefix, max(_SMALL, _LARGEST_GROWTH * path.stat().st_size))
            return {name: _read(archive, entry) for name, entry in entries.items()}
    except OSError as error:
        raise ModelError(f"{path} is no whole {what}: {error.strerror or error}") from error
    except (
        *(EOFError, LookupError, MemoryError, NotImplementedError, OverflowError, RuntimeError, TypeError, ValueError),
        *(struct.error, zipfile.BadZipFile, zlib.error),
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{path} is no whole {what}: {reason}") from error


def load_source_npz(path: Path, what: str, origin: str) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file that somebody gives as a source, as `load_npz` does.

    Args:
        path: The file.
        what: What it holds, for the message, such as ``people``.
        origin: What to do where there is none, for the message.

    Returns:
        Name -> array.

    Raises:
        SourceError: The file is missing or damaged, or no file of arrays; the message is one line.
    """
    if not path.is_file():
        raise SourceError(f"{path}: there is no such file; {origin}")
    try:
        return load_npz(path, f".npz file of {what}")
    except ModelError as error:
        raise SourceError(" ".join(str(error).split())) from error


def _entries(archive: zipfile.ZipFile, prefix: str, room: int) -> dict[str, zipfile.ZipInfo]:
    """Return the arrays to read by name."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name, dot, suffix = entry.filename.rpartition(".npy")
        if not dot or suffix:
            raise ValueError(f"its entry {shown(entry.filename)} is no array")
        if not name.startswith(prefix):
            continue
        name = name.removeprefix(prefix)
        if name in entries:
            raise ValueError(f"it has two arrays {shown(name)}")
        # encrypted or patched entries, and packings other than numpy's, among them those that pack a gigabyte in 1 kB
        if entry.flag_bits & 0x61 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"its entry {shown(entry.filename)} is packed in an unknown way")
        room -= entry.file_size
        if room < 0:
            raise ValueError("its arrays take far more room than the file")
        entries[name] = entry
    return entries


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with cast(zipfile.ZipExtFile, archive.open(entry)) as file:
        dtype, shape, fortran, start = _header(file)
        size = math.prod(shape) * dtype.itemsize
        if start + size != entry.file_size:
            raise ValueError(
                f"{shown(entry.filename)} has {entry.file_size - start} bytes where its shape takes {size}"
            )
        data = bytearray(size)
        read, view = 0, memoryview(data)
        while read < size and (count := file.readinto(view[read : read + (1 << 24)])):
            read += count
        if read < size or file.read(1):
            raise ValueError(f"{shown(entry.filename)} ends too early")
    array = np.frombuffer(data, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _header(file: zipfile.ZipExtFile) -> tuple[np.dtype, tuple[int, ...], bool, int]:
    """Read the header of an array: its dtype, shape, whether it is in Fortran order, and its length."""
    start = file.read(len(_MAGIC) + 2)
    if start[: len(_MAGIC)] != _MAGIC or len(start) < len(_MAGIC) + 2 or start[len(_MAGIC)] not in (1, 2, 3):
        raise ValueError("an array does not begin as one")
    form = "<H" if start[len(_MAGIC)] == 1 else "<I"
    (length,) = struct.unpack(form, file.read(struct.calcsize(form)))
    if length > _LARGEST_HEADER:
        raise ValueError(f"an array has a header of {length} bytes")
    text = file.read(length)
    found = _HEADER.fullmatch(text.decode("latin1"))
    if not found:
        raise ValueError("an array has a malformed header or holds anything but numbers")
    shape = tuple(int(side) for side in found["shape"].replace(" ", "").split(",") if side)
    if len(shape) > 32 or any(side > 1 << 48 for side in shape):
        raise ValueError("an array has an absurd shape")
    return np.dtype(found["dtype"]), shape, found["fortran"] == "True", len(start) + struct.calcsize(form) + length
