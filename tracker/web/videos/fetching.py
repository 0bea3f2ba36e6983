"""Fetching a video that a visitor names by its address, where the operator allows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import requests

from ...errors import OptionError, OutputError, SourceError

CHUNK = 1 << 18  # bytes
PAUSE = 20.0  # seconds that the other server may send nothing


def check_address(address: str) -> None:
    """Check the address of a video.

    Raises:
        OptionError: it is none of http or https.
    """
    if not address.startswith(("http://", "https://")) or not address.isprintable() or " " in address:
        raise OptionError("give an address that begins with http:// or https://")


def fetch(address: str, part: Path, most: int, seconds: float, ended: Callable[[], bool]) -> None:
    """Fetch a file.

    Args:
        address: of http or https.
        part: where it is written.
        most: bytes that it may have.
        seconds: that it may take.
        ended: says that nobody wants it any more.

    Raises:
        SourceError: it cannot be had, is too large, or takes too long.
        OutputError: it cannot be written.
    """
    end, taken = time.monotonic() + seconds, 0
    try:
        with requests.get(address, stream=True, timeout=PAUSE) as answer, part.open("wb") as file:
            if not answer.ok:
                raise SourceError(f"the address answers {answer.status_code} {answer.reason}: check it")
            for chunk in answer.iter_content(CHUNK):
                taken += len(chunk)
                if taken > most:
                    raise SourceError(f"the video has more than the {most / 1e6:g} megabytes taken here")
                if time.monotonic() > end or ended():
                    raise SourceError(f"the video did not come within {seconds:g} seconds")
                file.write(chunk)
    except requests.RequestException as error:
        raise SourceError(f"the address gives no video: {type(error).__name__}") from error
    except OSError as error:
        raise OutputError(f"the server cannot keep the video: {error.strerror}") from error
