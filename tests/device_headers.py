"""Device headers as asd lays them out, for tests that put them on files and devices."""

import struct
from typing import Any

from aerokeep_node.formats.device_header import FEWEST_BYTES, MAGIC, DeviceHeader


def a_header(**changes: Any) -> DeviceHeader:  # noqa: ANN401 - any field
    """The first of two devices of ``test``, as a running server of 6.0 or later leaves it."""
    fields: dict[str, Any] = {
        "version": 4,
        "namespace": "test",
        "n_devices": 2,
        "random": 77,
        "flags": 0,
        "write_block_size_bytes": 8388608,
        "device_id": 0,
        "pristine_offset_bytes": 0,
        "partitions_held": 0,
    }
    return DeviceHeader(**{**fields, **changes})


def written(header: DeviceHeader) -> bytearray:
    """Lay out a header as drv_common.h does."""
    start = bytearray(FEWEST_BYTES)
    name = header.namespace.encode().ljust(32, b"\0")
    struct.pack_into("<QI32sI", start, 0, MAGIC, header.version, name, header.n_devices)
    struct.pack_into("<QII", start, 0x30, header.random, header.flags, header.write_block_size_bytes)
    struct.pack_into("<I", start, 0x11000, header.device_id)
    struct.pack_into("<Q", start, 0x11058, header.pristine_offset_bytes)
    for partition in range(header.partitions_held):
        struct.pack_into("<Q", start, 0x1000 + 16 * partition, 0xAF52D311FF86)
    return start
