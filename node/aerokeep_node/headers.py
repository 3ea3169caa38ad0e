"""Read the header of a storage path, whatever the server says of it, and tell whether it may be started on."""

import errno
import os
import stat
from typing import Any, Dict, Optional, Tuple

from aerokeep_node.formats.device_header import FEWEST_BYTES, BadHeaderError, DeviceHeader, parse_device_header


def read_start(path: str, size_bytes: int = FEWEST_BYTES) -> bytes:
    """Read the first bytes of a device or file; fewer where it is shorter.

    Raises:
        OSError: it can't be read, or is neither a device nor a file.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            raise OSError(errno.EINVAL, "neither a block device nor a file", path)
        parts = []
        left_bytes = size_bytes
        while left_bytes > 0:
            part = os.read(descriptor, left_bytes)
            if not part:
                break
            parts.append(part)
            left_bytes -= len(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def size_of(path: str) -> Optional[int]:
    """Give the size of a device or file in bytes; None where it can't be opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def read_header(path: str) -> DeviceHeader:
    """Read and parse the header of a path.

    Raises:
        BadHeaderError: what is there is no header; ``unreadable`` where nothing could be read.

    """
    try:
        start = read_start(path)
    except OSError as error:
        raise BadHeaderError("unreadable", f"{path}: {error.strerror}") from error
    return parse_device_header(start)


def header_json(header: DeviceHeader) -> Dict[str, Any]:
    """Shape a header as the contract does; ``random`` is 16 hexadecimal digits."""
    return {
        "version": header.version,
        "namespace": header.namespace,
        "n_devices": header.n_devices,
        "random": f"{header.random:016x}",
        "device_id": header.device_id,
        "write_block_size_bytes": header.write_block_size_bytes,
        "trusted": header.trusted,
    }


def describe_header(path: str) -> Tuple[Optional[Dict[str, Any]], Optional[str]]:
    """Give the header of a path, or why there is none."""
    try:
        return header_json(read_header(path)), None
    except BadHeaderError as error:
        return None, f"{error.code}: {error.detail}"[:120]
