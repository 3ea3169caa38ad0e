"""The 8 MiB header of an Aerospike device or file: which set it belongs to, and how it was left."""

import struct
from dataclasses import dataclass
from typing import List, Sequence

HEADER_SIZE_BYTES = 8 * 1024 * 1024
PREFIX_SIZE_BYTES = 0x40
UNIQUE_OFFSET = 0x11000
UNIQUE_SIZE_BYTES = 0x60
FEWEST_BYTES = UNIQUE_OFFSET + UNIQUE_SIZE_BYTES
"""Parsing needs this much from the start of the device; one 512 KiB snapshot block is plenty."""

MAGIC = 0x4349747275730322
VERSIONS = (3, 4)
"""3 up to server 5.7, 4 from server 6.0; the server refuses the other one."""
MOST_DEVICES = 128
PARTITIONS = 4096

FLAG_TRUSTED = 0x01
FLAG_ENCRYPTED = 0x04
FLAG_STRONG_CONSISTENCY = 0x08
FLAG_COMMIT_TO_DEVICE = 0x10

_PREFIX = struct.Struct("<QI32sIQII")
_PRINTABLE = frozenset(range(0x21, 0x7F))
_PARTITIONS_OFFSET = 0x1000
_PARTITION_SIZE_BYTES = 16
_CLUSTER_KEY_MASK = (1 << 48) - 1


class BadHeaderError(ValueError):
    """These bytes are not the header of an Aerospike device; ``code`` is stable, the message says what was found."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code + ": " + detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class DeviceHeader:
    """What the header says; ``random`` is the set's signature, new at every start of the server."""

    version: int
    namespace: str
    n_devices: int
    random: int
    flags: int
    write_block_size_bytes: int
    device_id: int
    pristine_offset_bytes: int
    partitions_held: int
    """How many of the 4096 partitions this set says it holds data of."""

    @property
    def trusted(self) -> bool:
        """Whether the server shut down cleanly; never true for a snapshot of a running node."""
        return bool(self.flags & FLAG_TRUSTED)

    @property
    def encrypted(self) -> bool:
        """Whether records are encrypted at rest by the server, so that its key file is needed too."""
        return bool(self.flags & FLAG_ENCRYPTED)

    @property
    def strong_consistency(self) -> bool:
        """Whether the namespace runs in strong-consistency mode."""
        return bool(self.flags & FLAG_STRONG_CONSISTENCY)

    @property
    def commit_to_device(self) -> bool:
        """Whether every write is durable before it is acknowledged."""
        return bool(self.flags & FLAG_COMMIT_TO_DEVICE)


def is_blank(start: bytes) -> bool:
    """Whether the server would take this device for a fresh one and initialise it."""
    return not any(start)


def parse_device_header(start: bytes) -> DeviceHeader:
    """Parse the first bytes (at least ``FEWEST_BYTES``) of a device or file.

    Raises:
        BadHeaderError: ``short``, ``blank``, ``bad_magic``, ``bad_version``, ``bad_namespace``, ``bad_random``,
            ``bad_n_devices``, ``bad_write_block_size`` or ``bad_device_id``: the server would refuse it, or wipe it.

    """
    if len(start) < FEWEST_BYTES:
        raise BadHeaderError("short", f"{len(start)} bytes, {FEWEST_BYTES} needed")
    if is_blank(start[:FEWEST_BYTES]):
        raise BadHeaderError("blank", "all zero: the server would initialise this device as a fresh one")
    magic, version, name, n_devices, random, flags, block_size_bytes = _PREFIX.unpack_from(start, 0)
    if magic != MAGIC:
        raise BadHeaderError("bad_magic", f"{magic:#018x} instead of {MAGIC:#018x}")
    if version not in VERSIONS:
        raise BadHeaderError("bad_version", f"{version} is none of {VERSIONS}")
    namespace = _namespace(name)
    if random == 0:
        raise BadHeaderError("bad_random", "the set's signature is 0")
    if not 1 <= n_devices <= MOST_DEVICES:
        raise BadHeaderError("bad_n_devices", str(n_devices))
    if block_size_bytes == 0:
        raise BadHeaderError("bad_write_block_size", "0")
    (device_id,) = struct.unpack_from("<I", start, UNIQUE_OFFSET)
    (pristine_offset_bytes,) = struct.unpack_from("<Q", start, UNIQUE_OFFSET + 0x58)
    if device_id >= MOST_DEVICES:
        raise BadHeaderError("bad_device_id", str(device_id))
    return DeviceHeader(
        version=version,
        namespace=namespace,
        n_devices=n_devices,
        random=random,
        flags=flags,
        write_block_size_bytes=block_size_bytes,
        device_id=device_id,
        pristine_offset_bytes=pristine_offset_bytes,
        partitions_held=_partitions_held(start),
    )


def _namespace(name: bytes) -> str:
    text = name.split(b"\0", 1)[0]
    if not text or not _PRINTABLE.issuperset(text):
        raise BadHeaderError("bad_namespace", repr(text))
    return text.decode("ascii")


def _partitions_held(start: bytes) -> int:
    held = 0
    for partition in range(PARTITIONS):
        (version,) = struct.unpack_from("<Q", start, _PARTITIONS_OFFSET + partition * _PARTITION_SIZE_BYTES)
        held += 1 if version & _CLUSTER_KEY_MASK else 0
    return held


def disagreements(headers: Sequence[DeviceHeader]) -> List[str]:
    """Say why these headers are not one complete set of one (node, namespace); an empty list means they are.

    A server starts silently with a fraction of its records when a device is missing, so count and positions matter.
    """
    if not headers:
        return ["no_headers: a set has at least one device"]
    first = headers[0]
    found = []
    if len({h.namespace for h in headers}) > 1:
        found.append(f"namespaces_differ: {sorted({h.namespace for h in headers})}")
    if len({h.random for h in headers}) > 1:
        found.append(f"signatures_differ: {len({h.random for h in headers})} different ones")
    if len({h.version for h in headers}) > 1:
        found.append(f"versions_differ: {sorted({h.version for h in headers})}")
    if any(h.n_devices != len(headers) for h in headers):
        found.append(f"count_differs: {len(headers)} devices here, {first.n_devices} in the header")
    ids = sorted(h.device_id for h in headers)
    if ids != list(range(len(headers))):
        found.append(f"positions_differ: {ids}")
    return found
