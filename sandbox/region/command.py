"""One SendCommand: what was asked, who is to run it, and what has become of the whole."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.region.documents import Script
from sandbox.region.faults import ApiError
from sandbox.region.invocations import ENDED, Invocation

MOST_INSTANCES = 50
MOST_TARGETS, MOST_TARGET_VALUES = 5, 50
LEAST_TIMEOUT_S, LONGEST_TIMEOUT_S = 30, 2_592_000
DEFAULT_DELIVERY_S = 3600.0
DEFAULT_CONCURRENCY, DEFAULT_ERRORS = "50", "0"
HUNDRED = 100


@dataclass(frozen=True)
class Request:
    """A SendCommand request whose document is known."""

    document: str
    content: Mapping[str, Any]
    instance_ids: Sequence[str]
    """As asked for, or who the targets are."""
    parameters: Mapping[str, Sequence[str]]
    comment: str = ""
    timeout_s: float = DEFAULT_DELIVERY_S
    targets: Sequence[Mapping[str, Any]] = ()
    max_concurrency: str = DEFAULT_CONCURRENCY
    max_errors: str = DEFAULT_ERRORS

    def check(self) -> None:
        """Refuse what SSM refuses before it looks at nodes.

        Raises:
            ApiError: with its code.

        """
        if not self.targets and not self.instance_ids:
            raise ApiError("ValidationException", "InstanceIds or Targets must be given")
        if not self.targets and len(self.instance_ids) > MOST_INSTANCES:
            raise ApiError("ValidationException", _too_long("instanceIds", MOST_INSTANCES))
        if len(self.targets) > MOST_TARGETS:
            raise ApiError("ValidationException", _too_long("targets", MOST_TARGETS))
        if any(len(target.get("Values", ())) > MOST_TARGET_VALUES for target in self.targets):
            raise ApiError("ValidationException", _too_long("targets.values", MOST_TARGET_VALUES))
        if not LEAST_TIMEOUT_S <= self.timeout_s <= LONGEST_TIMEOUT_S:
            message = f"TimeoutSeconds must be between {LEAST_TIMEOUT_S} and {LONGEST_TIMEOUT_S}"
            raise ApiError("ValidationException", message)
        if len(set(self.instance_ids)) != len(self.instance_ids):
            raise ApiError("DuplicateInstanceId", "An instance id occurs twice")
        for words in (self.max_concurrency, self.max_errors):
            if not words.removesuffix("%").isdigit():
                raise ApiError("ValidationException", f"{words!r} is neither a number nor a percentage")

    @property
    def errors_allowed(self) -> int:
        """With more errors than this nobody else gets the command."""
        return _share(self.max_errors, len(self.instance_ids))

    @property
    def at_once(self) -> int:
        """So many nodes have the command at a time."""
        return max(1, _share(self.max_concurrency, len(self.instance_ids)))


def _too_long(name: str, most: int) -> str:
    return f"Value at '{name}' failed to satisfy constraint: Member must have length less than or equal to {most}"


def _share(words: str, whole: int) -> int:
    return int(words[:-1]) * whole // HUNDRED if words.endswith("%") else int(words)


@dataclass(frozen=True)
class Fate:
    """What becomes of a command on its way to one node, and there."""

    late_s: float = 0.0
    """It comes so much later."""
    lost: bool = False
    """It never comes."""
    twice: bool = False
    """It runs again as soon as it has ended; only the first answer is heard."""
    hung: bool = False
    """It starts, does nothing, and never ends by itself."""


AS_IT_SHOULD = Fate()


@dataclass
class Command:
    """One SendCommand that was accepted."""

    command_id: str
    request: Request
    script: Script
    expires_s: float
    """So long from the request until everybody who has not told an end has ``DeliveryTimedOut``."""
    invisible_s: float = 0.0
    """So long its invocations can't be seen."""
    requested_at: float = field(default_factory=time.time)
    invocations: dict[str, Invocation] = field(default_factory=dict)
    overruled: str = ""
    """Why it was never tried: ``NoInstancesInTag`` or ``RateExceeded``."""
    turns: threading.Semaphore = field(init=False, repr=False)
    begun: float = field(default_factory=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        self.turns = threading.Semaphore(self.request.at_once)

    @property
    def visible(self) -> bool:
        """In its first moments a command has no invocations to be seen."""
        return time.monotonic() - self.begun >= self.invisible_s

    @property
    def left_s(self) -> float:
        """Until it expires."""
        return max(0.0, self.begun + self.expires_s - time.monotonic())

    @property
    def errors(self) -> int:
        """What counts against MaxErrors: failures and execution timeouts, not what was never delivered."""
        return sum(invocation.counts_as_error for invocation in self.invocations.values())

    @property
    def gives_up(self) -> bool:
        """Nobody else gets it."""
        return self.errors > self.request.errors_allowed

    @property
    def status(self) -> tuple[str, str]:
        """Status and StatusDetails of the whole."""
        if self.overruled:
            return "Failed", self.overruled
        states = Counter(invocation.status for invocation in self.invocations.values())
        if sum(states[state] for state in ENDED) == len(self.invocations):
            return self._end
        if set(states) == {"Pending"}:
            return "Pending", "Pending"
        going = "Cancelling" if states["Cancelling"] else "InProgress"
        return going, going

    @property
    def _end(self) -> tuple[str, str]:
        details = Counter(invocation.detail for invocation in self.invocations.values())
        if details["Success"] == len(self.invocations):
            return "Success", "Success"
        if self.gives_up:
            late = details["ExecutionTimedOut"] == self.errors
            return ("TimedOut", "ExecutionTimedOut") if late else ("Failed", "Failed")
        if details["Cancelled"]:
            return "Cancelled", "Cancelled"
        if details["DeliveryTimedOut"] > self.request.errors_allowed:
            return "TimedOut", "DeliveryTimedOut"
        return "Failed", "Incomplete"

    def wire(self) -> dict[str, Any]:
        """As SendCommand and ListCommands spell it."""
        status, detail = self.status
        details = Counter(invocation.detail for invocation in self.invocations.values())
        return {
            "CommandId": self.command_id,
            "DocumentName": self.request.document,
            "Comment": self.request.comment,
            "Parameters": {name: list(values) for name, values in self.request.parameters.items()},
            "InstanceIds": [] if self.request.targets else list(self.request.instance_ids),
            "Targets": [dict(target) for target in self.request.targets],
            "MaxConcurrency": self.request.max_concurrency,
            "MaxErrors": self.request.max_errors,
            "TimeoutSeconds": int(self.request.timeout_s),
            "RequestedDateTime": self.requested_at,
            "ExpiresAfter": self.requested_at + self.expires_s,
            "Status": status,
            "StatusDetails": detail,
            "TargetCount": len(self.invocations),
            "CompletedCount": sum(invocation.ended for invocation in self.invocations.values()),
            "ErrorCount": self.errors,
            "DeliveryTimedOutCount": details["DeliveryTimedOut"],
        }
