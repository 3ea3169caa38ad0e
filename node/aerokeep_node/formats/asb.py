"""Exports in asbackup's text format 3.1: header, secondary indexes, UDF modules and records, read as a stream.

Source: the format's description in aerospike-tools-backup, and what asbackup 4.5.8 wrote when measured. A token is
escaped (a backslash before blank, newline and backslash); a value carries its length, so it may hold anything.
"""

import base64
import binascii
from typing import BinaryIO, Iterator, NamedTuple, Optional, Tuple, Union

from aerokeep_node.formats.asb_text import BadExportError, Text

__all__ = ["BadExportError", "Bin", "Entry", "Header", "Index", "Record", "Udf", "Value", "partition_of", "read_export"]

VERSION = "3.1"
PARTITIONS = 4096
_TEXT_KINDS = b"IDZ"
_BLOB_KINDS = b"BJCPRHEYML"
_INDEX_KINDS = b"NLKV"
_PATH_KINDS = b"NSGBI"
_LONGEST_BYTES = 1 << 30
_DIGEST_BYTES = 20
_MOST_GENERATION = (1 << 16) - 1
_MOST_VOID_TIME = (1 << 32) - 1


class Header(NamedTuple):
    """What an export begins with; the first file of a set is the one with indexes and UDF modules."""

    namespace: str
    first_file: bool


class Index(NamedTuple):
    """A secondary index; ``kind`` is N (bin), L (list), K (map keys) or V (map values), ``path_kind`` N, S, G or B."""

    namespace: str
    set_name: str
    name: str
    kind: str
    path: str
    path_kind: str
    context: str


class Udf(NamedTuple):
    """A UDF module."""

    name: str
    content: bytes


class Value(NamedTuple):
    """A typed value: I, D and Z are the text as it stands, S and G their bytes, all else bytes out of base64."""

    kind: str
    raw: bytes


class Bin(NamedTuple):
    """A bin; of kind N its value is nil."""

    name: str
    kind: str
    raw: bytes


class Record(NamedTuple):
    """A record; ``void_time`` is in seconds since 2010 (0: never expires), ``raw`` the record's exact text."""

    namespace: str
    digest: bytes
    set_name: Optional[str]
    key: Optional[Value]
    generation: int
    void_time: int
    bins: Tuple[Bin, ...]
    raw: bytes


Entry = Union[Header, Index, Udf, Record]


def partition_of(digest: bytes) -> int:
    """Return the partition that a digest belongs to."""
    return (digest[0] | digest[1] << 8) & (PARTITIONS - 1)


def read_export(stream: BinaryIO) -> Iterator[Entry]:
    """Yield the header, then every index, UDF module and record in turn.

    The format has no end mark: a stream cut exactly between two entries is whole. Compare counts.

    Raises:
        BadExportError: the stream ends within an entry, or holds what the format doesn't allow.

    """
    text = Text(stream)
    yield _header(text)
    while text.more:
        mark = text.token(b" ")
        text.expect(b" ")
        if mark == b"*":
            yield _global(text)
        elif mark == b"+":
            yield _record(text)
        else:
            raise text.bad("an entry is expected")


def _header(text: Text) -> Header:
    text.expect(b"Version ")
    version = text.token(b"\n")
    if version != VERSION.encode():
        raise text.bad(f"version {version!r} can't be read, only {VERSION}")
    text.end()
    namespace: Optional[str] = None
    first_file = False
    while text.starts(b"# "):
        text.expect(b"# ")
        if text.starts(b"first-file"):
            text.expect(b"first-file")
            first_file = True
        else:
            text.expect(b"namespace ")
            namespace = text.name(b"\n")
        text.end()
    if namespace is None:
        raise text.bad("no namespace is named")
    text.take_raw()
    return Header(namespace, first_file)


def _global(text: Text) -> Union[Index, Udf]:
    entry = _index(text) if text.starts(b"i ") else _udf(text)
    text.end()
    text.take_raw()
    return entry


