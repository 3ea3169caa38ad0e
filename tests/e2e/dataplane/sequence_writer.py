"""Write a rising number to each of the given devices in turn, each write only after the one before it is durable.

Usage: ``sequence_writer.py <device>…`` until killed; `order_violations` judges what a cut of the devices holds.
"""

import mmap
import os
import struct
import sys
from itertools import count, pairwise

BLOCK_BYTES = 4096
BLOCKS = 64
_NUMBER = struct.Struct("<Q")


def write(devices: list[str]) -> None:
    """Write number n to device 1, then to device 2, …, then n + 1 to device 1."""
    fds = [_open(device) for device in devices]
    with mmap.mmap(-1, BLOCK_BYTES) as block:  # a page of its own: O_DIRECT wants alignment
        for number in count(1):
            block[: _NUMBER.size] = _NUMBER.pack(number)
            for fd in fds:
                os.pwrite(fd, block, number % BLOCKS * BLOCK_BYTES)


def _open(device: str) -> int:
    try:
        return os.open(device, os.O_RDWR | os.O_DSYNC | os.O_DIRECT)
    except OSError:  # a plain file on a filesystem without direct I/O
        return os.open(device, os.O_RDWR | os.O_DSYNC)


def newest(content: bytes) -> int:
    """Find the newest number on a device."""
    numbers: list[int] = [_NUMBER.unpack_from(content, block * BLOCK_BYTES)[0] for block in range(BLOCKS)]
    return max(numbers)


def order_violations(numbers: list[int]) -> int:
    """Count where a later device is ahead of an earlier one, or more than one write behind the first."""
    ahead = sum(later > earlier for earlier, later in pairwise(numbers))
    return ahead + sum(numbers[0] - number > 1 for number in numbers)


if __name__ == "__main__":
    write(sys.argv[1:])
