"""Verb ``cancel``: no job may run for a run any more, and one that does is ended with all of its processes."""

import contextlib
import os
import signal
import time
from typing import Any, Dict

from aerokeep_node.run_directory import PROGRESS, TRANSFER, TRANSFER_TOMBSTONE, RunDirectory
from aerokeep_node.transfer.progress import lives, read_status
from aerokeep_node.transfer.spool import drop_spool
from aerokeep_node.tree import Tree, read_text

WAIT_S = 10.0
PATIENCE_S = 8.0
"""A job that has not ended itself by then hangs, and is killed; its workers die with it."""
POLL_S = 0.05


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Put the tombstone first, so that nothing can begin behind it; called again, it goes on ending."""
    directory = RunDirectory(tree, parameters["Run"])
    directory.create()
    directory.mark(TRANSFER_TOMBSTONE)
    began_s = time.monotonic()
    while lives(directory) and time.monotonic() - began_s < WAIT_S:
        if time.monotonic() - began_s > PATIENCE_S:
            _kill(directory)
        time.sleep(POLL_S)
    order = directory.read(TRANSFER)
    if order is not None and not lives(directory):
        drop_spool(tree, str(order["directory"]), directory.run)
    return read_status(directory)


def _kill(directory: RunDirectory) -> None:
    pid = (directory.read(PROGRESS) or {}).get("pid")
    # The number may have gone to somebody else meanwhile.
    if pid is not None and directory.run in (read_text(f"/proc/{pid}/cmdline") or "").split("\0"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
