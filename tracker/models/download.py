"""Download of one file over HTTP: resumed after a break, limited in size and time, verified, safe between processes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http.client import responses
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from filelock import FileLock, Timeout
from tqdm import tqdm
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ..errors import ModelError, OutputError

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 16
MAX_BYTES = 4 << 30
MAX_SECONDS = 2 * 3600.0  # of one call; the next call goes on from there
LEAST_RATE = 1000  # bytes a second, over each ``timeout``
ANSWER = 3  # times ``timeout`` in which an answer must begin, all redirects included
STANDSTILLS = 3  # times ``timeout`` for which another process's download may not get on
PAUSES = (0.5, 1.0, 2.0)  # seconds to wait before asking again
BUSY = (429, 502, 503, 504)  # answers of a server that may have the file later


def download(
    url: str,
    target: Path,
    sha256: str | None = None,
    timeout: float = 10.0,
    progress: bool | None = None,
    notice: str | None = None,
) -> Path:
    """Download a file, unless it is there already.

    A download that broke off, in this call or an earlier one, is resumed where the server allows it. When two processes
    ask for the same target at once, one downloads and the other waits for as long as it gets on. The digest of the
    first complete download is kept in ``TARGET.json``: other content is refused from then on. ``TARGET.lock`` may be
    left behind.

    Args:
        url: http or https address. A user and password in it are used, and never shown.
        target: The file to write. Its folder is made when needed.
        sha256: Hexadecimal digest the file must have. A file that is there with another digest is downloaded anew;
            without a digest any file that is there is taken.
        timeout: Seconds to wait for the connection, and for each next byte. In any such time at least 1000 bytes a
            second must come.
        progress: Show a bar on stderr: True always, False never, None when stderr is a terminal.
        notice: Logged as information when bytes begin to come, and not before: a server may refuse.

    Returns:
        The target.

    Raises:
        ModelError: The file cannot be downloaded, or is not what the digest or the server says.
        OutputError: The file cannot be written.
    """
    target = Path(target)
    try:
        if not _is_ready(target, sha256):
            target.parent.mkdir(parents=True, exist_ok=True)
            with _locked(target, url, timeout):
                if not _is_ready(target, sha256):  # another process may have downloaded it meanwhile
                    _Download(url, target, timeout, progress, notice).run(sha256)
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{_masked(url)} cannot be saved as {target} ({reason}); free some space or choose another folder"
        ) from error
    return target


def note_path(target: Path) -> Path:
    """Return the file beside a download that holds what is known of it, its digest among others."""
    return target.with_name(f"{target.name}.json")


def file_digest(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file.

    Raises:
        OSError: The file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _is_ready(target: Path, sha256: str | None) -> bool:
    return target.is_file() and (sha256 is None or file_digest(target) == sha256.lower())


@contextmanager
def _locked(target: Path, url: str, timeout: float) -> Iterator[None]:
    """Keep other processes from a target; wait for one that has it, while its part of the file grows."""
    lock, part = FileLock(f"{target}.lock"), _part(target)
    size, standstills = -1, 0
    while not lock.is_locked:
        try:
            lock.acquire(timeout=timeout)
        except Timeout:
            grown = part.stat().st_size if part.exists() else 0
            standstills = 0 if grown > size else standstills + 1
            if size < 0:
                logger.info("waiting for another process that downloads %s", _masked(url))
            if standstills == STANDSTILLS:
                raise ModelError(
                    f"{_masked(url)} is being downloaded by another process, which has not got on for "
                    f"{STANDSTILLS * timeout:g} s: end it and run again"
                ) from None
            size = grown
    try:
        yield
    finally:
        lock.release()


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


class _TryAgain(Exception):
    """The transfer has to be asked for again."""


class _Download:
    """A download under way: ``TARGET.part`` holds the bytes so far, ``TARGET.json`` what they are part of.

    The note has the ``address`` as a digest, for it may hold a password; ``version`` and ``length`` of the file that
    the bytes are of; and ``sha256`` of the first complete download.
    """

    def __init__(self, url: str, target: Path, timeout: float, progress: bool | None, notice: str | None) -> None:
        self.url, self.target, self.timeout, self.progress, self.notice = url, target, timeout, progress, notice
        self.name = _masked(url)
        self.part = _part(target)
        self.deadline = time.monotonic() + MAX_SECONDS
        address = hashlib.sha256(url.encode()).hexdigest()
        self.note: dict[str, Any] = {"address": address, "version": None, "length": None, "sha256": None}
        try:
            note = json.loads(note_path(target).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return
        if isinstance(note, dict) and note.keys() == self.note.keys() and note["address"] == address:
            self.note = note

    def run(self, sha256: str | None) -> None:
        if not re.match(r"https?://[^/]", self.url, re.IGNORECASE):
            raise ModelError(f"{self.name} is no address to download from; it must begin with http:// or https://")
        self._transfer()
        if not self.size:
            self.part.unlink(missing_ok=True)
            raise ModelError(f"{self.name} answers with an empty file; use another address")
        digest, expected = file_digest(self.part), (sha256 or self.note["sha256"] or "").lower()
        if expected and digest != expected:
            self.part.unlink()
            advice = "use another address" if sha256 else f"delete {note_path(self.target)} if you trust the change"
            raise ModelError(f"{self.name} has SHA-256 {digest} where {expected} is expected; {advice}")
        self._write_note(sha256=digest)
        self.part.replace(self.target)

    @property
    def size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _transfer(self) -> None:
        """Bring the part to its full length, asking again after a break."""
        for pause in (*PAUSES, None):
            try:
                return self._receive()
            except (_TryAgain, requests.RequestException, HTTPError, ValueError) as error:
                # Without a byte so far, there is no connection that could be better the next time.
                broken = self.size and isinstance(error, requests.ConnectionError | HTTPError)
                if pause is None or not (broken or isinstance(error, _TryAgain)):
                    raise ModelError(self._failure(error)) from error
            time.sleep(pause)

    def _receive(self) -> None:
        """Ask once, for the rest if there is a beginning, and append what comes."""
        length, version = self.note["length"], self.note["version"]
        offset = self.size if length and version else 0  # only what is known to be of the same file can be continued
        if offset and offset == length:
            return  # the process was killed before it could move the file
        # Compressed answers could not be resumed, nor their length be checked.
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers |= {"Range": f"bytes={offset}-", "If-Range": version}
        with self._ask(headers) as answer:
            if offset and answer.status_code in (206, 416):
                rest = (f"bytes {offset}-{length - 1}/{length}", version)
                if (answer.headers.get("Content-Range"), _version(answer)) != rest:
                    self.part.unlink()
                    raise _TryAgain("the file changed meanwhile")
            else:
                self._begin(answer)
            self._append(answer)

    def _ask(self, headers: dict[str, str]) -> requests.Response:
        """Return the answer as soon as its content begins, or fail in time, however slowly headers drip in."""
        future: Future[requests.Response] = Future()

        def ask() -> None:
            try:
                future.set_result(requests.get(self.url, headers=headers, stream=True, timeout=self.timeout))
            except Exception as error:  # noqa: BLE001 (raised in the thread that waits)
                future.set_exception(error)

        threading.Thread(target=ask, name="download", daemon=True).start()
        try:
            return future.result(ANSWER * self.timeout)
        except TimeoutError:
            raise ModelError(self._failure(_TryAgain(f"no answer within {ANSWER * self.timeout:g} s"))) from None

    def _begin(self, answer: requests.Response) -> None:
        """Accept a whole file only, and start from nothing."""
        status = f"HTTP {answer.status_code} {responses.get(answer.status_code, '')}".rstrip()
        if answer.status_code in BUSY:
            raise _TryAgain(status)
        if answer.status_code != 200:
            raise ModelError(f"{self.name} answers {status}; check the address, or try again later")
        kind, encoding = (answer.headers.get(f"Content-{name}", "") for name in ("Type", "Encoding"))
        if kind.startswith("text/html") or encoding not in ("", "identity"):
            raise ModelError(f"{self.name} answers with {encoding or 'a page'} in place of a file; use another address")
        length = answer.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > MAX_BYTES:
            raise ModelError(f"{self.name} has {length} bytes, more than {MAX_BYTES}; use another address")
        # In this order, so that old bytes never stand next to a new note, wherever the process may be killed.
        self.part.unlink(missing_ok=True)
        self._write_note(version=_version(answer), length=int(length) if length.isdecimal() else None)

    def _append(self, answer: requests.Response) -> None:
        if self.notice:
            logger.info("%s", self.notice)
            self.notice = None
        length, disable = self.note["length"], None if self.progress is None else not self.progress
        bar = tqdm(desc=self.target.name, total=length, initial=self.size, unit="B", unit_scale=True, disable=disable)
        slow = False
        with self.part.open("ab") as file, bar:
            checked, size = time.monotonic(), file.tell()
            # `read1` gives what is there, so that the limits hold however slowly bytes drip in.
            while chunk := answer.raw.read1(CHUNK_BYTES):
                bar.update(file.write(chunk))
                now = time.monotonic()
                if now > checked + self.timeout:
                    slow = file.tell() - size < LEAST_RATE * self.timeout
                    checked, size = now, file.tell()
                if slow or file.tell() > MAX_BYTES or now > self.deadline:
                    break
            file.flush()
            os.fsync(file.fileno())  # else a power cut after the move could leave a target with holes
        if self.size > MAX_BYTES or (length is not None and self.size > length):
            size = self.size
            self.part.unlink()
            raise ModelError(f"{self.name} sends {size} bytes or more, too many; use another address")
        if slow and self.size != length:
            raise ModelError(self._failure(_TryAgain(f"fewer than {LEAST_RATE} bytes a second")))
        if chunk and self.size != length:
            raise ModelError(self._failure(_TryAgain(f"not done after {MAX_SECONDS:g} s")))
        if length is not None and self.size < length:
            raise _TryAgain("the connection was closed")

    def _write_note(self, **changes: Any) -> None:
        """Change entries of the note, in one step."""
        self.note |= changes
        scratch = self.target.with_name(f"{self.target.name}.json.part")
        scratch.write_text(json.dumps(self.note), encoding="utf-8")
        scratch.replace(note_path(self.target))

    def _failure(self, error: Exception) -> str:
        """Say why a transfer failed, without what requests says: that repeats the address, password and all."""
        reason = str(error) if isinstance(error, _TryAgain) else "no connection"
        if isinstance(error, requests.Timeout | ReadTimeoutError):
            reason = f"no byte for {self.timeout:g} s"
        elif isinstance(error, requests.exceptions.SSLError):
            reason = "its certificate is not accepted"
        if not self.size:
            return f"{self.name} cannot be downloaded ({reason}); check the address, the network and the proxy settings"
        so_far = f"{self.size} of {self.note['length'] or 'unknown'} bytes"
        return f"{self.name} broke off after {so_far} ({reason}); run again to go on from there"


def _version(answer: requests.Response) -> str | None:
    """Return what If-Range may hold: a strong ETag or else the date; None when a resumed file could be a mixture."""
    tag = answer.headers.get("ETag", "W/")
    return answer.headers.get("Last-Modified") if tag.startswith("W/") else tag


def _masked(url: str) -> str:
    """Return an address without what may be secret: user, password and the values of the query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address"
    _, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"***@{host}" if at else host, parts.path, parts.query and "***", ""))
