"""The process that encodes pictures and sends them to a streaming server, started by `push`.

It is a process of its own because FFmpeg, by way of PyAV, keeps Python's lock while it connects: a server that does not
answer would stop everything else. It gets one line of JSON on standard input, then for each picture its time in seconds
as a double and its planes in yuv420p. It prints ``ready`` once it is connected, or why it ends. An alarm ends it where
the network takes nothing for some seconds. It imports nothing of this package, to start quickly.
"""

from __future__ import annotations

import json
import signal
import struct
import sys
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace

TICK = Fraction(1, 90_000)
KEY_INTERVAL = 1.0  # seconds: who begins to watch waits no longer
X264 = {
    **{"preset": "veryfast", "tune": "zerolatency", "crf": "24", "maxrate": "6M", "bufsize": "3M"},
    **{"threads": "2", "forced-idr": "1"},
}
MUXER = {  # by the scheme of the address
    "udp": {"flush_packets": "1"},
    "srt": {"flush_packets": "1"},
    "rtmp": {"flush_packets": "1", "flvflags": "no_duration_filesize"},
    "rtsp": {"rtsp_transport": "tcp"},
}


def main() -> int:
    """Send all pictures, and return the exit code."""
    pictures = sys.stdin.buffer
    about = json.loads(pictures.readline())
    try:
        send(pictures, about)
    except av.FFmpegError as error:  # its text has the address, with the password
        print(error.strerror, flush=True)
        return 1
    return 0


def send(pictures: BinaryIO, about: dict[str, Any]) -> None:
    """Connect, and send pictures until there are no more.

    Args:
        pictures: where they come from.
        about: ``url``, ``format``, ``width``, ``height``, ``rate``, ``aspect`` (of a pixel, as text), and ``patience``:
            seconds for the connection, and for each picture.

    Raises:
        av.FFmpegError: the connection cannot be made, or breaks.
    """
    scheme = about["url"].partition("://")[0].removesuffix("s")
    _alarm(about["patience"][0])
    with av.open(about["url"], "w", format=about["format"], container_options=MUXER[scheme]) as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(about["rate"]).limit_denominator(100_000), options=X264, width=about["width"],
            height=about["height"], time_base=TICK, colorspace=Colorspace.ITU601, color_range=ColorRange.MPEG,
        )  # fmt: skip
        stream.codec_context.sample_aspect_ratio = Fraction(about["aspect"])
        container.start_encoding()
        print("ready", flush=True)
        shape = about["height"] * 3 // 2, about["width"]
        last, next_key = -1, 0
        while True:
            _alarm(0)
            head = pictures.read(8)
            planes = pictures.read(shape[0] * shape[1])
            if len(planes) < shape[0] * shape[1]:
                break
            _alarm(about["patience"][1])
            frame = av.VideoFrame.from_ndarray(np.frombuffer(planes, np.uint8).reshape(shape), format="yuv420p")
            last = max(round(struct.unpack("d", head)[0] / TICK), last + 1)
            frame.pts, frame.time_base = last, TICK
            if last >= next_key:
                frame.pict_type = PictureType.I
                next_key = last + round(KEY_INTERVAL / TICK)
            container.mux(stream.encode(frame))
        _alarm(about["patience"][1])
        container.mux(stream.encode(None))


def _alarm(seconds: float) -> None:
    """Let the system end this process after some seconds, whatever holds it; 0 for never."""
    if hasattr(signal, "setitimer"):  # Windows has none
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    sys.exit(main())
