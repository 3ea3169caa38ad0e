"""One Lambda instance: what it is asked, how it ends if it answers nothing, and what it has written to its log."""

import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.region.lambdas.zygote import receive, send

EXITED = "Runtime.ExitError"
Error = tuple[str, str]
"""A kind of error as Lambda names it, and its words."""


@dataclass(frozen=True)
class Deployed:
    """A function as it is configured right now; instances of another configuration are never reused."""

    name: str
    arn: str
    handler: str
    role: str
    timeout_s: float
    memory_mb: int
    log_group: str
    code: bytes = field(repr=False)
    code_sha256: str
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Outcome:
    """What Invoke answers with."""

    payload: str
    failed: bool
    log: str


@dataclass
class Instance:
    """One warm process."""

    pid: int
    link: socket.socket
    log_path: Path
    session: str
    """The session token of its credentials: no other instance has it."""

    def ask(self, function: Deployed, event: object, request_id: str) -> tuple[dict[str, Any] | None, Error]:
        """Give it an event → what it answers, and how it ended if that is nothing."""
        request = {"event": event, "request_id": request_id, "deadline": time.time() + function.timeout_s}
        try:
            send(self.link, request)
            self.link.settimeout(function.timeout_s)
            return receive(self.link), (EXITED, "Runtime exited without providing a reason")
        except TimeoutError:
            return None, timed_out(function)
        except OSError as broken:
            return None, (EXITED, f"Runtime exited: {broken}")

    def log_size(self) -> int:
        """How many bytes it has written; none if its log went with the fleet."""
        with suppress(FileNotFoundError):
            return self.log_path.stat().st_size
        return 0

    def log_from(self, offset: int) -> str:
        """What it has written behind so many bytes; nothing if its log went with the fleet."""
        with suppress(FileNotFoundError), self.log_path.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")
        return ""


def timed_out(function: Deployed) -> Error:
    """How Lambda says that a function was over its time."""
    return "Sandbox.Timedout", f"Task timed out after {function.timeout_s:.2f} seconds"


def died(request_id: str, error: Error, log: str = "") -> Outcome:
    """What Invoke answers with when the instance answers nothing any more."""
    kind, text = error
    payload = json.dumps({"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {text}"})
    return Outcome(payload, failed=True, log=log)
