"""Whether a camera gives pictures, and whether a window can be opened."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from .findings import NOTE, OK, PROBLEM, Finding

DEVICES = Path("/dev")
_FRAMES = 30  # of a camera, to tell its rate by


def check_camera(asked: int | None) -> Iterator[Finding]:
    """Read some pictures of a camera.

    Args:
        asked: its number, where the user gave one; else the first one that there is is tried, and may fail.
    """
    found = sorted(DEVICES.glob("video*"), key=lambda path: (len(path.name), path.name))
    number = asked
    if number is None and found:
        digits = re.search(r"\d+", found[0].name)
        number = int(digits[0]) if digits else 0
    if number is None:
        yield Finding("camera", NOTE, f"not tried: no {DEVICES}/video* here; --camera 0 tries one all the same")
        return
    from ..errors import SourceError
    from ..sources.live.camera import CameraSource

    try:
        with CameraSource(number) as camera:
            frames = iter(camera)
            first = next(frames)  # a camera takes a while to begin
            started = time.perf_counter()
            more = sum(1 for _ in islice(frames, _FRAMES))
            seconds = time.perf_counter() - started
    except SourceError as error:
        yield Finding("camera", NOTE if asked is None else PROBLEM, f"{error}; may this user read /dev/video{number}?")
        return
    height, width = first.image.shape[:2]
    text = f"camera {number} gives pictures of {width}x{height}, {more / max(seconds, 1e-9):.1f} a second"
    if more == _FRAMES:
        yield Finding("camera", OK, text)
    else:
        yield Finding("camera", NOTE, f"{text}, and was lost after {more + 1}: try another cable or port")


def check_window() -> Iterator[Finding]:
    """Find whether OpenCV has windows, and a display to open them on; none is opened."""
    from ..errors import OptionError
    from ..web.live.window import check_display

    try:
        check_display()
    except OptionError as error:
        yield Finding("window", NOTE, f"none: {error}")
        return
    yield Finding("window", OK, "--show can open a window")
