"""The machine file of a tool, as a pipe with a name: nothing is overwritten in it, and nothing piles up."""

import contextlib
import os
from typing import Callable, Iterator

from aerokeep_node.transfer.worker import Worker


@contextlib.contextmanager
def machine_file(worker: Worker, name: str, heed: Callable[[str], None]) -> Iterator[str]:
    """Give the path of a named pipe whose lines are heeded until this ends."""
    path = worker.directory.file(f"{name}.{worker.order.token}.machine")
    if os.path.lexists(path):
        os.unlink(path)
    os.mkfifo(path, 0o600)
    # Open for both: the tool must not wait for a reader, nor its closing be the end.
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        worker.plumbing.heed(descriptor, heed)
        yield path
    finally:
        worker.plumbing.forget(descriptor)
        os.close(descriptor)
        os.unlink(path)
