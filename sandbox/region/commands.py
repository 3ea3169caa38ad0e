"""SSM Run Command: deliver commands late, run them for real on the nodes, several at once, and report on them."""

import random
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.dataplane.plane import DataPlaneError
from sandbox.region.documents import check_parameters, script_of
from sandbox.region.faults import ApiError
from sandbox.region.invocations import Invocation
from sandbox.region.pace import Pace
from sandbox.region.plane import AnsweringPlane, Plane

if TYPE_CHECKING:
    from pathlib import Path

WORKERS_PER_NODE = 5
MOST_INSTANCES = 50
LEAST_TIMEOUT_S = 30
DEFAULT_DELIVERY_S = 3600.0
AGENT_VERSION = "3.3.2746.0"
POLL_S = 0.02


@dataclass
class Agent:
    """The SSM agent of one node."""

    online: bool = True
    """Nobody has taken it down on a node that works."""
    hears: bool = True
    """It picks up commands; one that does not still looks connected, and its commands wait."""
    version: str = AGENT_VERSION
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(WORKERS_PER_NODE))
    boots: int = 0
    registered_at: float | None = None
    up_at: float | None = None
    lost_at: float | None = None
    """On the monotonic clock; SSM notices later."""

    def boot(self, delay_s: float) -> None:
        """The node has been powered on; its agent answers in `delay_s` seconds."""
        if self.registered_at is not None and not self.registered:
            self.registered_at = None
        self.boots += 1
        self.up_at, self.lost_at = time.monotonic() + delay_s, None
        self.registered_at = self.registered_at or self.up_at

    def lose(self, delay_s: float) -> None:
        """The node has lost its power; SSM notices in `delay_s` seconds."""
        if self.up_at is not None:
            self.up_at, self.lost_at = None, time.monotonic() + delay_s

    @property
    def registered(self) -> bool:
        """SSM has heard of it."""
        return self.registered_at is not None and time.monotonic() >= self.registered_at

    @property
    def connected(self) -> bool:
        """It answers."""
        return self.online and self.up_at is not None and time.monotonic() >= self.up_at

    @property
    def listens(self) -> bool:
        """A command sent now reaches it."""
        return self.connected and self.hears

    @property
    def seems_online(self) -> bool:
        """SSM believes that it answers."""
        return self.connected or (self.online and self.lost_at is not None and time.monotonic() < self.lost_at)


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


@dataclass(frozen=True)
class Request:
    """A SendCommand request whose document is known."""

    document: str
    content: Mapping[str, Any]
    instance_ids: Sequence[str]
    parameters: Mapping[str, Sequence[str]]
    comment: str = ""
    timeout_s: float = DEFAULT_DELIVERY_S


@dataclass
class Command:
    """One SendCommand."""

    command_id: str
    request: Request
    requested_at: float
    invocations: dict[str, Invocation]

    def wire(self) -> dict[str, Any]:
        """As SendCommand and ListCommands spell it."""
        states = [invocation.status for invocation in self.invocations.values()]
        done = sum(invocation.ended for invocation in self.invocations.values())
        bad = next((s for s in ("Failed", "TimedOut", "Cancelled") if s in states), "Success")
        status = bad if done == len(states) else ("Pending" if set(states) == {"Pending"} else "InProgress")
        return {
            "CommandId": self.command_id,
            "DocumentName": self.request.document,
            "Comment": self.request.comment,
            "Parameters": {name: list(values) for name, values in self.request.parameters.items()},
            "InstanceIds": list(self.request.instance_ids),
            "RequestedDateTime": self.requested_at,
            "ExpiresAfter": self.requested_at + self.request.timeout_s,
            "Status": status,
            "StatusDetails": status,
            "TargetCount": len(states),
            "CompletedCount": done,
            "ErrorCount": sum(s in ("Failed", "TimedOut") for s in states),
        }


