"""A video while it grows: an MP4 in fragments, of which a kill or a full disk may cut the last."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path

import av

_HEAD = struct.Struct(">I4s")  # of a box: its length in bytes, this included, and its kind


def make_whole(part: Path) -> bool:
    """Cut off what is not a whole fragment at the end, on which players stop with an error.

    Args:
        part: the file, to which nothing is written any more.

    Returns:
        Whether there are pictures in what is left.

    Raises:
        OSError: it cannot be read or cut.
    """
    if not part.is_symlink():  # what somebody's link leads to is not ours to change
        _cut(part)
    return any(_pictures(part))


def count_pictures(part: Path) -> int:
    """Return how many pictures there are, as far as the file can be read."""
    return sum(_pictures(part))


def remux(part: Path, final: Path) -> int:
    """Copy whole fragments to a plain MP4 with its index in front; return the number of pictures.

    Raises:
        OSError: one cannot be read, or the other not be written.
        av.FFmpegError: likewise.
    """
    pictures = 0
    with (
        av.open(str(part)) as source,
        av.open(str(final), "w", format="mp4", container_options={"movflags": "faststart"}) as target,
    ):
        outputs = [target.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        for packet in source.demux():
            if packet.dts is not None:  # else the end of a stream
                pictures += packet.stream.type == "video"
                packet.stream = outputs[packet.stream.index]
                target.mux(packet)
    return pictures


def _cut(part: Path) -> None:
    with part.open("r+b") as file:
        size = file.seek(0, 2)
        at = end = 0
        while at + _HEAD.size <= size:
            file.seek(at)
            length, kind = _HEAD.unpack(file.read(_HEAD.size))
            at += length
            if length < _HEAD.size or at > size:
                break
            if kind != b"moof":  # which describes pictures that come behind it
                end = at
        file.truncate(end)


def _pictures(part: Path) -> Iterator[bool]:
    """Yield for each packet of the video whether it is a whole picture."""
    with contextlib.suppress(av.FFmpegError, IndexError), av.open(str(part)) as source:  # IndexError: no video stream
        for packet in source.demux(video=0):
            yield packet.dts is not None and not packet.is_corrupt
