"""Folders of results and videos to read, on this machine or wherever fsspec reaches: S3, HDFS, memory and the like."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import OptionError, OutputError, SourceError
from ..sinks.files import checked_folder
from ..sources.container import PROTOCOLS
from ..sources.opening import shown_address

WORK = ".batch"  # folder, in that of the results, of what is not finished
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def is_address(source: str) -> bool:
    """Return whether a source is an address, not a path."""
    return bool(_ADDRESS.match(source))


def is_stored(source: str) -> bool:
    """Return whether a source is an address for fsspec, not one that FFmpeg reads by itself."""
    found = _ADDRESS.match(source)
    return found is not None and found[1].lower() not in PROTOCOLS


def storage(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and its path there.

    Raises:
        OptionError: fsspec, or what it needs for this kind of address, is missing; or it knows no such kind.
    """
    try:
        import fsspec
    except ImportError as error:
        raise OptionError(f"{shown_address(address)} needs fsspec: pip install -r requirements-ray.txt") from error
    try:
        return fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise OptionError(f"{shown_address(address)} cannot be opened: {error}") from error


class Place(ABC):
    """A folder of results.

    Attributes:
        root: its path or address.
    """

    root: str

    def path_of(self, name: str) -> str:
        """Return the whole path or address of a file in it."""
        return f"{self.root.rstrip('/')}/{name}" if self.root else name

    @abstractmethod
    def work(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Return a context manager that gives an empty folder, on this machine, for what is not finished."""

    @abstractmethod
    def read(self, name: str) -> str:
        """Return the text of a file.

        Raises:
            OSError: it cannot be read.
        """

    @abstractmethod
    def write(self, name: str, content: str) -> None:
        """Write a text file, in one go.

        Raises:
            OSError: it cannot be written.
        """

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Return whether there is such a file or folder."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there.

        Raises:
            OSError: it cannot be removed.
        """

    @abstractmethod
    def take(self, path: Path, name: str) -> None:
        """Move a file or a folder of this machine here, in place of what is there.

        Raises:
            OSError: it cannot be moved.
        """


class LocalPlace(Place):
    """A folder of this machine, or one that it shares with others.

    Args:
        folder: its path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = "" if folder == Path() else str(folder)

    @contextlib.contextmanager
    def work(self, name: str) -> Iterator[Path]:
        """Give ``.batch/NAME``, which stays if the process is killed, and is emptied by the next run."""
        path = self.folder / WORK / name
        _remove(path)
        try:
            yield path
        finally:
            _remove(path)

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, content: str) -> None:
        """Write a text file: nobody ever sees half of it."""
        part = (self.folder / name).with_name(f".{name}.part")
        part.write_text(content, encoding="utf-8")
        part.replace(self.folder / name)

    def exists(self, name: str) -> bool:
        """Return whether there is such a file or folder."""
        return (self.folder / name).exists()

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        path = self.folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def take(self, path: Path, name: str) -> None:
        """Move a file or a folder here, in place of what is there."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            self.remove(name)
        path.replace(target)


def _remove(path: Path) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)
    except OSError as error:
        raise OutputError(f"cannot remove {path}: {error.strerror}") from error


class StoredPlace(Place):
    """A folder that fsspec reaches. Work is done in a temporary folder of this machine.

    Args:
        address: such as ``s3://bucket/results``.

    Raises:
        OptionError: fsspec cannot open it.
    """

    def __init__(self, address: str) -> None:
        self.root = address
        self._files, self._path = storage(address)

    @contextlib.contextmanager
    def work(self, name: str) -> Iterator[Path]:
        """Give a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="batch_") as folder:
            yield Path(folder)

    def _at(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return self._files.cat_file(self._at(name)).decode()

    def write(self, name: str, content: str) -> None:
        """Write a text file."""
        self._files.makedirs(self._path, exist_ok=True)
        self._files.pipe_file(self._at(name), content.encode())

    def exists(self, name: str) -> bool:
        """Return whether there is such a file or folder."""
        return self._files.exists(self._at(name))

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        if self.exists(name):
            self._files.rm(self._at(name), recursive=True)

    def take(self, path: Path, name: str) -> None:
        """Copy a file or a folder here, in place of what is there, and remove it."""
        self.remove(name)
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        for file in files:
            target = self._at(name) if file == path else f"{self._at(name)}/{file.relative_to(path).as_posix()}"
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._files.put_file(str(file), target)
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def open_place(output_dir: str | os.PathLike) -> Place:
    """Return a folder of results by its path or address.

    Raises:
        OptionError: it is neither, or fsspec cannot open it.
    """
    if isinstance(output_dir, str) and is_address(output_dir):
        if not is_stored(output_dir):
            raise OptionError(f"output_dir must be a path or an address for fsspec, not {shown_address(output_dir)}")
        return StoredPlace(output_dir)
    return LocalPlace(checked_folder(output_dir))


@contextlib.contextmanager
def local_copy(source: str) -> Iterator[str]:
    """Give a source as `open_source` takes it: what fsspec reaches is fetched for as long as the block lasts.

    Args:
        source: path or address.

    Yields:
        The source itself, or the path of the copy.

    Raises:
        SourceError: it cannot be fetched.
    """
    if not is_stored(source):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="batch_") as folder:
        try:
            files, path = storage(source)
            copy = Path(folder, path.rstrip("/").rpartition("/")[2] or "video")
            files.get(path, str(copy), recursive=files.isdir(path))
        except (OSError, OptionError) as error:
            raise SourceError(f"cannot fetch {shown_address(source)}: {error}") from error
        yield str(copy)


def stored_identity(address: str) -> dict[str, Any]:
    """Return what tells whether a file that fsspec reaches is still the same: its size, and what else there is told.

    Raises:
        SourceError: it cannot be asked for.
    """
    try:
        files, path = storage(address)
        told = files.info(path)
        if told.get("type") == "directory":
            listed = files.find(path, detail=True).values()
            return {"files": sorted(_marks(one) for one in listed)}
        return {"stored": _marks(told)}
    except (OSError, OptionError) as error:
        raise SourceError(f"cannot read {shown_address(address)}: {error}") from error


def _marks(told: dict[str, Any]) -> list[str]:
    keys = ("size", "ETag", "etag", "md5Hash", "LastModified", "mtime", "created")
    return [f"{key} {told[key]}" for key in keys if key in told]


def stored_matches(address: str, suffixes: frozenset[str]) -> list[str]:
    """Return the videos that an address for fsspec stands for: a file, a folder of videos, or a glob.

    Args:
        address: such as ``s3://bucket/videos/*.mp4``.
        suffixes: of videos, in lower case.

    Raises:
        OptionError: fsspec cannot open it.
        OSError: it cannot be listed.
    """
    files, path = storage(address)

    def videos(paths: list[str]) -> list[str]:
        return [files.unstrip_protocol(one) for one in sorted(paths) if Path(one).suffix.lower() in suffixes]

    if any(sign in path for sign in "*?["):
        return videos(files.glob(path))
    if files.isdir(path):
        return videos(files.ls(path, detail=False)) or [address]
    return [address]
