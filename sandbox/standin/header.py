"""The header in the first 8 MiB of every device, laid out as Aerospike 6.0 and later does (version 4)."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = 0x4349747275730322
VERSION = 4
OLD_VERSION = 3
HEADER_SIZE_BYTES = 8 << 20
WRITE_BLOCK_SIZE_BYTES = 8 << 20
PARTITIONS = 4096
TRUSTED = 1

_PREFIX = struct.Struct("<QI32sIQII")
_META_OFFSET = 0x1000
_META = struct.Struct("<QQ")
_DEVICE_ID_OFFSET = 0x11000
IMAGE_SIZE_BYTES = 0x12000
"""What is ever written of the 8 MiB, a multiple of 4096."""


class HeaderError(Exception):
    """The device set can't be used; the message is what asd logs before it exits."""


@dataclass
class Header:
    """What the stand-in keeps in a device header."""

    namespace: str
    device_count: int
    random: int
    flags: int = 0
    device_id: int = 0
    versions: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    """Per partition: 48 bits of cluster key, 0 where the node holds no data; bit 61 marks the master."""

    @property
    def trusted(self) -> bool:
        """Whether the last shutdown was clean."""
        return bool(self.flags & TRUSTED)

    def encode(self) -> bytes:
        """Return the part of the header that holds anything."""
        image = bytearray(IMAGE_SIZE_BYTES)
        name = self.namespace.encode()
        values = (MAGIC, VERSION, name, self.device_count, self.random, self.flags, WRITE_BLOCK_SIZE_BYTES)
        _PREFIX.pack_into(image, 0, *values)
        for pid, version in enumerate(self.versions):
            _META.pack_into(image, _META_OFFSET + pid * _META.size, version, 0)
        struct.pack_into("<I", image, _DEVICE_ID_OFFSET, self.device_id)
        return bytes(image)


def decode(image: bytes, *, path: str, namespace: str) -> Header | None:
    """Read a header; ``None`` for an erased device.

    Raises:
        HeaderError: the device holds something else, in asd's words.

    """
    magic, version, name, device_count, random, flags, _ = _PREFIX.unpack_from(image)
    if magic != MAGIC:
        if image.count(0) != len(image):
            raise HeaderError(f"{path}: not an Aerospike device but not erased - check config or erase device")
        return None
    if version == OLD_VERSION:
        raise HeaderError(f"{path}: Aerospike device has old format - must erase device to upgrade")
    if version != VERSION:
        raise HeaderError(f"{path}: unknown version {version}")
    previous = name.split(b"\0", 1)[0].decode(errors="replace")
    if previous != namespace:
        raise HeaderError(f"{path}: previous namespace {previous} now {namespace} - check config or erase device")
    if random == 0:
        raise HeaderError(f"{path}: random signature is 0")
    versions = [_META.unpack_from(image, _META_OFFSET + pid * _META.size)[0] for pid in range(PARTITIONS)]
    device_id = struct.unpack_from("<I", image, _DEVICE_ID_OFFSET)[0]
    return Header(namespace, device_count, random, flags, device_id, versions)


def match(found: Sequence[tuple[str, Header | None]], *, namespace: str) -> Header | None:
    """Check that all non-fresh devices are of one set, and return the first non-fresh header.

    A fresh (or missing) member is not an error, nor is another number of devices than before: asd starts silently
    with part of the data.

    Raises:
        HeaderError: the members are from different lifetimes.

    """
    used = [(path, header) for path, header in found if header]
    for path, header in used[1:]:
        first_path, first = used[0]
        pair = f"{{{namespace}}} drive set with unmatched headers - devices {first_path} & {path} have different"
        if header.random != first.random:
            raise HeaderError(f"{pair} signatures")
        if header.device_count != first.device_count:
            raise HeaderError(f"{pair} device counts")
    return used[0][1] if used else None


def new_random() -> int:
    """Return a set signature for one lifetime of a server."""
    return secrets.randbits(63) | 1
