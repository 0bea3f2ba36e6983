"""What pictures may show of a frame: the one place that all pictures of people, proofs and backgrounds come from."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...errors import OutputError
from ...structures import Frame, Tracks

# Called once for every tracked frame, in order; returns [H, W, 3] uint8 BGR, which is not changed by whoever gets it.
View = Callable[[Frame, Tracks], np.ndarray]

_NUMBERED = re.compile(r"(\d+)(-\d+)?\.jpg")  # the best, and more of somebody


def plain_view(frame: Frame, tracks: Tracks) -> np.ndarray:
    """Return the picture of a frame as it is.

    Args:
        frame: the frame.
        tracks: the people in sight, of whom another view may hide some.
    """
    return frame.image


def write_jpeg(path: Path, picture: np.ndarray, quality: int) -> None:
    """Write a picture, whole or not at all.

    Args:
        path: JPEG file; its folder is made if needed.
        picture: [H, W, 3] uint8 BGR.
        quality: 1 to 100.

    Raises:
        OutputError: it cannot be written.
    """
    import cv2

    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data.tobytes())
        part.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; free some space") from error


def numbered_pictures(folder: Path) -> dict[Path, int]:
    """Return the pictures ``NUMBER.jpg`` and ``NUMBER-2.jpg`` of a folder with their number; {} without a folder."""
    if not folder.is_dir():
        return {}
    named = {path: _NUMBERED.fullmatch(path.name) for path in sorted(folder.iterdir())}
    return {path: int(found[1]) for path, found in named.items() if found}


def remove_pictures(folder: Path) -> None:
    """Remove the numbered pictures of a folder, those of a run before.

    Raises:
        OutputError: one cannot be removed.
    """
    try:
        for path in numbered_pictures(folder):
            path.unlink()
    except OSError as error:
        raise OutputError(f"cannot remove {path}: {error.strerror}") from error
