"""Values of the official client and their text in an export, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aerokeep_node.formats.asb import Bin, Value

from sandbox.packed import UnreadableError, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

_LANGUAGE_BLOBS = "JCPRHE"
"""Blobs that clients of old once wrote in their language's own form."""


class UnknownValueError(ValueError):
    """The tool can't write it into an export, or can't give it to the client."""


def to_text(value: object) -> Value:  # noqa: PLR0911 - one per kind
    """Type a bin or key as an export does; what isn't there is of kind N.

    Raises:
        UnknownValueError: no kind is fit for it.

    """
    match value:
        case None:
            return Value("N", b"")
        case bool():
            return Value("Z", b"T" if value else b"F")
        case int():
            return Value("I", b"%d" % value)
        case float():
            return Value("D", f"{value:.17g}".encode())
        case str():
            return Value("S", value.encode())
        case list() | dict():
            return _packed(value)
        case bytes() | bytearray():
            return Value("Y" if type(value).__name__ == "HyperLogLog" else "B", bytes(value))
        case _:
            return _geojson(value)


def _packed(value: list[Any] | dict[Any, Any]) -> Value:
    try:
        return Value("L" if isinstance(value, list) else "M", pack(value))
    except UnreadableError as error:
        raise UnknownValueError(str(error)) from error


def _geojson(value: object) -> Value:
    if type(value).__name__ != "GeoJSON":
        raise UnknownValueError(f"a {type(value).__name__} has no form in an export")
    return Value("G", str(value.dumps()).encode())  # type: ignore[attr-defined] # the client's class, imported late


def _unpacked(raw: bytes) -> object:
    try:
        value: object = unpack(raw)
    except UnreadableError as error:
        raise UnknownValueError(str(error)) from error
    return value


def _string(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UnknownValueError("the client only writes strings of UTF-8") from error


def _geo(raw: bytes) -> object:
    import aerospike  # noqa: PLC0415 - so that a tool says its version at once

    return aerospike.GeoJSON(raw.decode())


def _hyperloglog(raw: bytes) -> object:
    from aerospike_helpers import HyperLogLog  # noqa: PLC0415 - the same

    return HyperLogLog(raw)


_READ: dict[str, Callable[[bytes], object]] = {
    "N": lambda _: None,
    "Z": lambda raw: raw == b"T",
    "I": int,
    "D": float,
    "S": _string,
    "B": bytearray,
    "G": _geo,
    "Y": _hyperloglog,
    "L": _unpacked,
    "M": _unpacked,
    **dict.fromkeys(_LANGUAGE_BLOBS, bytearray),
}


def from_text(value: Value | Bin) -> Any:  # noqa: ANN401 - any value may stand in an export
    """Give what the client is to write.

    Raises:
        UnknownValueError: the client can't write it.

    """
    return _READ[value.kind](value.raw)
