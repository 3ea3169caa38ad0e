"""The directory of one run below ``/run/aerokeep``: what is intended, what was done, and whether a lease lives."""

import json
import os
import shutil
from typing import Any, Dict, List, Optional

from aerokeep_node.host_lock import HOME, HostLock
from aerokeep_node.tree import Tree

LEASE_LOCK = HostLock("lease.lock", code="guard_held", what="the write stop")
TRANSFER_LOCK = HostLock("transfer.lock", code="job_running", what="the export or import")

REQUEST = "request.json"
"""What stop-writes asks its resident to do."""
ARMED = "armed.json"
"""The resident is ready; the answer of stop-writes."""
REFUSED = "refused.json"
"""The resident could not arm; why."""
INTENT = "intent.json"
"""Written before each act: what an undo by somebody else needs to know."""
EVIDENCE = "evidence.json"
"""Written last: the write stop is over and everything is as before."""
RESUME = "resume"
"""Put here by resume-writes: undo now."""
TOMBSTONE = "tombstone"
"""Put here by resume-writes: no write stop may start for this run any more."""
ASIDE = "aside"
ASIDE_LIST = "aside.json"
STOPPED = "stopped.json"
"""What stop found before it unmounted, and whether the server ended cleanly."""
STAGED = "staged.json"
"""Where stage is about to change something, so that it can be taken back."""
STARTED = "started.json"
"""Put here by start once the unit was told to start: from now on an ended server has failed."""
LOG = "lease.log"
TRANSFER = "transfer.json"
"""The order of an export or import, as its job runs it."""
PROGRESS = "progress.json"
"""How far the job of that order is."""
TRANSFER_TOMBSTONE = "transfer.tombstone"
"""Put here by cancel: no export or import may run for this run any more."""
KEEP_S = 2 * 86400.0


class RunDirectory:
    """Files of one run; every write is whole or not there at all."""

    def __init__(self, tree: Tree, run: str) -> None:
        self.tree = tree
        self.run = run
        self.path = tree.path(HOME, run)

    def create(self) -> None:
        """Make it, readable by root alone."""
        os.makedirs(self.tree.path(HOME), mode=0o700, exist_ok=True)
        os.makedirs(self.path, mode=0o700, exist_ok=True)

    def file(self, *names: str) -> str:
        """Give the path of a file in it."""
        return os.path.join(self.path, *names)

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return os.path.exists(self.file(name))

    def mark(self, name: str) -> None:
        """Put an empty file, such as the tombstone."""
        write_whole(self.file(name), b"")

    def drop(self, name: str) -> None:
        """Take a file away, if it is there."""
        if self.has(name):
            os.unlink(self.file(name))

    def write(self, name: str, content: Any) -> None:  # noqa: ANN401 - whatever JSON can carry
        """Write JSON, durable before this returns."""
        write_whole(self.file(name), json.dumps(content, separators=(",", ":")).encode("ascii"))

    def read(self, name: str) -> Optional[Dict[str, Any]]:
        """Read JSON; None where there is none yet."""
        try:
            with open(self.file(name), "rb") as file:
                content = json.loads(file.read().decode("ascii"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None


def write_whole(path: str, content: bytes) -> None:
    """Write a file so that a reader, also after a crash, sees all of it or the former one."""
    draft = f"{path}.{os.getpid()}.draft"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
    except BaseException:
        if os.path.exists(draft):
            os.unlink(draft)
        raise


def take_lease_lock(tree: Tree, run: str) -> int:
    """Take the host's one lease lock; the kernel gives it back whatever becomes of its holders.

    Raises:
        HeldError: ``guard_held``: another run's lease lives.

    """
    return LEASE_LOCK.take(tree, run)


def holder_of_lease_lock(tree: Tree) -> Optional[str]:
    """Say which run's lease lives on this host, if any does."""
    return LEASE_LOCK.holder(tree)


def live_run(tree: Tree) -> Optional[Dict[str, Any]]:
    """Describe the write stop that lives on this host, if one does."""
    run = holder_of_lease_lock(tree)
    if not run:
        return None
    armed = RunDirectory(tree, run).read(ARMED) or {}
    return {
        "run": run,
        "armed_at": armed.get("armed_at"),
        "start_at": armed.get("start_at"),
        "end_at": armed.get("end_at"),
    }


def prune_old_runs(tree: Tree, now_at: float) -> None:
    """Take away runs that ended long ago: /run is memory, and their copies have been uploaded or never will be."""
    for name in tree.listdir(HOME):
        run = RunDirectory(tree, name)
        lives = name in (holder_of_lease_lock(tree), TRANSFER_LOCK.holder(tree))
        if _is_over(run) and not lives and now_at - os.stat(run.path).st_mtime > KEEP_S:
            shutil.rmtree(run.path, ignore_errors=True)


def _is_over(run: RunDirectory) -> bool:
    if run.has(EVIDENCE) or run.has(TOMBSTONE):
        return True
    # Only what an undo could still need, an armed write stop without evidence, is kept for good.
    return not run.has(REQUEST) and any(run.has(name) for name in (ASIDE_LIST, PROGRESS, TRANSFER_TOMBSTONE))


def abandoned_runs(tree: Tree) -> List[str]:
    """List runs that were armed and never ended, though no lease lives: their holder was killed."""
    if holder_of_lease_lock(tree) is not None:
        return []
    runs = (RunDirectory(tree, name) for name in tree.listdir(HOME))
    return [run.run for run in runs if run.has(INTENT) and not run.has(EVIDENCE)]
