"""How fast tracking is on this machine, and what a camera needs for it: all of it measured."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ..predictor import Predictor
from .clip import RATE, SIZE
from .findings import NOTE, OK, Finding
from .measuring import Speed, measure

OWN_SIZE = "1088x608"  # of the compact model's input, pixels
SMALLER = ("864x480", "640x352")  # from the mildest on
ENOUGH = 0.97  # share of a camera's frames that is tracked where a setting suffices for it
_OF_FILE, _OF_CAMERA = 0.4, 0.2  # of the time: for a file, and for each way to track a camera

PredictorOf = Callable[[str], Predictor]  # gives the predictor for a size of the network's input


def check_speed(clip: Path, seconds: float, predictor_of: PredictorOf) -> Iterator[Finding | Speed]:
    """Measure a file and a camera and, if the camera is too fast, what may help until something does.

    Args:
        clip: the video, see `RepeatedClip`.
        seconds: about how long to measure in all.
        predictor_of: see there.

    Yields:
        The speed of the file, then the findings.
    """
    # before, for afterwards it is the measurement's own
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    usual = predictor_of(OWN_SIZE)
    speed = measure(usual, clip, _OF_FILE * seconds)
    yield speed
    text = (
        f"{speed.rate:.1f} frames/s from video to tracks and annotated video: compact model at {OWN_SIZE}, pictures of "
        f"{SIZE[0]}x{SIZE[1]} with {speed.people} people; an hour of {RATE:g} frames/s takes "
        f"{60 * RATE / speed.rate:.0f} minutes"
    )
    cores = os.cpu_count() or 1
    if load > cores:
        text += f". Other programs are busy (load {load:.1f} on {cores} cores): end them, and measure again"
    yield Finding("speed", NOTE if load > cores else OK, text)
    yield _for_camera(clip, _OF_CAMERA * seconds, usual, predictor_of, speed.rate)


def _for_camera(clip: Path, seconds: float, usual: Predictor, predictor_of: PredictorOf, rate: float) -> Finding:
    """Find what a camera needs so that no frame is lost, where a file has so many frames a second."""
    camera = f"a camera of {RATE:g} frames/s"
    kept = measure(usual, clip, seconds, live=True).kept
    if kept >= ENOUGH:
        return Finding("real time", OK, f"{camera} is tracked in real time, as it is")
    enough, too_slow = [], []
    # a camera's pictures are tracked one by one, which may take longer than a file's
    least = max(2, math.ceil(RATE / rate))
    for skip_frames in sorted({least, least + 1, max(least, round(1 / kept))}):
        option, share = f"--skip_frames {skip_frames}", measure(usual, clip, seconds, True, skip_frames).kept
        if share >= ENOUGH:
            enough.append(option)
            break
        too_slow.append(option)
    for size in SMALLER:
        option, share = f"--input_size {size}", measure(predictor_of(size), clip, seconds, True).kept
        if share >= ENOUGH:
            enough.append(option)
            break
        too_slow.append(option)
    lost = f"of {camera} {100 * (1 - kept):.0f} % of the frames are lost"
    if too_slow:
        lost += f", and some with {', '.join(too_slow)}"
    advice = f"real time needs {' or '.join(enough)}" if enough else "--realtime leaves out as many as it must"
    return Finding("real time", NOTE, f"{lost}; {advice}, as measured")
