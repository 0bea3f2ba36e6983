"""Opening files and streams with FFmpeg's libraries, so that no input leads to anything but itself."""

from __future__ import annotations

import errno
import functools
import io
import logging
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import av

from ..errors import SourceError
from .base import RefusedError

logger = logging.getLogger(__name__)

# FFmpeg's protocols that an address of each scheme may make use of, those that carry it included. Without a list a
# playlist from a server could name any address, and with it a file of this machine.
PROTOCOLS = {
    "http": "http,https,httpproxy,tcp,tls,crypto",
    "https": "https,httpproxy,tcp,tls,crypto",
    "rtsp": "rtp,srtp,tcp,udp",
    "rtsps": "rtp,srtp,tcp,udp,tls",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tcp,tls",
    "rtp": "rtp,srtp,udp",
    "srt": "srt",
    "tcp": "tcp",
    "udp": "udp",
}

# Answers 401, 403, 404 and their like, which asking again at once does not change.
_REFUSALS = (
    av.error.HTTPUnauthorizedError,
    av.error.HTTPForbiddenError,
    av.error.HTTPNotFoundError,
    av.error.HTTPOtherClientError,
)

_HLS = "hls"
_HLS_START = b"#EXTM3U"
_MOST_PLAYLISTS = 64
# Formats that name other inputs, and those that FFmpeg shows any text in, as a picture of its letters.
_LISTS = frozenset({_HLS, "concat", "dash", "imf", "sdp", "rtsp", "sap", "rtp", "avisynth"})
_TEXTS = frozenset({"tty", "bin", "xbin", "adf", "idf"})


