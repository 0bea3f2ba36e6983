"""A short video of people, made from a picture that comes with the module; and the encoder that it takes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

from .findings import OK, PROBLEM, Finding

RATE = 25.0  # frames per second: of the video, and of the camera that advice is given for
SIZE = (1280, 720)  # width and height of its pictures, pixels
FRAMES = 50  # the camera is then where it began
_SWAY = (24, 16)  # pixels that the camera moves to each side, across and up and down
_PICTURE = Path(__file__).with_name("street.jpg")


def make_clip(path: Path) -> None:
    """Write the video: a street that a swaying camera sees.

    Args:
        path: the MP4 to write.

    Raises:
        OutputError: it cannot be encoded or written.
        SourceError: the picture is missing.
    """
    import cv2

    from ..errors import SourceError
    from ..sinks.video import VideoWriter

    picture = cv2.imread(str(_PICTURE))
    if picture is None:
        raise SourceError(f"{_PICTURE.name} of this module cannot be read: install the module again")
    (width, height), (across, down) = SIZE, _SWAY
    scale = max((width + 2 * across) / picture.shape[1], (height + 2 * down) / picture.shape[0])
    picture = cv2.resize(picture, None, fx=scale, fy=scale)
    with VideoWriter(path, RATE) as writer:
        for index in range(FRAMES):
            turn = 2 * math.pi * index / FRAMES
            left, top = (round(reach * (1 + math.sin(turn))) for reach in _SWAY)
            writer.write(picture[top : top + height, left : left + width], index / RATE)


def check_encoder(path: Path) -> Iterator[Finding]:
    """Encode the video, and decode it again.

    Args:
        path: the MP4 to write; it is there afterwards if the encoder works.
    """
    from ..errors import TrackingError
    from ..sources.opening import open_source

    advice = "pip install --force-reinstall av, of a version in requirements-light.txt; or --visualization False"
    started = time.perf_counter()
    try:
        make_clip(path)
        with open_source(path) as source:
            read = sum(1 for _ in source)
    except (TrackingError, ValueError) as error:  # PyAV knows no encoder of that name: a ValueError
        path.unlink(missing_ok=True)
        yield Finding("encoder", PROBLEM, f"H.264 videos cannot be made ({error}): {advice}")
        return
    if read == FRAMES:
        text = f"H.264 works: {read} pictures of {SIZE[0]}x{SIZE[1]} written and read in"
        yield Finding("encoder", OK, f"{text} {time.perf_counter() - started:.1f} s")
    else:
        path.unlink()
        yield Finding("encoder", PROBLEM, f"of {FRAMES} pictures encoded {read} can be read again: {advice}")
