"""Which uploads are videos, by how they begin.

FFmpeg also opens playlists and lists of files, which would have it read other files of this machine or fetch from
elsewhere. So nothing reaches it that does not begin as one of a few containers that hold their own pictures.
"""

from __future__ import annotations

HEAD = 400  # bytes that `is_video` looks at
KINDS = "MP4, MOV, MKV, WebM, AVI, MPEG, MPEG-TS, FLV, WMV or Ogg"

_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # that an MP4 or MOV may begin with
_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMV
    b"OggS\x00",
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video
)


def is_video(head: bytes) -> bool:
    """Return whether a file begins as a container of video.

    Args:
        head: its first `HEAD` bytes.
    """
    if head[4:8] in _BOXES or head.startswith(_STARTS):
        return True
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return True
    # transport streams: a mark at each of their packets, which have 188 bytes, or 192 with a time in front
    return any(head[first : first + 2 * size : size] == b"GG" for first, size in ((0, 188), (4, 192)))
