"""A record as the bytes that master, replica and device all hold, and what can be read from them."""

from __future__ import annotations

import struct
import time
from typing import NamedTuple

_FIXED = struct.Struct("<20sQIIBHHH")
_BIN = struct.Struct("<BBI")
_VERSION = struct.Struct("<QII")
EPOCH_2010_S = 1262304000
"""Aerospike counts from 2010-01-01."""

Bins = dict[bytes, tuple[int, bytes]]
"""Bin name → particle type and value as on the wire."""


class Version(NamedTuple):
    """What decides between two copies of a record: the later update, then the higher generation."""

    updated_ms: int
    generation: int


class Record(NamedTuple):
    """A decoded record."""

    digest: bytes
    updated_ms: int
    generation: int
    void_time: int
    set_name: bytes
    key: bytes
    bins: Bins


def now_ms() -> int:
    """Milliseconds since 2010, by the node's own clock."""
    return int((time.time() - EPOCH_2010_S) * 1000)


def encode(record: Record) -> bytes:
    """Make the bytes of a record."""
    set_name, key, bins = record.set_name, record.key, record.bins
    head = _FIXED.pack(*record[:4], len(set_name), len(key), len(bins), 0)
    parts = [head, set_name, key]
    for name, (kind, value) in bins.items():
        parts += (_BIN.pack(len(name), kind, len(value)), name, value)
    return b"".join(parts)


def decode(blob: bytes) -> Record:
    """Read all of a record."""
    digest, updated_ms, generation, void_time, set_length, key_length, count, _ = _FIXED.unpack_from(blob)
    at = _FIXED.size
    set_name = blob[at : at + set_length]
    at += set_length
    key = blob[at : at + key_length]
    at += key_length
    bins: Bins = {}
    for _ in range(count):
        name_length, kind, value_length = _BIN.unpack_from(blob, at)
        at += _BIN.size
        name = blob[at : at + name_length]
        at += name_length
        bins[name] = (kind, blob[at : at + value_length])
        at += value_length
    return Record(digest, updated_ms, generation, void_time, set_name, key, bins)


def version_of(blob: bytes) -> Version:
    """Read only what decides between two copies."""
    updated_ms, generation, _ = _VERSION.unpack_from(blob, 20)
    return Version(updated_ms, generation)


def void_time_of(blob: bytes) -> int:
    """Read only when the record expires (seconds since 2010, 0 = never)."""
    return int(_VERSION.unpack_from(blob, 20)[2])


def set_of(blob: bytes) -> bytes:
    """Read only the set's name."""
    length = blob[36]
    return blob[_FIXED.size : _FIXED.size + length]


def partition_of(digest: bytes) -> int:
    """Return the partition that a digest belongs to."""
    return (digest[0] | digest[1] << 8) & 0xFFF
