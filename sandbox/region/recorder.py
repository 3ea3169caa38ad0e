"""What every caller asked AWS for, and what ran on every host, kept in order for whoever judges it afterwards."""

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.region.faults import ApiCall
    from sandbox.region.lambdas.fleet import Fleet

LOST = "(lost)"
"""The outcome of a call whose answer nobody heard."""
LONGEST_TEXT = 4096
_CODE = re.compile(rb"<Code>([^<]+)</Code>")
ERROR = 400


@dataclass(frozen=True)
class RecordedCall:
    """One AWS call."""

    at: float
    """Epoch seconds."""
    service: str
    """The signing name: ``ec2``, ``ssm``, ``s3``, ``states`` …"""
    action: str
    """As in the API reference; empty if botocore knows none such."""
    params: Mapping[str, Any]
    """The request; bodies are left out, long strings cut short."""
    caller: str
    """The role that signed it, or ``operator``."""
    function: str = ""
    """The handler of the Lambda that called (``aerokeep.steps.backup.plan_backup.handler``), if one did."""
    execution: str = ""
    """The ARN of the execution that this Lambda worked for."""
    outcome: str = ""
    """Empty where it succeeded, else the error's code, or `LOST`."""
    seconds: float = 0.0

    @property
    def state(self) -> str:
        """``journey.module`` of the step that called; empty where none did."""
        parts = self.function.split(".")
        return ".".join(parts[2:4]) if len(parts) > 4 else ""  # noqa: PLR2004  # aerokeep.steps.<journey>.<module>.handler


@dataclass(frozen=True)
class HostAct:
    """One SSM document on one node."""

    at: float
    instance_id: str
    document: str
    environment: Mapping[str, str]
    status: str
    exit_code: int
    seconds: float


@dataclass
class Record:
    """What happened while it was kept."""

    calls: list[RecordedCall] = field(default_factory=list)
    acts: list[HostAct] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """As one JSON object: ``{"calls": [...], "acts": [...]}``."""
        path.write_text(json.dumps({"calls": [asdict(c) for c in self.calls], "acts": [asdict(a) for a in self.acts]}))

    @classmethod
    def read(cls, path: Path) -> "Record":
        """What `write` wrote."""
        held = json.loads(path.read_text())
        return cls([RecordedCall(**c) for c in held["calls"]], [HostAct(**a) for a in held["acts"]])


class Recorder:
    """Hands what happens to every record that is being kept; costs nothing while none is."""

    def __init__(self, fleet: "Fleet") -> None:
        self._fleet = fleet
        self._lock = threading.Lock()
        self._records: list[Record] = []

    @property
    def idle(self) -> bool:
        """Nobody keeps a record."""
        return not self._records

    @contextmanager
    def recording(self) -> Iterator[Record]:
        """Keep a record of all that happens within the block."""
        record = Record()
        with self._lock:
            self._records.append(record)
        try:
            yield record
        finally:
            with self._lock:
                self._records.remove(record)

    def call(self, call: "ApiCall", *, began: float, outcome: str) -> None:
        """A call has ended; `began` is in epoch seconds."""
        work = self._fleet.caller(call.session)
        told = RecordedCall(
            at=began,
            service=call.service,
            action=call.action,
            params=_plain(call.params),
            caller=call.caller,
            function=work.function.handler if work else "",
            execution=work.execution if work else "",
            outcome=outcome,
            seconds=time.time() - began,
        )
        with self._lock:
            for record in self._records:
                record.calls.append(told)

    def act(self, told: HostAct) -> None:
        """A document has ended on a node."""
        with self._lock:
            for record in self._records:
                record.acts.append(told)


def outcome_of(status: int, body: bytes) -> str:
    """The error's code in an answer; empty if it is none."""
    if status < ERROR:
        return ""
    if found := _CODE.search(body):
        return found[1].decode()
    try:
        held = json.loads(body)
        return str(held.get("__type", status)).rpartition("#")[2]
    except (ValueError, AttributeError):
        return str(status)


def _plain(value: Any, name: str = "") -> Any:  # noqa: ANN401  # any request's parameters
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    if name == "Body" or isinstance(value, bytes) or hasattr(value, "read"):
        return "(body)"
    return str(value)[:LONGEST_TEXT]
