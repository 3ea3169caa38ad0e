"""Write asbackup's text format 3.1."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from aerokeep_node.formats.asb import VERSION

if TYPE_CHECKING:
    from aerokeep_node.formats.asb import Bin, Index, Record, Udf, Value

FIRST_FILE = b"# first-file\n"
_SPECIAL = re.compile(rb"([ \n\\])")
_AS_TEXT = frozenset("IDZ")
_AS_BYTES = frozenset("SG")


def escape(name: str) -> bytes:
    """Escape a token."""
    return _SPECIAL.sub(rb"\\\1", name.encode())


def header(namespace: str) -> bytes:
    """Return what every file begins with."""
    return b"Version %s\n# namespace %s\n" % (VERSION.encode(), escape(namespace))


def index(entry: Index) -> bytes:
    """Write a secondary index."""
    names = b" ".join(escape(name) for name in entry[:3])
    context = b" " + escape(entry.context) if entry.context else b""
    path = escape(entry.path)
    return b"* i %s %s 1 %s %s%s\n" % (names, entry.kind.encode(), path, entry.path_kind.encode(), context)


def udf(entry: Udf) -> bytes:
    """Write a UDF module."""
    return b"* u L %s %d %s\n" % (escape(entry.name), len(entry.content), entry.content)


def record(entry: Record, *, compact: bool = False) -> bytes:
    """Write a record; its ``raw`` is not looked at."""
    parts = [] if entry.key is None else [b"+ k ", _value(entry.key, b"", compact=compact)]
    parts.append(b"+ n %s\n+ d %s\n" % (escape(entry.namespace), base64.b64encode(entry.digest)))
    if entry.set_name:
        parts.append(b"+ s %s\n" % escape(entry.set_name))
    parts.append(b"+ g %d\n+ t %d\n+ b %d\n" % (entry.generation, entry.void_time, len(entry.bins)))
    for part in entry.bins:
        parts += (b"- ", _value(part, escape(part.name) + b" ", compact=compact))
    return b"".join(parts)


def _value(value: Value | Bin, name: bytes, *, compact: bool) -> bytes:
    kind, raw = value.kind, value.raw
    if kind == "N":
        return b"N %s\n" % name[:-1]
    if kind in _AS_TEXT:
        return b"%s %s%s\n" % (kind.encode(), name, raw)
    if kind in _AS_BYTES:
        return b"%s %s%d %s\n" % (kind.encode(), name, len(raw), raw)
    if compact:
        return b"%s! %s%d %s\n" % (kind.encode(), name, len(raw), raw)
    raw = base64.b64encode(raw)
    return b"%s %s%d %s\n" % (kind.encode(), name, len(raw), raw)
