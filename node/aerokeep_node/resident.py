"""Internal verbs ``resident`` and ``undo``: the lease's processes, which nobody calls by hand."""

import os
import signal
import time
from types import FrameType
from typing import Any, Dict, Optional

from aerokeep_node.asd import Asd
from aerokeep_node.lease import Resident
from aerokeep_node.refusal import HeldError, RefusalError
from aerokeep_node.run_directory import EVIDENCE, INTENT, REFUSED, REQUEST, RunDirectory, take_lease_lock
from aerokeep_node.tree import Tree
from aerokeep_node.undo import recover

LOCK_WAIT_S = 1.0
"""Somebody who only asks whether a lease lives holds the lock for an instant."""
UNDO_WAIT_S = 20.0


def run_resident(tree: Tree, run_id: str) -> int:
    """Hold the lock and live the lease, with a keeper that undoes it should the resident be killed."""
    run = RunDirectory(tree, run_id)
    request = run.read(REQUEST)
    if request is None:
        return 1
    try:
        take_lease_lock_patiently(tree, run_id)
        resident = Resident(run, request)
    except RefusalError as refusal:
        run.write(REFUSED, {"code": refusal.code, "detail": refusal.detail, "exit_code": refusal.exit_code})
        return refusal.exit_code
    child = os.fork()
    if child == 0:
        # The child of a fork must never come back into its parent's code.
        code = 1
        try:
            code = _live(run, resident)
        finally:
            os._exit(code)
    return _keep(run, child)


def take_lease_lock_patiently(tree: Tree, run_id: str, wait_s: float = LOCK_WAIT_S) -> int:
    """Take the lease lock, waiting a moment for those who only look."""
    until_s = time.monotonic() + wait_s
    while True:
        try:
            return take_lease_lock(tree, run_id)
        except HeldError:
            if time.monotonic() >= until_s:
                raise
            time.sleep(0.02)


def _live(run: RunDirectory, resident: Resident) -> int:
    try:
        resident.arm()
    except RefusalError as refusal:
        run.write(REFUSED, {"code": refusal.code, "detail": refusal.detail, "exit_code": refusal.exit_code})
        return refusal.exit_code
    except Exception as error:
        run.write(REFUSED, {"code": "not_armed", "detail": f"{type(error).__name__}: {error}", "exit_code": 1})
        raise
    resident.live()
    return 0


def _keep(run: RunDirectory, child: int) -> int:
    """Wait for the resident; if it is killed, undo in its place (the lock is shared by both)."""

    def pass_on(number: int, frame: Optional[FrameType]) -> None:
        del frame
        os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)
    _, status = os.waitpid(child, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if run.has(INTENT) and not run.has(EVIDENCE):
        recover(run, Asd(run.tree))
    return status


def run_undo(tree: Tree, run_id: str) -> int:
    """Second line: see to it that a run is over, whoever began it."""
    return 0 if end_abandoned(RunDirectory(tree, run_id)) is not None else 1


def end_abandoned(run: RunDirectory) -> Optional[Dict[str, Any]]:
    """Undo a run whose resident and keeper are gone; one that lives is told to end. None if it has not ended yet."""
    intent = run.read(INTENT)
    if intent is None or run.has(EVIDENCE):
        return run.read(EVIDENCE) or {}
    try:
        lock = take_lease_lock_patiently(run.tree, run.run)
    except HeldError:
        _tell_to_end(run, intent)
        return run.read(EVIDENCE)
    try:
        # It may have ended while the lock was waited for.
        return run.read(EVIDENCE) or recover(run, Asd(run.tree))
    finally:
        os.close(lock)


def _tell_to_end(run: RunDirectory, intent: Dict[str, Any]) -> None:
    pid = int(intent["resident"])
    arguments = run.tree.read("proc", str(pid), "cmdline") or ""
    # The number may have gone to somebody else meanwhile.
    if run.run in arguments.split("\0"):
        os.kill(pid, signal.SIGTERM)
    until_s = time.monotonic() + UNDO_WAIT_S
    while not run.has(EVIDENCE) and time.monotonic() < until_s:
        time.sleep(0.02)
