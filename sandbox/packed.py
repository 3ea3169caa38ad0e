"""Lists, maps and expressions as Aerospike packs them: msgpack whose strings and blobs begin with their type."""

from __future__ import annotations

import struct
from typing import Any

_STRING, _BLOB = b"\x03", b"\x04"
_NIL, _FALSE, _TRUE = 0xC0, 0xC2, 0xC3
_NUMBERS = {
    0xCA: struct.Struct(">f"),
    0xCB: struct.Struct(">d"),
    0xCC: struct.Struct(">B"),
    0xCD: struct.Struct(">H"),
    0xCE: struct.Struct(">I"),
    0xCF: struct.Struct(">Q"),
    0xD0: struct.Struct(">b"),
    0xD1: struct.Struct(">h"),
    0xD2: struct.Struct(">i"),
    0xD3: struct.Struct(">q"),
}
_SIZES = {
    0xC4: ("text", 1), 0xC5: ("text", 2), 0xC6: ("text", 4),
    0xC7: ("mark", 1), 0xC8: ("mark", 2), 0xC9: ("mark", 4),
    0xD9: ("text", 1), 0xDA: ("text", 2), 0xDB: ("text", 4),
    0xDC: ("list", 2), 0xDD: ("list", 4), 0xDE: ("map", 2), 0xDF: ("map", 4),
}  # fmt: skip
_FIXED_MARKS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


class UnreadableError(ValueError):
    """The bytes are no packed value that we understand."""


class _Mark:
    """What tells the order of a list or map; it stands first in it, and no value of ours keeps it."""


def unpack(packed: bytes) -> Any:  # noqa: ANN401 - any value may be packed
    """Read one value.

    Raises:
        UnreadableError: it is cut short or of a kind that no client of ours writes.

    """
    try:
        value, at = _read(packed, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise UnreadableError(str(error)) from error
    if at != len(packed):
        raise UnreadableError(f"{len(packed) - at} bytes are left over")
    return value


def _read(packed: bytes, at: int) -> tuple[Any, int]:  # noqa: PLR0911 - one per kind
    head = packed[at]
    at += 1
    if head < 0x80 or head >= 0xE0:  # noqa: PLR2004 - msgpack's own numbers
        return (head if head < 0x80 else head - 256), at  # noqa: PLR2004 - the same
    if head in (_NIL, _FALSE, _TRUE):
        return {_NIL: None, _FALSE: False, _TRUE: True}[head], at
    if head in _NUMBERS:
        number = _NUMBERS[head]
        return number.unpack_from(packed, at)[0], at + number.size
    kind, size, at = _sized(packed, head, at)
    match kind:
        case "map":
            return _read_map(packed, size, at)
        case "list":
            items, at = _read_items(packed, size, at)
            return [item for item in items if not isinstance(item, _Mark)], at
        case "mark":
            return _Mark(), at + 1 + size
        case _:
            return _text(packed[at : at + size]), at + size


def _sized(packed: bytes, head: int, at: int) -> tuple[str, int, int]:
    if head < 0x90:  # noqa: PLR2004 - msgpack's own numbers
        return "map", head & 0xF, at
    if head < 0xA0:  # noqa: PLR2004 - the same
        return "list", head & 0xF, at
    if head < 0xC0:  # noqa: PLR2004 - the same
        return "text", head & 0x1F, at
    if head in _FIXED_MARKS:
        return "mark", _FIXED_MARKS[head], at
    if head not in _SIZES:
        raise UnreadableError(f"0x{head:02x} is no packed value")
    kind, width = _SIZES[head]
    return kind, int.from_bytes(packed[at : at + width], "big"), at + width


def _read_items(packed: bytes, count: int, at: int) -> tuple[list[Any], int]:
    items = []
    for _ in range(count):
        item, at = _read(packed, at)
        items.append(item)
    return items, at


def _read_map(packed: bytes, count: int, at: int) -> tuple[dict[Any, Any], int]:
    items, at = _read_items(packed, 2 * count, at)
    pairs = zip(items[::2], items[1::2], strict=True)
    return {key: value for key, value in pairs if not isinstance(key, _Mark)}, at


def _text(raw: bytes) -> str | bytes:
    return raw[1:].decode() if raw[:1] == _STRING else raw[1:]


def pack(value: object) -> bytes:  # noqa: PLR0911 - one per kind
    """Write a value of the kinds that the official client gives: nil, booleans, numbers, text, bytes, lists, maps.

    Raises:
        UnreadableError: it is of another kind.

    """
    match value:
        case None:
            return bytes([_NIL])
        case bool():
            return bytes([_TRUE if value else _FALSE])
        case int():
            return _number(value)
        case float():
            return b"\xcb" + _NUMBERS[0xCB].pack(value)
        case str():
            return _head(0xA0, 0xD9, len(text := _STRING + value.encode())) + text
        case bytes() | bytearray():
            return _head(0xA0, 0xD9, len(text := _BLOB + value)) + text
        case list() | tuple():
            return _head(0x90, 0xDB, len(value)) + b"".join(map(pack, value))
        case dict():
            pairs = (pack(key) + pack(item) for key, item in value.items())
            return _head(0x80, 0xDD, len(value)) + b"".join(pairs)
        case _:
            raise UnreadableError(f"a {type(value).__name__} can't be packed")


def _number(value: int) -> bytes:
    if -32 <= value < 0x80:  # noqa: PLR2004 - msgpack's own numbers
        return (value & 0xFF).to_bytes(1, "big")
    for head in (0xCC, 0xCD, 0xCE, 0xCF) if value >= 0 else (0xD0, 0xD1, 0xD2, 0xD3):
        try:
            return bytes([head]) + _NUMBERS[head].pack(value)
        except struct.error:
            continue
    raise UnreadableError(f"{value} is no 64-bit number")


def _head(short: int, long: int, size: int) -> bytes:
    """Write a size: in ``short`` itself, or in 1, 2 or 4 bytes; lists and maps (``long`` + 1 and 2) have no 1."""
    if size < (0x20 if short == 0xA0 else 0x10):  # noqa: PLR2004 - msgpack's own numbers
        return bytes([short | size])
    if short == 0xA0 and size < 1 << 8:  # noqa: PLR2004 - the same
        return bytes([long, size])
    width = 2 if size < 1 << 16 else 4
    return bytes([long + width // 2]) + size.to_bytes(width, "big")