def _index(text: Text) -> Index:
    text.expect(b"i")
    names = []
    for _ in range(3):
        text.expect(b" ")
        names.append(text.name(b" "))
    text.expect(b" ")
    kind = text.letter(_INDEX_KINDS)
    text.expect(b" 1 ")  # the number of paths; no version knows another one
    path = text.name(b" ")
    text.expect(b" ")
    path_kind = text.letter(_PATH_KINDS)
    context = ""
    if text.starts(b" "):
        text.expect(b" ")
        context = text.name(b"\n")
    return Index(names[0], names[1], names[2], kind, path, path_kind, context)


def _udf(text: Text) -> Udf:
    text.expect(b"u L ")
    name = text.name(b" ")
    text.expect(b" ")
    size = text.number(b" ", _LONGEST_BYTES)
    text.expect(b" ")
    return Udf(name, text.block(size))


def _record(text: Text) -> Record:
    key = _key(text) if text.starts(b"k ") else None
    text.expect(b"n ")
    namespace = text.name(b"\n")
    text.end()
    text.expect(b"+ d ")
    digest = _unpacked(text, text.token(b"\n"))
    if len(digest) != _DIGEST_BYTES:
        raise text.bad(f"a digest of {len(digest)} bytes")
    text.end()
    set_name: Optional[str] = None
    if text.starts(b"+ s "):
        text.expect(b"+ s ")
        set_name = text.name(b"\n")
        text.end()
    generation = _counted(text, b"+ g ", _MOST_GENERATION)
    void_time = _counted(text, b"+ t ", _MOST_VOID_TIME)
    count = _counted(text, b"+ b ", _MOST_GENERATION)
    bins = tuple([_bin(text) for _ in range(count)])
    return Record(namespace, digest, set_name, key, generation, void_time, bins, text.take_raw())


def _counted(text: Text, prefix: bytes, most: int) -> int:
    text.expect(prefix)
    number = text.number(b"\n", most)
    text.end()
    return number


def _key(text: Text) -> Value:
    text.expect(b"k ")
    kind = text.letter(b"IDSB")
    plain = _is_plain(text)
    text.expect(b" ")
    value = Value(kind, _value(text, kind, plain=plain))
    text.end()
    text.expect(b"+ ")
    return value


def _bin(text: Text) -> Bin:
    text.expect(b"- ")
    kind = text.letter(b"SIDBLMNZGYJCPRHE")
    plain = _is_plain(text)
    text.expect(b" ")
    name = text.name(b"\n" if kind == "N" else b" ")
    raw = b""
    if kind != "N":
        text.expect(b" ")
        raw = _value(text, kind, plain=plain)
    text.end()
    return Bin(name, kind, raw)


def _is_plain(text: Text) -> bool:
    """Whether bytes stand as they are (compact mode) and not in base64."""
    if not text.starts(b"!"):
        return False
    text.expect(b"!")
    return True


def _value(text: Text, kind: str, *, plain: bool) -> bytes:
    if kind.encode() in _TEXT_KINDS:
        return _checked(text, kind, text.token(b"\n"))
    size = text.number(b" ", _LONGEST_BYTES)
    text.expect(b" ")
    block = text.block(size)
    return _unpacked(text, block) if kind.encode() in _BLOB_KINDS and not plain else block


def _checked(text: Text, kind: str, token: bytes) -> bytes:
    try:
        if kind == "D":
            float(token)
        elif kind == "Z" and token not in (b"T", b"F"):
            raise ValueError  # noqa: TRY301 - one message for all three
        elif kind == "I" and not -(1 << 63) <= int(token) < 1 << 63:
            raise ValueError  # noqa: TRY301 - the same
    except ValueError:
        raise text.bad(f"{token!r} is no value of kind {kind}") from None
    return token


def _unpacked(text: Text, block: bytes) -> bytes:
    try:
        return base64.b64decode(block, validate=True)
    except binascii.Error:
        raise text.bad(f"{block[:40]!r} is no base64") from None
