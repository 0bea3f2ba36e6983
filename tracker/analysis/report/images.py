"""Pictures as addresses that hold the picture itself, so that the page needs no other file."""

from __future__ import annotations

import base64
from pathlib import Path


def embedded(path: Path, longest: int, quality: int = 80) -> str | None:
    """Return a picture as a ``data:`` address, as JPEG of a limited size; None where there is none.

    Args:
        path: of the picture.
        longest: pixels that its longer side may have.
        quality: of the JPEG, 1 to 100.
    """
    import cv2

    picture = cv2.imread(str(path)) if path.is_file() else None
    if picture is None:
        return None
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return as_is(data.tobytes())


def as_is(data: bytes) -> str:
    """Return a JPEG as a ``data:`` address."""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
