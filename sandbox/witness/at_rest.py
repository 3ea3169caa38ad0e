"""The reading half without servers: what lies on the storage of copied nodes, read by the server's own cold start."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aerospike

from sandbox.standin import record
from sandbox.standin.conf import NamespaceConf, VolumeConf
from sandbox.standin.storage import Storage
from sandbox.witness.verdict import Found
from sandbox.witness.writer import SET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_INTEGER = struct.Struct(">q")
_FLUSH_MAX_MS = 1000
Key = tuple[str, str]
"""Namespace and key."""
Copies = dict[bytes, bytes]
"""Digest → the newest bytes of that record."""


@dataclass(frozen=True)
class Shelf:
    """Where one node keeps one namespace."""

    namespace: str
    paths: tuple[str, ...]
    is_file: bool
    file_bytes: int = 0


def read_shelf(shelf: Shelf) -> Copies:
    """Read what a cold start of this node would load; nothing is written but the length of a file that has it already.

    Raises:
        HeaderError: the devices don't belong together: this node would not start.
        VolumeError: a path can't be used.

    """
    conf = NamespaceConf(
        name=shelf.namespace,
        engine="device",
        volumes=tuple(VolumeConf(path, None, is_file=shelf.is_file) for path in shelf.paths),
        file_size_bytes=shelf.file_bytes,
        data_size_bytes=0,
        settings={},
    )
    storage = Storage(conf, flush_max_ms=_FLUSH_MAX_MS, log=lambda _: None)
    try:
        return newest(blob for _, _, blob in storage.load())
    finally:
        for device in storage.logs:
            device.volume.close()


def newest(blobs: Iterable[bytes]) -> Copies:
    """Keep the newest of each record, as a cold start and then the cluster's own settling do."""
    held: Copies = {}
    for blob in blobs:
        digest = blob[:20]
        known = held.get(digest)
        if known is None or record.version_of(blob) >= record.version_of(known):
            held[digest] = blob
    return held


def digest_of(where: Key) -> bytes:
    """The digest under which a key is kept."""
    namespace, key = where
    return bytes(aerospike.calc_digest(namespace, SET, key))


def found_in(keys: Sequence[Key], nodes: Sequence[Mapping[str, Copies]]) -> dict[Key, Found]:
    """What each key holds in a cluster of these nodes (namespace → copies); missing ones are left out."""
    merged = {name: newest(blob for node in nodes for blob in node[name].values()) for name in {ns for ns, _ in keys}}
    found = {}
    for where in keys:
        blob = merged[where[0]].get(digest_of(where))
        if blob is not None:
            found[where] = _found(blob)
    return found


def _found(blob: bytes) -> Found:
    bins = record.decode(blob).bins
    return Found(_integer(bins[b"value"][1]), _integer(bins[b"times"][1]))


def _integer(value: bytes) -> int:
    return int(_INTEGER.unpack(value)[0])