def open_file(path: Path, label: str, max_pixels: int, timeout: float) -> av.container.InputContainer:
    """Open a video file. A playlist may name files in its own folder and below, and nothing else.

    Args:
        path: the file.
        label: what messages call it.
        max_pixels: pixels that a picture may have.
        timeout: seconds that a playlist without an end may bring nothing new.

    Returns:
        The open container.

    Raises:
        SourceError: it is not a file, must not be read, or is not a video.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        # Whoever opens a FIFO or a device may wait for ever.
        raise SourceError(
            f"{label} is a device, FIFO or socket: give a file, or with from_device the number of a camera"
        )
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except PermissionError:
        raise SourceError(f"no permission to read {label}: change its permissions") from None
    except OSError as error:
        raise SourceError(f"cannot open {label} ({error.strerror})") from None
    # With the prefix FFmpeg takes no part of the name for a protocol, as in "12:30.mp4".
    address = f"file:{path}"
    options = {"protocol_whitelist": "file"}
    if head.startswith(_HLS_START):
        options["format_whitelist"] = _formats(_HLS)
        opener = _FolderOpener(path.parent, label)
        container = _open(address, label, max_pixels, options, timeout, format=_HLS, io_open=opener)
        opener.opened()
        return container
    if head.startswith(b"ffconcat"):
        # FFmpeg would follow links in it to anywhere, and wait for a FIFO without end.
        raise SourceError(f"{label} is a list of files for ffmpeg: give the videos themselves")
    options["format_whitelist"] = _formats()
    return _open(address, label, max_pixels, options)


def check_scheme(url: str, label: str) -> str:
    """Return the scheme of an address, in small letters.

    Raises:
        SourceError: addresses of this scheme are not read.
    """
    scheme = url.partition("://")[0].lower()
    if scheme not in PROTOCOLS:
        advice = "give its path" if scheme == "file" else f"give one of {', '.join(PROTOCOLS)}"
        raise SourceError(f"cannot open {label}: addresses of {scheme!r} are not read; {advice}")
    return scheme


def open_address(
    url: str, label: str, max_pixels: int, timeout: float, rtsp_transport: str = "tcp"
) -> av.container.InputContainer:
    """Open a URL. It leads to no file of this machine, and to no other scheme than its own (http may lead to https).

    Args:
        url: the address, password included.
        label: what messages call it; holds no password.
        max_pixels: pixels that a picture may have.
        timeout: seconds that it may send nothing, at the opening and later.
        rtsp_transport: how RTSP streams are sent, ``tcp`` or ``udp``. Over UDP a single lost datagram spoils pictures
            until the next key frame.

    Returns:
        The open container.

    Raises:
        RefusedError: the server answers that it will not give this.
        SourceError: the scheme is not one of `PROTOCOLS`, or it does not answer, or is not a video.
    """
    scheme = check_scheme(url, label)
    options = {"protocol_whitelist": PROTOCOLS[scheme]}
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = rtsp_transport
    elif scheme != "rtp":
        options["format_whitelist"] = _formats(_HLS) if scheme.startswith("http") else _formats()
    return _open(url, label, max_pixels, options, timeout)


def _open(
    address: str,
    label: str,
    max_pixels: int,
    options: Mapping[str, str],
    timeout: float | None = None,
    **keywords: Any,
) -> av.container.InputContainer:
    # Errors are raised from None: PyAV's own show the whole URL, password included.
    options = {**options, **decoder_limit(max_pixels)}
    started = time.monotonic()
    try:
        return av.open(address, timeout=timeout, options=options, metadata_errors="replace", **keywords)
    except av.error.FFmpegError as error:
        if timeout is not None and time.monotonic() - started >= timeout:
            raise SourceError(f"{label} did not answer within {timeout:g} s: check the address") from None
        if error.errno == errno.EACCES:
            raise SourceError(f"no permission to read {label}: change its permissions") from None
        opener = keywords.get("io_open")
        if opener is not None and opener.refusal:
            raise SourceError(f"{label} {opener.refusal}") from None
        advice = "check the address, and that it is a video" if "://" in address else "is it a video?"
        kind = RefusedError if isinstance(error, _REFUSALS) else SourceError
        raise kind(f"cannot open {label} ({error.strerror}): {advice}") from None


class _FolderOpener:
    """Opens the files that a playlist names, for FFmpeg: in the folder of the playlist and below, and no others.

    Others are as if they were empty, so that a recording with a missing piece still plays.

    Args:
        folder: of the playlist.
        label: what messages call the playlist.
    """

    def __init__(self, folder: Path, label: str) -> None:
        self.refusal = ""  # why the last file refused was refused
        self._folder = folder.resolve()
        self._label = label
        self._playlists = 0

    def __call__(self, url: str, flags: int, options: dict[str, str]) -> BinaryIO:
        path = Path(url.removeprefix("file:"))
        shown = url.removeprefix("file:")[-100:]
        if not path.resolve().is_relative_to(self._folder):
            return self._refuse(f"names {shown!r}, but may name files in its folder only")
        if not path.is_file():
            return self._refuse(f"names {shown!r}, which is not there")
        file = path.open("rb")
        if file.read(len(_HLS_START)) == _HLS_START:
            # A playlist that names itself would be opened again and again.
            self._playlists += 1
            if self._playlists > _MOST_PLAYLISTS:
                file.close()
                return self._refuse(f"leads to more than {_MOST_PLAYLISTS} playlists")
        file.seek(0)
        return file

    def opened(self) -> None:
        """Tell that the playlist is open; from now on it is only read anew, however often."""
        self._playlists = -sys.maxsize

    def _refuse(self, reason: str) -> BinaryIO:
        if reason != self.refusal:
            self.refusal = reason
            logger.warning("%s %s", self._label, reason)
        return io.BytesIO()


@functools.cache
def _formats(*lists: str) -> str:
    """Return FFmpeg's formats that may be read, as an option: all but lists of inputs and texts, and those given."""
    left_out = (_LISTS | _TEXTS) - set(lists)
    return ",".join(sorted(name for name in av.formats_available if left_out.isdisjoint(name.split(","))))


def decoder_limit(max_pixels: int) -> dict[str, str]:
    """Return FFmpeg's option that bounds what its decoders allocate.

    Args:
        max_pixels: pixels that a picture may have; decoders pad theirs, so that they are allowed about twice as many.
    """
    return {"max_pixels": str(min(2 * max_pixels + (1 << 16), (1 << 31) - 1))}


def choose_stream(container: av.container.InputContainer, label: str) -> av.VideoStream:
    """Return the stream of pictures that FFmpeg's own program chooses: the largest, or else the default one.

    The cover of an album does not count.

    Args:
        container: the input.
        label: what messages call it.

    Raises:
        SourceError: there is no such stream, or no decoder for it.
    """
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        found = "only audio" if container.streams.audio else "no video stream"
        raise SourceError(f"{label} holds {found}: give a file with pictures")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise SourceError(f"{label} has an unknown video codec: convert it to H.264 first")
    return max(decodable, key=_size_with_default)


def _size_with_default(stream: av.VideoStream) -> int:
    # As ffmpeg does: to be the default is worth 5 megapixels. Of equals max takes the first.
    is_default = bool(stream.disposition & av.stream.Disposition.default)
    return stream.codec_context.width * stream.codec_context.height + 5_000_000 * is_default


def frame_count(container: av.container.InputContainer, stream: av.VideoStream, frame_rate: float) -> int | None:
    """Return the expected number of frames, from the file's index or its duration; None where neither is known."""
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * frame_rate)
    return round(container.duration / av.time_base * frame_rate) if container.duration else None
