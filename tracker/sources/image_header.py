"""What an image file says of itself before anything is decoded: its size, and whether a JPEG is whole."""

from __future__ import annotations

import re
import struct

# The markers that begin a segment, and that of the end. Among pixels a 0xFF is followed by 0 or is a restart marker.
_JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
_JPEG_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})  # DHT, JPG, DAC lie among the markers that begin a frame
_JPEG_END = 0xD9
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_FORMATS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # by type: BYTE, SHORT, LONG, LONG8


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return the size that the header of an image states.

    Args:
        data: the whole file, or enough of its beginning (TIFF may keep its header anywhere).

    Returns:
        Width and height in pixels; None where it is no JPEG, PNG, BMP, TIFF or WebP, or its header is damaged.
    """
    try:
        if data.startswith(b"\xff\xd8"):
            return _read_jpeg(data)[0]
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _unpack(">II", data, 16) if data[12:16] == b"IHDR" else None
        if data.startswith(b"BM"):
            return _bmp_size(data)
        if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff_size(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_size(data)
    except struct.error:
        pass  # cut off within the header
    return None


def is_cut_off(data: bytes) -> bool:
    """Return whether a JPEG ends before its pictures do; decoders fill what is missing with grey.

    Args:
        data: the whole file; of other formats nothing is said.
    """
    return data.startswith(b"\xff\xd8") and not _read_jpeg(data)[1]


def _unpack(layout: str, data: bytes, at: int) -> tuple[int, int]:
    width, height = struct.unpack_from(layout, data, at)
    return width, height


def _read_jpeg(data: bytes) -> tuple[tuple[int, int] | None, bool]:
    """Return the size of the largest frame of a JPEG, and whether its end is there."""
    size, at = None, 2
    while found := _JPEG_MARKER.search(data, at):
        at, marker = found.start(), data[found.start() + 1]
        if marker == _JPEG_END:
            return size, True
        if at + 4 > len(data):
            break
        if 0xC0 <= marker <= 0xCF and marker not in _JPEG_NO_FRAME:
            if at + 9 > len(data):
                break
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = max(size or (0, 0), (width, height), key=lambda pair: pair[0] * pair[1])
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return size, False


def _bmp_size(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = _unpack("<HH" if header == 12 else "<ii", data, 18)
    return abs(width), abs(height)  # a negative height: rows from top to bottom


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    order = "<" if data[:1] == b"I" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    (start,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)
    (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, start)
    at, step = start + (8 if is_big else 2), 20 if is_big else 12
    sides = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0}
    for entry in range(at, min(at + count * step, len(data)), step):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in sides and kind in _TIFF_FORMATS:
            (value,) = struct.unpack_from(order + _TIFF_FORMATS[kind], data, entry + (12 if is_big else 8))
            sides[tag] = max(sides[tag], value)
    return (sides[_TIFF_WIDTH], sides[_TIFF_HEIGHT]) if all(sides.values()) else None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = _unpack("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
