"""What ``export`` and ``import`` share: judge an order, start its job once, and answer with its status."""

import os
import time
from typing import Any, Dict, Optional, Tuple

from aerokeep_node import detach
from aerokeep_node.fetching import fetch_order
from aerokeep_node.refusal import HeldError, NotNowError, RefusalError
from aerokeep_node.run_directory import (
    PROGRESS,
    TRANSFER,
    TRANSFER_LOCK,
    TRANSFER_TOMBSTONE,
    RunDirectory,
    prune_old_runs,
)
from aerokeep_node.transfer.order import Order, parse_order
from aerokeep_node.transfer.preflight import look
from aerokeep_node.transfer.progress import RUNNING, first_progress, read_status, touch_heartbeat
from aerokeep_node.tree import Tree

LOG = "transfer.log"
LOCK_WAIT_S = 15.0
START_S = 8.0
POLL_S = 0.05


def begin(tree: Tree, parameters: Dict[str, str], kinds: Tuple[str, ...], job: str) -> Dict[str, Any]:
    """Start the job of an order, unless it has been started already.

    Raises:
        RefusalError: what ``parse_order`` and the preflight refuse, and ``cancelled``.
        HeldError: ``job_running``.
        NotNowError: ``download_failed``, ``vault_unreachable``, ``job_not_started``.

    """
    directory = RunDirectory(tree, parameters["Run"])
    document = fetch_order(parameters["Spec"])
    order = parse_order(document, kinds)
    if order.run != directory.run:
        raise RefusalError("spec_invalid", f"spec: run is {order.run}, the command is for {directory.run}")
    directory.create()
    if directory.has(TRANSFER_TOMBSTONE):
        raise RefusalError("cancelled", f"run {directory.run} was cancelled")
    touch_heartbeat(directory)
    lock = _lock_to_begin(directory, order)
    if lock is not None:
        prune_old_runs(tree, time.time())
        _begin(directory, order, document, job, lock)
    return read_status(directory)


def _is_begun(directory: RunDirectory, order: Order) -> bool:
    progress = directory.read(PROGRESS)
    return progress is not None and progress["token"] == order.token


def _lock_to_begin(directory: RunDirectory, order: Order) -> Optional[int]:
    """Take the lock that a verb holds while it looks, so that of two equal commands one begins; None if it is begun."""
    until_s = time.monotonic() + LOCK_WAIT_S
    while not _is_begun(directory, order):
        try:
            lock = TRANSFER_LOCK.take(directory.tree, directory.run)
            if not _is_begun(directory, order):
                return lock
            os.close(lock)
        except HeldError:
            # Only a job that has written down that it runs is sure to go on.
            if _a_job_runs(directory.tree) or time.monotonic() >= until_s:
                raise
        time.sleep(POLL_S)
    return None


def _a_job_runs(tree: Tree) -> bool:
    holder = TRANSFER_LOCK.holder(tree)
    progress = RunDirectory(tree, holder).read(PROGRESS) if holder else None
    return progress is not None and progress["state"] == RUNNING


def _begin(directory: RunDirectory, order: Order, document: object, job: str, lock: int) -> None:
    try:
        tool, key_check = look(directory.tree, order)
        directory.write(TRANSFER, document)
        directory.write(PROGRESS, first_progress(order, tool, key_check))
    finally:
        os.close(lock)
    detach.start_transfer(job, directory.run, order.token, directory.file(LOG), directory.tree, nice=order.nice)
    until_s = time.monotonic() + START_S
    while (directory.read(PROGRESS) or {}).get("pid") is None:
        if time.monotonic() >= until_s:
            raise NotNowError("job_not_started", f"the job did not come up within {START_S:.0f} s")
        time.sleep(POLL_S)
