"""Fetching a file over HTTP: resumed after a break, checked, put in place in one step, safe between processes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from http.client import responses
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests
from filelock import FileLock
from tqdm import tqdm
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ..errors import ModelError, OutputError

# What is lost at most when a connection breaks.
CHUNK_BYTES = 1 << 14
# Seconds to wait before asking again; one request more than there are pauses.
PAUSES = (0.5, 1.0, 2.0)
# Answers of a server that is busy, not of one that lacks the file.
BUSY = (429, 502, 503, 504)
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
ADVICE = {
    401: "give a user and password this server accepts",
    403: "ask for access or use another address",
    404: "check the address",
    410: "check the address",
}


class _Interrupted(Exception):
    """The transfer broke off or has to begin anew; asking again may help."""


class _Short(_Interrupted):
    """The answer ended before its announced length."""


class _Partial:
    """The bytes of an unfinished download, ``TARGET.part``, and a note on what they are part of.

    The note, ``TARGET.part.json``, holds the address, the full length and what identifies the version. Without a note
    that fits, the bytes are worth nothing.
    """

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(target.name + ".part")
        self._note_path = target.with_name(target.name + ".part.json")
        # A digest, for an address may hold a password.
        self._address = hashlib.sha256(url.encode()).hexdigest()
        self.length: int | None = None
        self.version: dict[str, str] = {}
        if not self._read_note():
            self.clear()

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> str | None:
        """What If-Range may hold: a strong ETag or else the date; None when a resumed file could be a mixture."""
        tag = self.version.get("ETag", "W/")
        return self.version.get("Last-Modified") if tag.startswith("W/") else tag

    def begin(self, headers: Mapping[str, str], length: int | None) -> None:
        """Start from nothing, with a note from the headers of the answer."""
        # In this order, so that old bytes never stand next to a new note, wherever a kill may fall.
        self.clear()
        self.length = length
        self.version = {name: headers[name] for name in ("ETag", "Last-Modified") if name in headers}
        note = {"address": self._address, "length": length, "version": self.version}
        self._note_path.write_text(json.dumps(note), encoding="utf-8")

    def clear(self) -> None:
        """Remove the bytes and the note."""
        self.path.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)
        self.length, self.version = None, {}

    def finish(self, target: Path) -> None:
        """Become the target in one step."""
        self.path.replace(target)
        self.clear()

    def _read_note(self) -> bool:
        try:
            note = json.loads(self._note_path.read_text(encoding="utf-8"))
            self.length = None if note["length"] is None else int(note["length"])
            self.version = {str(name): str(value) for name, value in note["version"].items()}
            return note["address"] == self._address and self.size > 0
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return False


def download(
    url: str, target: Path, sha256: str | None = None, timeout: float = 10.0, progress: bool | None = None
) -> Path:
    """Fetch a file, unless it is there already.

    A download that broke off, in this call or an earlier one, is resumed where the server allows it. Two processes may
    ask for the same target at once: one fetches, the other waits for it. ``TARGET.lock`` may be left behind, and may
    be removed when no download runs.

    Args:
        url: http or https address. A user and password in it are used, and never shown.
        target: The file to write. Its folder is made when needed.
        sha256: Hexadecimal digest the file must have. A file that is there with another digest is fetched anew;
            without a digest any file that is there is taken.
        timeout: Seconds to wait for the connection, and for each next byte.
        progress: Show a bar on stderr: True always, False never, None when stderr is a terminal.

    Returns:
        The target.

    Raises:
        ModelError: The file cannot be fetched, or is not what the digest or the server says.
        OutputError: The file cannot be written.
    """
    target = Path(target)
    if not re.match(r"https?://[^/]", url, re.IGNORECASE):
        raise ModelError(f"{_masked(url)} is no address to download from; it must begin with http:// or https://")
    try:
        if _is_ready(target, sha256):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            # Another process may have fetched it while this one waited.
            if not _is_ready(target, sha256):
                partial = _Partial(target, url)
                _fetch(url, partial, timeout, progress)
                _check_digest(url, partial, sha256)
                partial.finish(target)
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{_masked(url)} cannot be saved as {target} ({reason}); free some space or choose another folder"
        ) from error
    return target


def _is_ready(target: Path, sha256: str | None) -> bool:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    return target.is_file() and (sha256 is None or file_digest(target) == sha256.lower())


def _fetch(url: str, partial: _Partial, timeout: float, progress: bool | None) -> None:
    """Bring ``partial`` to its full length, asking again after a break.

    Raises:
        ModelError: There is no such file, or no way to get it.
    """
    ends = set()
    for pause in (*PAUSES, None):
        try:
            return _receive(url, partial, timeout, progress)
        # Waiting as long again, or showing the same certificate again, would not help.
        except (requests.Timeout, requests.exceptions.SSLError) as error:
            raise ModelError(_unreachable(url, _reason(error, timeout))) from error
        except (_Interrupted, requests.ConnectionError) as error:
            if isinstance(error, requests.ConnectionError) and not partial.size and partial.length is None:
                raise ModelError(_unreachable(url, _reason(error, timeout))) from error  # nothing broke: none is there
            ends.add(partial.size if isinstance(error, _Short) else None)
            failure = error
        except (requests.RequestException, HTTPError, ValueError) as error:
            raise ModelError(_unreachable(url, type(error).__name__)) from error
        if pause is not None:
            time.sleep(pause)
    size, length = partial.size, partial.length
    reason = _reason(failure, timeout)
    if not size and length is None:
        raise ModelError(_unreachable(url, reason)) from failure
    so_far = f"{_masked(url)} broke off after {size} of {'unknown' if length is None else length} bytes ({reason})"
    if ends == {size}:
        # Every time at the same byte: the announced length is wrong, and what is here is no beginning of anything.
        partial.clear()
        raise ModelError(f"{so_far}, {len(PAUSES) + 1} times at the same byte; use another address") from failure
    raise ModelError(f"{so_far}; run again to go on from there") from failure


def _receive(url: str, partial: _Partial, timeout: float, progress: bool | None) -> None:
    """Ask once, for the rest if there is a beginning, and append what comes."""
    if partial.size and partial.size == partial.length:
        return  # All there: the process was killed before it could move the file.
    # Compressed answers could not be resumed, nor their length be checked.
    headers = {"Accept-Encoding": "identity"}
    offset = partial.size if partial.validator else 0
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": partial.validator}
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        if offset and answer.status_code in (206, 416):
            _check_continuation(answer, partial, offset)
        else:
            _check_answer(url, answer)
            length = answer.headers.get("Content-Length", "")
            partial.begin(answer.headers, int(length) if length.isdecimal() else None)
        try:
            _write(answer, partial, progress)
        except requests.exceptions.ChunkedEncodingError as error:
            raise _Short("the connection was closed") from error
    if partial.length is not None and partial.size < partial.length:
        raise _Short("the connection was closed")
    if partial.length is not None and partial.size > partial.length:
        message = f"{_masked(url)} sent {partial.size} bytes where {partial.length} were announced; use another address"
        partial.clear()
        raise ModelError(message)


def _check_answer(url: str, answer: requests.Response) -> None:
    """Accept a whole file only."""
    status = f"HTTP {answer.status_code} {responses.get(answer.status_code, '')}".rstrip()
    if answer.status_code in BUSY:
        raise _Interrupted(status)
    if answer.status_code != 200:
        advice = ADVICE.get(answer.status_code, "try again later or use another address")
        raise ModelError(f"{_masked(url)} answers {status}; {advice}")
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise ModelError(f"{_masked(url)} answers with encoding {encoding!r} only; use another address")


def _check_continuation(answer: requests.Response, partial: _Partial, offset: int) -> None:
    """Accept only the rest of the very file that ``partial`` begins; otherwise drop the beginning and ask anew."""
    found = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    same_version = all(answer.headers.get(name, value) == value for name, value in partial.version.items())
    same_length = found and (partial.length is None or found[2] in ("*", str(partial.length)))
    if answer.status_code == 416 or not found or int(found[1]) != offset or not same_version or not same_length:
        partial.clear()
        raise _Interrupted("the file changed meanwhile")
    if partial.length is None and found[2] != "*":
        partial.length = int(found[2])


def _write(answer: requests.Response, partial: _Partial, progress: bool | None) -> None:
    with (
        partial.path.open("ab") as file,
        tqdm(
            desc=partial.path.stem,
            total=partial.length,
            initial=partial.size,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            disable=None if progress is None else not progress,
        ) as bar,
    ):
        # Else urllib3 drops the last bytes of an answer that ends too soon; the length is checked by the caller.
        answer.raw.enforce_content_length = False
        for chunk in answer.iter_content(CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        # Otherwise a power cut after the move could leave a target with holes.
        os.fsync(file.fileno())


def _check_digest(url: str, partial: _Partial, sha256: str | None) -> None:
    if sha256 is None:
        return
    found = file_digest(partial.path)
    if found != sha256.lower():
        partial.clear()
        raise ModelError(f"{_masked(url)} has SHA-256 {found} where {sha256.lower()} is expected; use another address")


def file_digest(path: Path) -> str:
    """Hexadecimal sha256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreachable(url: str, reason: str) -> str:
    return f"{_masked(url)} cannot be reached ({reason}); check the address, the network and the proxy settings"


def _reason(error: Exception, timeout: float) -> str:
    """Why a transfer failed, in words that hold no address: requests repeats it, password and all."""
    if isinstance(error, _Interrupted):
        return str(error)
    if isinstance(error, requests.Timeout) or any(isinstance(cause, ReadTimeoutError) for cause in error.args):
        return f"no byte for {timeout:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not accepted"
    return "no connection"


def _masked(url: str) -> str:
    """The address without what may be secret: user, password and the values of the query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address"
    host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"***@{host[2]}" if host[1] else host[2], parts.path, parts.query and "***", ""))