class Commands:
    """All commands of a region, and the agents that run them."""

    def __init__(self, plane: Plane, pace: Pace, *, tag: str, ended: Callable[[Invocation], None]) -> None:
        self._plane, self._pace, self._tag, self._ended = plane, pace, tag, ended
        self._lock = threading.Lock()
        self._agents: dict[str, Agent] = {}
        self._commands: dict[str, Command] = {}
        self._stopped = threading.Event()
        self.fate: Callable[[Invocation], Fate] = lambda _invocation: AS_IT_SHOULD
        """Asked once for each command and node."""
        self.at_phase: list[Callable[[Invocation, str], None]] = []
        """Told when a command has ``started`` on a node, and when it has ``ended`` there, as far as SSM knows."""
        self._jitter = random.Random(7)  # noqa: S311  # a seed makes runs alike; nothing here is secret

    def agent(self, instance_id: str) -> Agent:
        """The agent of a node, whether it answers or not."""
        with self._lock:
            return self._agents.setdefault(instance_id, Agent())

    def send(self, request: Request, *, reachable: Sequence[str]) -> Command:
        """Check, accept, and deliver in the background.

        Raises:
            ApiError: as SendCommand refuses.

        """
        if not 0 < len(request.instance_ids) <= MOST_INSTANCES:
            raise ApiError("ValidationException", f"InstanceIds takes 1 to {MOST_INSTANCES} ids in the sandbox")
        if request.timeout_s < LEAST_TIMEOUT_S:
            raise ApiError("ValidationException", f"TimeoutSeconds must be at least {LEAST_TIMEOUT_S}")
        if len(set(request.instance_ids)) != len(request.instance_ids):
            raise ApiError("DuplicateInstanceId", "An instance id occurs twice")
        if lost := [i for i in request.instance_ids if i not in reachable or not self.agent(i).seems_online]:
            message = f"Instances {lost} not in a valid state for account or not connected"
            raise ApiError("InvalidInstanceId", message)
        script = script_of(request.content, check_parameters(request.content, request.parameters))
        command_id = str(uuid.uuid4())
        invocations = {
            instance_id: Invocation(command_id, request.document, instance_id, script, request.comment)
            for instance_id in request.instance_ids
        }
        command = Command(command_id, request, time.time(), invocations)
        with self._lock:
            self._commands[command_id] = command
        for invocation in invocations.values():
            threading.Thread(target=self._deliver, args=(invocation, request), daemon=True).start()
        return command

    def find(self, command_id: str | None = None, instance_id: str | None = None) -> list[Command]:
        """Commands, newest first, by id or by node.

        Raises:
            ApiError: no such command.

        """
        if command_id and command_id not in self._commands:
            raise ApiError("InvalidCommandId", "")
        found = [self._commands[command_id]] if command_id else list(reversed(self._commands.values()))
        return [c for c in found if instance_id is None or instance_id in c.invocations]

    def invocation(self, command_id: str, instance_id: str) -> Invocation:
        """One node's part of a command.

        Raises:
            ApiError: ``InvocationDoesNotExist``: never, or not yet visible.

        """
        command = self._commands.get(command_id)
        if command is None or instance_id not in command.invocations or not self.visible(command):
            raise ApiError("InvocationDoesNotExist", "")
        return command.invocations[instance_id]

    def visible(self, command: Command) -> bool:
        """In its first moments a command has no invocations to be seen."""
        return time.time() - command.requested_at >= self._pace.ssm_invisible_s

    def cancel(self, command_id: str, instance_ids: Sequence[str]) -> None:
        """Try to stop a command on some nodes, or on all."""
        for instance_id, invocation in self.find(command_id)[0].invocations.items():
            if not instance_ids or instance_id in instance_ids:
                invocation.cancel()

    def stop(self) -> None:
        """Kill what still runs and start nothing more."""
        self._stopped.set()
        for command in self._commands.values():
            for invocation in command.invocations.values():
                invocation.cancel()

    def _deliver(self, invocation: Invocation, request: Request) -> None:
        """The agent's part: get the command late, wait for a worker, run it."""
        agent, fate = self.agent(invocation.instance_id), self.fate(invocation)
        expires = time.monotonic() + request.timeout_s + invocation.script.timeout_s
        with self._lock:
            delay = self._pace.ssm_delivery_s + self._jitter.random() * self._pace.ssm_jitter_s
        self._stopped.wait(delay + fate.late_s)
        while (fate.lost or not agent.listens) and time.monotonic() < expires and not invocation.ended:
            if self._stopped.wait(POLL_S):
                return
        invocation.enter("InProgress")
        got = agent.slots.acquire(timeout=max(0.0, expires - time.monotonic()))
        try:
            if not got or fate.lost or not agent.listens:
                invocation.enter("TimedOut", "DeliveryTimedOut")
            elif not self._stopped.is_set() and not invocation.ended and not self._play(invocation, agent, fate):
                while time.monotonic() < expires and not invocation.ended and not self._stopped.wait(POLL_S):
                    pass
                invocation.enter("TimedOut", "ExecutionTimedOut")
        finally:
            if got:
                agent.slots.release()
            self._tell(invocation, "ended")
            self._ended(invocation)

    def _tell(self, invocation: Invocation, phase: str) -> None:
        for told in tuple(self.at_phase):
            told(invocation, phase)

    def _play(self, invocation: Invocation, agent: Agent, fate: Fate) -> bool:
        """Run it as its fate will have it; False if nobody hears how it ended."""
        self._tell(invocation, "started")
        if fate.hung:
            return False
        again = Invocation(
            f"{invocation.command_id}-again", invocation.document, invocation.instance_id, invocation.script
        )
        heard = self._run(invocation, agent)
        if fate.twice:
            self._run(again, agent)
        return heard

    def _run(self, invocation: Invocation, agent: Agent) -> bool:
        """Run it on the node; False if the node loses its power meanwhile, so that nobody hears how it ended."""
        boot = agent.boots
        try:
            if isinstance(self._plane, AnsweringPlane):
                return self._ask(self._plane, invocation)
            process, output = self._spawn(invocation)
        except (DataPlaneError, OSError):
            return False
        return invocation.run(process, output=output, heard=lambda: agent.boots == boot and agent.up_at is not None)

    def _ask(self, plane: AnsweringPlane, invocation: Invocation) -> bool:
        invocation.started_at = time.time()
        code, stdout = plane.run_document(
            invocation.instance_id, invocation.document, {**invocation.script.environment}
        )
        invocation.answer(code, stdout)
        return True

    def _spawn(self, invocation: Invocation) -> "tuple[subprocess.Popen[bytes], Path]":
        instance_id = invocation.instance_id
        folder = f"ssm/{invocation.command_id}"
        output = self._plane.host_dir(instance_id) / folder
        output.mkdir(parents=True)
        script = output / "_script.sh"
        script.write_text(invocation.script.text)
        script.chmod(0o700)
        seen = f"{self._plane.seen_as(instance_id)}/{folder}/_script.sh"
        environment = {
            **invocation.script.environment,
            "AWS_SSM_INSTANCE_ID": instance_id,
            "AWS_SSM_REGION_NAME": "",
            "AEROKEEP_SANDBOX": self._tag,
        }
        argv = ["sh", "-c", seen] if invocation.script.text.startswith("#!") else ["sh", seen]
        invocation.started_at = time.time()
        with (output / "stdout").open("wb") as stdout, (output / "stderr").open("wb") as stderr:
            process = self._plane.spawn(
                instance_id,
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        return process, output
