"""One command on one node: its states, its process, its output."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.region.documents import Script

STDOUT_CHARS = 24_000
STDERR_CHARS = 8_000
TRACE_CHARS = 2_500
ENDED = ("Success", "Failed", "TimedOut", "Cancelled")
BEGUN = ("Pending", "Delayed", "InProgress")
ERRORS = ("Failed", "ExecutionTimedOut")
"""Details that count against a command's MaxErrors."""


@dataclass
class Invocation:
    """What GetCommandInvocation tells about one node."""

    command_id: str
    document: str
    instance_id: str
    script: Script
    comment: str = ""
    requested_at: float = field(default_factory=time.time)
    status: str = "Pending"
    detail: str = "Pending"
    response_code: int = -1
    started_at: float | None = None
    ended_at: float | None = None
    stdout: str = ""
    stderr: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    cancelled: bool = False
    entered: "Callable[[Invocation], None]" = field(default=lambda _: None, repr=False)
    """Called after each change of state."""

    @property
    def ended(self) -> bool:
        """Nothing more will happen to it."""
        return self.status in ENDED

    @property
    def counts_as_error(self) -> bool:
        """It counts against the command's MaxErrors."""
        return self.detail in ERRORS

    def enter(self, status: str, detail: str | None = None) -> bool:
        """Go into a state, unless it has ended; False if it has."""
        with self.lock:
            if self.ended or (self.status == "Cancelling" and status in BEGUN):
                return False
            if (self.status, self.detail) == (status, detail or status):
                return True
            self.status, self.detail = status, detail or status
            if self.ended:
                self.ended_at = time.time()
        self.entered(self)
        return True

    def cancel(self, *, heeded: bool) -> None:
        """What has not begun never will; what runs is killed, if the agent heeds that. It may have ended meanwhile."""
        self.cancelled = self.cancelled or heeded or self.started_at is None
        if self.started_at is None or (heeded and self.process is None):
            self.enter("Cancelled")
        elif self.enter("Cancelling") and heeded and self.process is not None:
            kill_group(self.process)

    def run(self, process: "subprocess.Popen[bytes]", *, output: Path, heard: Callable[[], bool]) -> bool:
        """See the shell to its end (children that it leaves behind hold nothing), then read its files.

        False if the agent is not `heard` of any more: then nobody knows how it ended.
        """
        self.process = process
        late = False
        if self.cancelled:
            kill_group(process)
        try:
            process.wait(self.script.timeout_s)
        except subprocess.TimeoutExpired:
            late = True
            kill_group(process)
            process.wait()
        if not heard():
            return False
        self.stdout = (output / "stdout").read_text(errors="replace")[:STDOUT_CHARS]
        self.stderr = (output / "stderr").read_text(errors="replace")[:STDERR_CHARS]
        if late:
            self.enter("TimedOut", "ExecutionTimedOut")
        elif self.cancelled:
            self.enter("Cancelled")
        else:
            self.answer(process.returncode, self.stdout)
        return True

    def answer(self, exit_code: int, stdout: str) -> None:
        """It ended by itself."""
        self.response_code, self.stdout = exit_code, stdout[:STDOUT_CHARS]
        self.enter("Success" if exit_code == 0 else "Failed")

    def wire(self) -> dict[str, Any]:
        """As GetCommandInvocation spells it."""
        return {
            "CommandId": self.command_id,
            "InstanceId": self.instance_id,
            "Comment": self.comment,
            "DocumentName": self.document,
            "DocumentVersion": "$DEFAULT",
            "PluginName": self.script.step,
            "ResponseCode": self.response_code,
            "ExecutionStartDateTime": _iso(self.started_at),
            "ExecutionEndDateTime": _iso(self.ended_at),
            "Status": self.status,
            "StatusDetails": self.detail,
            "StandardOutputContent": self.stdout if self.ended else "",
            "StandardErrorContent": self.stderr if self.ended else "",
        }

    def listed(self, *, details: bool) -> dict[str, Any]:
        """As ListCommandInvocations spells it."""
        held: dict[str, Any] = {
            "CommandId": self.command_id,
            "InstanceId": self.instance_id,
            "Comment": self.comment,
            "DocumentName": self.document,
            "RequestedDateTime": self.requested_at,
            "Status": self.status,
            "StatusDetails": self.detail,
            "CommandPlugins": [],
        }
        if details:
            plugin = {
                "Name": self.script.step,
                "Status": self.status,
                "StatusDetails": self.detail,
                "ResponseCode": self.response_code,
                "Output": self.stdout[:TRACE_CHARS] if self.ended else "",
            }
            held["CommandPlugins"] = [plugin]
        return held


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill the command's process group, as the agent does; what made a session of its own lives on."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _iso(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else ""
