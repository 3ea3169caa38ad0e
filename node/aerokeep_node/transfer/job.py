"""The detached job of an order: it lets workers do the parts, tells how far they are, and ends them when it must."""

import contextlib
import os
import select
import signal
import time
from types import FrameType
from typing import Any, Dict, List, Mapping, Optional, Tuple

from aerokeep_node.clock import monotonic_s, read_clock
from aerokeep_node.refusal import HeldError, RefusalError
from aerokeep_node.run_directory import PROGRESS, TRANSFER, TRANSFER_LOCK, TRANSFER_TOMBSTONE, RunDirectory
from aerokeep_node.transfer.keys import ToolKey, find_key
from aerokeep_node.transfer.order import Order, Part, parse_order
from aerokeep_node.transfer.progress import DONE, FAILED, HEARTBEAT, RUNNING, WAITING, outcome, part_error
from aerokeep_node.transfer.spool import clear_spools, drop_spool
from aerokeep_node.transfer.worker import Forked, Work, fork_worker
from aerokeep_node.tree import Tree

TICK_S = 0.2
WRITE_S = 1.0
PATIENCE_S = 6.0
"""So long a worker may take to end its programs in order."""
LOCK_WAIT_S = 2.0

Ending = Tuple[str, str]


class Job:
    """One order, from begin to end."""

    def __init__(self, directory: RunDirectory, order: Order, works: Mapping[str, Work]) -> None:
        self._directory = directory
        self._order = order
        self._work = works[order.kind]
        self._progress: Dict[str, Any] = directory.read(PROGRESS) or {}
        self._waiting: List[Part] = list(order.parts)
        self._workers: Dict[str, Forked] = {}
        self._key: Optional[ToolKey] = None
        self._signal: Optional[int] = None
        self._ending: Optional[Ending] = None
        self._written_s = 0.0
        self._heard: Tuple[float, float] = (0.0, monotonic_s())
        self._begin_s, self._end_s = _deadlines(order)

    def live(self) -> None:
        """Do everything; when this returns, no process of a part is left, and the progress says how it went."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._progress["pid"] = os.getpid()
        self._write()
        try:
            clear_spools(self._directory.tree, self._order)
            self._key = find_key(self._directory.tree, self._order)
            while self._turn():
                pass
        except (RefusalError, OSError) as error:
            self._ending = ("tool_failed", str(error))
        finally:
            self._end()

    def _turn(self) -> bool:
        if self._ending is None:
            self._ending = self._why_end()
        if self._ending is None and (self._begin_s is None or monotonic_s() >= self._begin_s):
            self._begin_parts()
        for name, worker in list(self._workers.items()):
            if self._ending is not None:
                with contextlib.suppress(ProcessLookupError):
                    worker.tell_to_end(PATIENCE_S)
            self._heed(name, worker)
        if time.monotonic() - self._written_s >= WRITE_S:
            self._write()
        if not self._workers and (self._ending is not None or not self._waiting):
            return False
        select.select([worker.reports for worker in self._workers.values()], [], [], TICK_S)
        return True

    def _begin_parts(self) -> None:
        side_by_side = self._order.at_once if self._order.mode == "stream" and self._order.export_parts else 1
        while self._waiting and len(self._workers) < side_by_side:
            part = self._waiting.pop(0)
            self._part(part.name)["state"] = RUNNING
            self._workers[part.name] = fork_worker(self._work, part, self._order, self._directory, self._key)
            self._write()

    def _heed(self, name: str, worker: Forked) -> None:
        has_ended = worker.has_ended()  # asked first: what it said last is then there to be read
        reports = worker.read()
        for report in reports:
            self._part(name).update(report)
        if any("begun" in report for report in reports):
            self._write()
        if not has_ended:
            return
        worker.close()
        del self._workers[name]
        part = self._part(name)
        if self._ending is not None and part["state"] != DONE:
            part.update(state=FAILED, error=part_error(*self._ending))
        elif part["state"] not in (DONE, FAILED):
            part.update(state=FAILED, error=part_error("tool_killed", f"the part's process ended with {worker.code}"))
        self._write()

    def _why_end(self) -> Optional[Ending]:
        if self._directory.has(TRANSFER_TOMBSTONE):
            return ("cancelled", "the run was cancelled")
        if self._signal is not None:
            return ("cancelled", f"the job was told to end by signal {self._signal}")
        if self._end_s is not None and monotonic_s() >= self._end_s:
            return ("late", "the job had not ended by the time it was given")
        silent_s = monotonic_s() - self._last_heard()
        if silent_s > self._order.silence_s:
            return ("nobody_asked", f"no command came for {silent_s:.0f} s")
        return None

    def _last_heard(self) -> float:
        """Tell on a clock that nobody can set when a verb touched the heartbeat last."""
        try:
            touched = os.stat(self._directory.file(HEARTBEAT)).st_mtime
        except OSError:
            touched = self._heard[0]
        if touched != self._heard[0]:
            self._heard = (touched, monotonic_s())
        return self._heard[1]

    def _end(self) -> None:
        for worker in self._workers.values():  # only after a defect of this program
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
        drop_spool(self._directory.tree, self._order.directory, self._order.run)
        code, detail = self._ending or ("tool_failed", "the job ended by a defect")
        for part in self._progress["parts"]:
            if part["state"] in (WAITING, RUNNING):
                part.update(state=FAILED, error=part_error(code, detail))
        cancelled = self._directory.has(TRANSFER_TOMBSTONE) and code == "cancelled"
        self._progress.update(
            state=outcome(self._progress["parts"], cancelled=cancelled),
            ended_at=time.time(),
            detail=detail if self._ending else "",
        )
        self._write()

    def _part(self, name: str) -> Dict[str, Any]:
        part: Dict[str, Any] = next(part for part in self._progress["parts"] if part["name"] == name)
        return part

    def _write(self) -> None:
        self._written_s = time.monotonic()
        self._directory.write(PROGRESS, self._progress)

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        del frame
        self._signal = number


def _deadlines(order: Order) -> Tuple[Optional[float], Optional[float]]:
    """Convert true time to a clock that no step of the wall clock can move."""
    if order.begin_at is None and order.end_at is None:
        return None, None
    true_minus_monotonic = time.time() - monotonic_s() - read_clock().offset_s
    begin_s = None if order.begin_at is None else order.begin_at - true_minus_monotonic
    return begin_s, None if order.end_at is None else order.end_at - true_minus_monotonic


def run_job(tree: Tree, run: str, works: Mapping[str, Work]) -> int:
    """Hold the host's lock and live the job that a verb has written down."""
    directory = RunDirectory(tree, run)
    document = directory.read(TRANSFER)
    if document is None or not directory.has(PROGRESS):
        return 1
    order = parse_order(document, tuple(works))
    until_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            # Workers inherit it: as long as one of them is there, no other job begins.
            TRANSFER_LOCK.take(tree, run)
            break
        except HeldError:
            if time.monotonic() >= until_s:
                raise
            time.sleep(0.02)
    Job(directory, order, works).live()
    return 0
