"""A strict reader of protocol-buffer messages: what is not in the schema, or not in the usual encoding, is damage.

Lenient readers differ in what they make of odd bytes. What this one accepts, all of them read alike.
"""

from __future__ import annotations

import struct
from typing import Any

WHOLE, TEXT, FLOAT, DOUBLE = "whole", "text", "float", "double"
_WIRE_TYPES = {WHOLE: 0, DOUBLE: 1, FLOAT: 5}  # texts and messages: 2

# The fields of a message by their tag, number * 8 + wire type: name, kind (a name above, or the schema of a message),
# and whether there may be several.
Schema = dict[int, tuple[str, Any, bool]]


def schema(one: dict[str, tuple[int, Any]], several: dict[str, tuple[int, Any]] | None = None) -> Schema:
    """Return the schema of a message.

    Args:
        one: Name -> number and kind, of the fields that may stand once.
        several: The same of those that may be repeated.
    """
    fields = {}
    for named, repeated in ((one, False), (several or {}, True)):
        for name, (number, kind) in named.items():
            wire_type = _WIRE_TYPES.get(kind, 2) if isinstance(kind, str) else 2
            fields[number << 3 | wire_type] = (name, kind, repeated)
    return fields


def parse(data: bytes, fields: Schema) -> dict[str, Any]:
    """Read a message.

    Args:
        data: All bytes of the message.
        fields: Its schema. Messages are nested as deeply as schemas are: none may hold itself.

    Returns:
        Name -> value of the fields that are there; lists where they may be repeated, dicts for messages. Whole numbers
        are as on the wire, unsigned.

    Raises:
        ValueError: The bytes are no such message.
    """
    try:
        return _message(data, 0, len(data), fields)
    except (IndexError, struct.error) as error:
        raise ValueError("it ends within a number") from error


def _message(data: bytes, at: int, end: int, fields: Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while at < end:
        tag, start = data[at], at
        at += 1
        if tag > 127:
            tag, at = _whole(data, start)
        try:
            name, kind, repeated = fields[tag]
        except KeyError:
            raise ValueError(f"unknown field {tag >> 3} at byte {start}") from None
        value: Any
        if kind is FLOAT or kind is DOUBLE:
            form = "<f" if kind is FLOAT else "<d"
            (value,) = struct.unpack_from(form, data, at)
            at += struct.calcsize(form)
        else:
            value = data[at]
            at += 1
            if value > 127:
                value, at = _whole(data, at - 1)
            if kind is not WHOLE:
                begin, at = at, at + value
                if at > end:
                    raise ValueError(f"field {name} at byte {start} passes the end")
                value = data[begin:at].decode() if kind is TEXT else _message(data, begin, at, kind)
        if repeated:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise ValueError(f"a second field {name} at byte {start}")
        else:
            found[name] = value
    if at != end:
        raise ValueError(f"a field passes the end of its message at byte {end}")
    return found


def _whole(data: bytes, at: int) -> tuple[int, int]:
    """Read a whole number of up to 64 bits in 7-bit groups, in as few of them as it needs; return where it ends too."""
    value = 0
    for position in range(10):
        byte = data[at + position]
        value |= (byte & 127) << 7 * position
        if byte < 128:
            if value >> 64 or (byte == 0 and position):
                break
            return value, at + position + 1
    raise ValueError(f"a malformed number at byte {at}")
