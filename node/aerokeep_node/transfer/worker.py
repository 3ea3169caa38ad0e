"""One part of an order, done by a forked process that leads a group of its own and reports to the job."""

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from typing import Any, Callable, Dict, List, Optional

from aerokeep_node.run_directory import RunDirectory
from aerokeep_node.transfer.children import Child, Leash, Program, die_with_parent, end_children
from aerokeep_node.transfer.keys import ToolKey
from aerokeep_node.transfer.order import Order, Part
from aerokeep_node.transfer.plumbing import Plumbing, WorkerEndError
from aerokeep_node.transfer.progress import DONE, FAILED, part_error

REPORT_S = 0.5
Heed = Callable[[str], None]
_LARGEST_WRITE = 64 * 1024


class PartError(Exception):
    """The part has failed; ``code`` is one of the contract's."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code + ": " + detail)
        self.code = code
        self.detail = detail


class Worker:
    """What a part's work has at hand; whatever it starts is over when it is."""

    def __init__(self, directory: RunDirectory, order: Order, key: Optional[ToolKey], report_to: int) -> None:
        self.directory = directory
        self.order = order
        self.key = key
        self.plumbing = Plumbing()
        self._report_to = report_to
        self._reported_s = 0.0
        self._uploads: List[Child] = []
        self._others: List[Child] = []
        self._leashes: List[Leash] = []

    def report(self, *, now: bool = False, **changes: Any) -> None:  # noqa: ANN401 - whatever a part's progress holds
        """Tell the job what has changed in the part; too often is not told, unless it matters."""
        if now or time.monotonic() - self._reported_s >= REPORT_S:
            self._reported_s = time.monotonic()
            line = json.dumps(changes, separators=(",", ":")).encode("ascii") + b"\n"
            while line:
                line = line[os.write(self._report_to, line[:_LARGEST_WRITE]) :]

    def start(self, program: Program, *, upload: bool = False, heed: Optional[Heed] = None) -> Child:
        """Start a program; what it says on stderr is kept, and heeded."""
        try:
            started = Child(program)
        except OSError as error:
            raise PartError("tool_failed", f"{program.name}: {error}") from error
        (self._uploads if upload else self._others).append(started)

        def heed_line(line: str) -> None:
            started.words.heed(line)
            if heed is not None:
                heed(line)

        self.plumbing.heed(started.stderr, heed_line)
        return started

    def leash(self, *held: int) -> Leash:
        """See to it that nobody takes this worker's death for the end of its input."""
        leash = Leash(held)
        self._leashes.append(leash)
        return leash

    def release(self, leash: Leash) -> None:
        """Let a leash go, since what it held may end now."""
        leash.release()
        self._leashes.remove(leash)

    def wait_for(self, child: Child) -> int:
        """Let everything flow until a program has ended, and its last words are heard; give its exit code."""
        while child.code is None:
            self.plumbing.turn()
        self.plumbing.forget(child.stderr)
        code = child.code
        return -1 if code is None else code

    def end(self, uploads: List[Child], others: List[Child]) -> None:
        """End programs; only then may what they read be closed."""
        end_children(uploads, others, self.plumbing.drain)
        for child in [*uploads, *others]:
            self.plumbing.forget(child.stderr)
            child.close()
        self._uploads = [child for child in self._uploads if child not in uploads]
        self._others = [child for child in self._others if child not in others]

    def end_all(self) -> None:
        """End every program, and what kept their inputs open."""
        self.end(self._uploads, self._others)
        for leash in list(self._leashes):
            self.release(leash)


Work = Callable[[Worker, Part], Dict[str, Any]]
"""Does a part, and gives what its progress holds in the end; raises PartError."""


def fork_worker(work: Work, part: Part, order: Order, directory: RunDirectory, key: Optional[ToolKey]) -> "Forked":
    """Start a part's process."""
    parent = os.getpid()
    reports, report_to = os.pipe()
    pid = os.fork()
    if pid:
        os.close(report_to)
        os.set_blocking(reports, False)
        return Forked(pid, reports)
    # The child of a fork must never come back into its parent's code.
    try:
        os.close(reports)
        os.setsid()
        die_with_parent()
        if os.getppid() == parent:
            os.nice(max(0, order.nice - os.nice(0)))  # the service may have been started with it
            _do(Worker(directory, order, key, report_to), work, part)
    except BaseException:  # noqa: BLE001 - the log is all that is left to tell it
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(0)


def _do(worker: Worker, work: Work, part: Part) -> None:
    worker.plumbing.heed_signals()
    worker.leash()  # also of what holds no input open
    try:
        ended = dict(work(worker, part), state=DONE)
    except PartError as error:
        ended = {"state": FAILED, "error": part_error(error.code, error.detail)}
    except WorkerEndError:
        ended = {"state": FAILED}  # the job knows why
    except Exception as defect:  # noqa: BLE001 - the part has failed, whatever it was; the trace goes to the log
        traceback.print_exc(file=sys.stderr)
        ended = {"state": FAILED, "error": part_error("tool_failed", f"{type(defect).__name__}: {defect}")}
    worker.end_all()
    worker.report(now=True, **ended)


class Forked:
    """A part's process, as the job sees it."""

    def __init__(self, pid: int, reports: int) -> None:
        self.pid = pid
        self.reports = reports
        self.code: Optional[int] = None
        self.told_s: Optional[float] = None
        self._rest = b""

    def read(self) -> List[Dict[str, Any]]:
        """Take in what it has reported."""
        chunks = [self._rest]
        try:
            while True:
                chunk = os.read(self.reports, 1 << 16)
                if not chunk:
                    break
                chunks.append(chunk)
        except BlockingIOError:
            pass
        *lines, self._rest = b"".join(chunks).split(b"\n")
        return [json.loads(line.decode("ascii")) for line in lines]

    def has_ended(self) -> bool:
        """Whether it is gone; whatever was left of its group goes with it."""
        if self.code is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            # Before it is reaped: its number is still its own, and so is its group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return self.code is not None

    def tell_to_end(self, patience_s: float) -> None:
        """Ask it to end; kill all of its group once it has not for so long."""
        if self.code is not None:
            return
        if self.told_s is None:
            self.told_s = time.monotonic()
            os.kill(self.pid, signal.SIGTERM)
        elif time.monotonic() - self.told_s > patience_s:
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Forget it."""
        os.close(self.reports)
