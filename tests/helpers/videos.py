"""Videos made on the spot, so that the tests carry no files, and what is read back from a video."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tracker.errors import SourceError
from tracker.sources import open_source

AUDIO_RATE = 44100
JPEG = {"codec": "mjpeg"}  # options of `write_video` for pictures that each stand alone


def numbered_frames(count: int, size: tuple[int, int] = (96, 64)) -> list[np.ndarray]:
    """Grey pictures whose brightness tells their number: [H, W, 3] uint8, `size` is (width, height)."""
    width, height = size
    return [np.full((height, width, 3), 20 + 5 * number, np.uint8) for number in range(count)]


def number_of(image: np.ndarray) -> int:
    """The number of a picture made by `numbered_frames`, after any lossy codec."""
    # FFmpeg's conversions from YUV come out up to 4 levels too dark.
    return round((float(image.mean()) - 18) / 5)


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    rate: float = 25,
    codec: str = "libx264",
    times: Sequence[float] | None = None,
    audio: bool = False,
    pixel_format: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    audio_seconds: float | None = None,
) -> Path:
    """Encode frames into the container that the suffix of the path names.

    Args:
        path: the file to write.
        frames: [H, W, 3] uint8 BGR, all of one size.
        rate: frames per second.
        codec: name of an FFmpeg encoder.
        times: seconds of every frame, for a variable rate.
        audio: add a tone.
        pixel_format: of the encoder; its own usual one where None.
        options: of the encoder.
        container_options: of the format, as {"movflags": "faststart"}.
        audio_seconds: length of the tone; that of the frames where None.

    Returns:
        The path.
    """
    frames = list(frames)
    ticks = Fraction(1, 12800)
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        video = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001), options=options or {})
        video.height, video.width = frames[0].shape[:2]
        odd = video.height % 2 or video.width % 2
        video.pix_fmt = pixel_format or ("yuvj420p" if codec == "mjpeg" else "yuv444p" if odd else "yuv420p")
        if times is not None:
            video.codec_context.time_base = ticks
        sound = container.add_stream("aac", rate=AUDIO_RATE, layout="mono") if audio else None
        for number, image in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
            if times is not None:
                picture.pts, picture.time_base = round(times[number] / ticks), ticks
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if sound is not None:
            seconds = len(frames) / rate if audio_seconds is None else audio_seconds
            for start in range(0, round(seconds * AUDIO_RATE), 1024):
                wave = np.sin((start + np.arange(1024)) * (2 * np.pi * 440 / AUDIO_RATE)).astype(np.float32)
                chunk = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                chunk.sample_rate, chunk.pts, chunk.time_base = AUDIO_RATE, start, Fraction(1, AUDIO_RATE)
                container.mux(sound.encode(chunk))
            container.mux(sound.encode())
    return path


def damage_packets(path: Path, numbers: Iterable[int]) -> None:
    """Overwrite the payload of some video packets, counted from 0 in the order of the file."""
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in numbers:
        position, size = packets[number]
        # The length in front of an H.264 unit stays, so that the following packets are found.
        data[position + 4 : position + size] = b"\xff" * (size - 4)
    path.write_bytes(data)


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Have players turn or mirror an mp4: x' = a x + c y, y' = b x + d y with y downwards."""
    # ISO 14496-12, box 'tkhd': 16.16 fixed point
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    data[start : start + len(matrix)] = matrix
    path.write_bytes(data)


def rotate_in_header(path: Path, degrees: int) -> None:
    """Have players turn an mp4 clockwise by 0, 90, 180 or 270 degrees."""
    a, b = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    set_display_matrix(path, a, b, -b, a)


def write_playlist(path: Path, *segments: str, ends: bool = True) -> Path:
    """Write an HLS playlist of segments of one second; one without an end is read anew for ever."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1"]
    for segment in segments:
        lines += ["#EXTINF:1,", segment]
    path.write_text("\n".join([*lines, *(["#EXT-X-ENDLIST"] if ends else []), ""]))
    return path


def plain_image(height=48, width=64, color=(90, 90, 90)):
    return np.full((height, width, 3), color, np.uint8)


def decode_video(path):
    """Pictures [N, H, W, 3] BGR and their times in seconds."""
    with av.open(str(path)) as container:
        frames = [(frame.to_ndarray(format="bgr24"), frame.time) for frame in container.decode(video=0)]
    return [image for image, _ in frames], [time for _, time in frames]


def mp4_boxes(path):
    """Names of the file's top-level boxes."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        names.append(data[at + 4 : at + 8].decode())
        at += size if size > 1 else int.from_bytes(data[at + 8 : at + 16], "big")
    return names


class BreakingContainer:
    """An input whose reading ends in an error: `error` is raised after `after` packets, or at the end where None."""

    def __init__(self, path: Path, error: Exception, after: int | None = None) -> None:
        self._container = av.open(str(path))
        self._error, self._after = error, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._container, name)

    def demux(self, *streams):
        yield from itertools.islice(self._container.demux(*streams), self._after)
        raise self._error


def read_source(path, **options):
    """The source, closed, and all its frames."""
    with open_source(path, **options) as source:
        return source, list(source)


def source_error(*arguments, error=SourceError, **options):
    """The one line that opening or reading fails with."""
    with pytest.raises(error) as caught, open_source(*arguments, **options) as source:
        list(source)
    assert "\n" not in str(caught.value), str(caught.value)
    return str(caught.value)
