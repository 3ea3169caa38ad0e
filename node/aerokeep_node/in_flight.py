"""What a raw device is still being told to write: the server's own queues leave out the block under way."""

import os
from typing import Iterable

from aerokeep_node.tree import Tree


def writes_in_flight(devices: Iterable[str], tree: Tree) -> int:
    """Count writes that these devices have not completed (Linux, Documentation/ABI: ``inflight`` is reads, writes).

    A volume may stall for longer than queues and counters stand still; what the kernel does not tell of counts as none.
    """
    writes = 0
    for path in devices:
        told = tree.read("sys", "class", "block", os.path.basename(os.path.realpath(path)), "inflight") or ""
        words = told.split()
        writes += int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0
    return writes
