"""Where a long video is cut, and the parts of it as sources."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import OptionError, SourceError
from ...sources.base import MAX_PIXELS, Source
from ...sources.container import choose_stream, open_file
from ...sources.images import is_image
from ...sources.video import VideoSource
from ...structures import Frame

OVERLAP = 10.0  # seconds that two parts share: several times what an association remembers
SHORTEST = 2 * OVERLAP  # seconds of a part
_UNITS = {"s": 1, "m": 60, "h": 3600}
_TICK = 0.001  # seconds by which two time stamps of one picture may differ

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A part of a video, from a key frame on.

    Attributes:
        stamp: time stamp of its key frame, in the unit of the stream.
        first: number of its first frame in the video, from 0.
        stop: number of the first frame after it; the next part begins before.
        seconds: time of its first frame since that of the video.
        frame_rate: usual frames per second of the whole video.
    """

    stamp: int
    first: int
    stop: int
    seconds: float
    frame_rate: float


def read_length(value: float | str) -> float:
    """Return the length of parts in seconds, given as such or as in ``90s``, ``10m`` and ``1h``.

    Raises:
        OptionError: it is none, or too short.
    """
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smh]?)", str(value).strip())
    seconds = float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
    if seconds < SHORTEST:
        raise OptionError(f"parts must be a length such as 10m, {SHORTEST:g} s or more, not {value!r}")
    return seconds


def cut(path: Path, length: float, max_pixels: int = MAX_PIXELS) -> list[Part]:
    """Return the parts of a video: each begins at a key frame, and ends `OVERLAP` after the next one has begun.

    All packets are read for that, none is decoded.

    Args:
        path: the video.
        length: of a part, seconds.
        max_pixels: width times height that a picture may have.

    Returns:
        The parts in order; none for images and for a video that cannot be cut, which is told.

    Raises:
        SourceError: it is no video.
    """
    if path.is_dir() or is_image(path):
        return []
    label = repr(str(path))
    with VideoSource(open_file(path, label, max_pixels, 10.0), label, path.stem, max_pixels=max_pixels) as source:
        frame_rate = source.frame_rate
    stamps, keys, base = _packets(path, label, max_pixels)
    if stamps is None:
        logger.warning("%s has no time stamps to cut it by: it is tracked in one piece", label)
        return []
    order = np.sort(stamps)
    seconds = (order - order[0]) * base
    # A picture that is shown before a key frame and coded after it belongs to both sides.
    after = np.append(np.minimum.accumulate(stamps[::-1])[::-1][1:], np.iinfo(np.int64).max)
    clean = np.searchsorted(order, np.sort(stamps[keys & (after > stamps)]))
    starts = [0]
    for number in clean[seconds[clean] > 0]:
        rest = seconds[-1] - seconds[number]
        if seconds[number] - seconds[starts[-1]] >= length - _TICK and rest >= OVERLAP:
            starts.append(int(number))
    if len(starts) == 1:
        if seconds[-1] > 2 * length:
            logger.warning("%s has no key frames to cut it at: it is tracked in one piece", label)
        return []
    stops = [int(np.searchsorted(seconds, seconds[start] + OVERLAP)) for start in starts[1:]]
    return [
        Part(int(order[first]), first, stop, float(seconds[first]), frame_rate)
        for first, stop in zip(starts, [*stops, len(order)])
    ]


def _packets(path: Path, label: str, max_pixels: int) -> tuple[np.ndarray | None, np.ndarray, float]:
    """Return time stamps, in the order of the file, which of them are key frames, and the unit in seconds."""
    with open_file(path, label, max_pixels, 10.0) as container:
        stream = choose_stream(container, label)
        packets = [(one.pts, one.is_keyframe) for one in container.demux(stream) if one.size]
        base = float(stream.time_base or 0)
    if not packets or any(stamp is None for stamp, _ in packets) or not base:
        return None, np.zeros(0, bool), base
    stamps = np.array([stamp for stamp, _ in packets], np.int64)
    if len(np.unique(stamps)) != len(stamps) or not packets[0][1] or stamps.min() != stamps[0]:
        return None, np.zeros(0, bool), base
    return stamps, np.array([key for _, key in packets]), base


class PartSource(Source):
    """A part of a video, whose frames have the numbers and times that they have in the whole.

    Args:
        path: the video.
        part: which part of it.
        max_pixels: width times height that a picture may have.

    Raises:
        SourceError: it cannot be read.
    """

    def __init__(self, path: Path, part: Part, max_pixels: int = MAX_PIXELS) -> None:
        label = f"{str(path)!r} from second {part.seconds:.0f} on"
        container = open_file(path, label, max_pixels, 10.0)
        try:
            stream = choose_stream(container, label)
            container.seek(part.stamp, stream=stream)
        except (OSError, SourceError) as error:
            container.close()
            raise SourceError(f"cannot read {label}: {error}") from error
        self._part = part
        self._start = part.stamp * float(stream.time_base or 0)
        self._video = VideoSource(container, label, path.stem, max_pixels=max_pixels)
        super().__init__(label, path.stem, part.frame_rate, part.stop - part.first)

    def _read(self) -> Iterator[Frame]:
        before: int | None = None  # frames that were read before the key frame
        for frame in self._video:
            if before is None:
                if self._video.start_time + frame.time < self._start - _TICK:
                    continue
                before, early = frame.index, frame.time
                self.pixel_aspect = self._video.pixel_aspect
            index = frame.index - before + self._part.first
            if index >= self._part.stop:
                break
            yield replace(frame, index=index, time=frame.time - early + self._part.seconds)
        self.skipped = self._video.skipped

    def _release(self) -> None:
        self._video.close()
