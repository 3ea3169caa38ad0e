"""SSM Run Command: deliver commands late, run them for real on the nodes, several at once, and report on them."""

import random
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sandbox.dataplane.plane import DataPlaneError
from sandbox.region.agents import Agent
from sandbox.region.changes import Change, Changes
from sandbox.region.command import AS_IT_SHOULD, Command, Fate, Request
from sandbox.region.documents import check_parameters, script_of
from sandbox.region.faults import ApiError
from sandbox.region.invocations import Invocation
from sandbox.region.pace import Pace
from sandbox.region.plane import AnsweringPlane, Plane

if TYPE_CHECKING:
    from pathlib import Path

POLL_S = 0.02
JOIN_S = 5.0
PLATFORM = "Linux"


class Commands:
    """All commands of a region, and the agents that run them."""

    def __init__(
        self, plane: Plane, pace: Pace, *, tag: str, changes: Changes, ended: Callable[[Invocation], None]
    ) -> None:
        self._plane, self._pace, self._tag, self._changes, self._ended = plane, pace, tag, changes, ended
        self._lock = threading.Lock()
        self._agents: dict[str, Agent] = {}
        self._commands: dict[str, Command] = {}
        self._told: dict[str, str] = {}
        self._at_work: set[threading.Thread] = set()
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
        request.check()
        lost = [i for i in request.instance_ids if i not in reachable or not self.agent(i).seems_online]
        if lost and not request.targets:
            message = f"Instances {lost} not in a valid state for account or not connected"
            raise ApiError("InvalidInstanceId", message)
        script = script_of(request.content, check_parameters(request.content, request.parameters))
        expires_s = request.timeout_s * self._pace.ssm_timeout_scale + script.timeout_s
        command = Command(str(uuid.uuid4()), request, script, expires_s, self._pace.ssm_invisible_s)
        with self._lock:
            command.overruled = self._overruled(request)
            if not command.overruled:
                command.invocations.update({i: self._invocation(command, i) for i in request.instance_ids})
            self._commands[command.command_id] = command
        self._tell(command)
        for invocation in tuple(command.invocations.values()):
            thread = threading.Thread(target=self._work_off, args=(command, invocation), daemon=True)
            self._at_work.add(thread)
            thread.start()
        return command

    def _overruled(self, request: Request) -> str:
        if not request.instance_ids:
            return "NoInstancesInTag"
        most = self._pace.ssm_most_pending
        if most is None:
            return ""
        pending = [i for c in self._commands.values() for i in c.invocations.values() if not i.ended]
        return "RateExceeded" if len(pending) + len(request.instance_ids) > most else ""

    def _invocation(self, command: Command, instance_id: str) -> Invocation:
        request = command.request
        return Invocation(
            command.command_id,
            request.document,
            instance_id,
            command.script,
            request.comment,
            entered=lambda invocation: self._entered(command, invocation),
        )

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
        if command is None or instance_id not in command.invocations or not command.visible:
            raise ApiError("InvocationDoesNotExist", "")
        return command.invocations[instance_id]

    def cancel(self, command_id: str, instance_ids: Sequence[str]) -> None:
        """Try to stop a command on some nodes, or on all."""
        for instance_id, invocation in self.find(command_id)[0].invocations.items():
            if not instance_ids or instance_id in instance_ids:
                invocation.cancel(heeded=self.agent(instance_id).heeds_cancel)

    def stop(self) -> None:
        """Kill what still runs, wait for its end, and start nothing more."""
        self._stopped.set()
        for command in self._commands.values():
            for invocation in command.invocations.values():
                invocation.cancel(heeded=True)
        give_up = time.monotonic() + JOIN_S
        for thread in tuple(self._at_work):
            thread.join(max(0.0, give_up - time.monotonic()))

    # -- what is told ----------------------------------------------------------------------------------------------

    def _entered(self, command: Command, invocation: Invocation) -> None:
        request = command.request
        detail = {
            "document": request.document,
            "requested_at": command.requested_at,
            "instance": invocation.instance_id,
            "details": invocation.detail,
        }
        self._changes.tell(Change("invocation", command.command_id, invocation.status, detail))
        self._tell(command)

    def _tell(self, command: Command) -> None:
        status, request = command.status[0], command.request
        with self._lock:
            if self._told.get(command.command_id) == status:
                return
            self._told[command.command_id] = status
        detail = {
            "document": request.document,
            "requested_at": command.requested_at,
            "expires_at": command.requested_at + command.expires_s,
            "parameters": request.parameters,
        }
        self._changes.tell(Change("command", command.command_id, status, detail))

    # -- one node's part -------------------------------------------------------------------------------------------

    def _work_off(self, command: Command, invocation: Invocation) -> None:
        """See one invocation to its end, when its turn comes."""
        try:
            while not command.turns.acquire(timeout=POLL_S):
                if invocation.ended or self._stopped.is_set():
                    return
            try:
                if command.gives_up:
                    invocation.enter("Cancelled", "Terminated")
                elif command.script.platform != PLATFORM:
                    invocation.enter("Failed", "InvalidPlatform")
                else:
                    self._deliver(command, invocation)
            finally:
                command.turns.release()
        finally:
            self._tell_phase(invocation, "ended")
            self._ended(invocation)
            self._at_work.discard(threading.current_thread())

    def _tell_phase(self, invocation: Invocation, phase: str) -> None:
        for told in tuple(self.at_phase):
            told(invocation, phase)

    def _deliver(self, command: Command, invocation: Invocation) -> None:
        """The agent's part: get the command late, wait for a worker, run it."""
        agent, fate = self.agent(invocation.instance_id), self.fate(invocation)
        if not self._reach(command, invocation, agent, fate):
            return
        invocation.enter("InProgress")
        got = agent.slots.acquire(timeout=command.left_s)
        try:
            if self._stopped.is_set() or invocation.ended:
                return
            told = got and agent.listens and self._play(invocation, agent, fate)
        finally:
            if got:
                agent.slots.release()
        if not told:
            self._expire(command, invocation)

    def _reach(self, command: Command, invocation: Invocation, agent: Agent, fate: Fate) -> bool:
        """Wait until the agent has the command; False if it never will."""
        if not agent.seems_online:
            return not invocation.enter("Failed", "Undeliverable")
        with self._lock:
            delay = self._pace.ssm_delivery_s + self._jitter.random() * self._pace.ssm_jitter_s
        self._stopped.wait(delay + fate.late_s)
        tried = time.monotonic()
        while (fate.lost or not agent.listens) and not invocation.ended:
            if self._stopped.wait(POLL_S):
                return False
            if not command.left_s:
                self._expire(command, invocation)
            elif not agent.connected and time.monotonic() - tried > self._pace.ssm_retry_s:
                invocation.enter("Delayed")
        return not invocation.ended

    def _play(self, invocation: Invocation, agent: Agent, fate: Fate) -> bool:
        """Run it as its fate will have it; False if nobody hears how it ended."""
        self._tell_phase(invocation, "started")
        if fate.hung:
            return False
        heard = self._run(invocation, agent)
        if fate.twice:
            again = f"{invocation.command_id}-again"
            self._run(Invocation(again, invocation.document, invocation.instance_id, invocation.script), agent)
        return heard

    def _expire(self, command: Command, invocation: Invocation) -> None:
        """Nobody told how it ended: it may never have begun, or have run."""
        while command.left_s and not invocation.ended and not self._stopped.wait(min(POLL_S, command.left_s)):
            pass
        invocation.enter("TimedOut", "DeliveryTimedOut")

    def _run(self, invocation: Invocation, agent: Agent) -> bool:
        """Run it on the node; False if nobody hears how it ended: the node has lost its power, or its agent is mute."""
        boot = agent.boots
        try:
            if isinstance(self._plane, AnsweringPlane):
                return self._ask(self._plane, invocation, agent)
            process, output = self._spawn(invocation)
        except (DataPlaneError, OSError):
            return False

        def heard() -> bool:
            return agent.replies and agent.boots == boot and agent.up_at is not None

        return invocation.run(process, output=output, heard=heard)

    def _ask(self, plane: AnsweringPlane, invocation: Invocation, agent: Agent) -> bool:
        invocation.started_at = time.time()
        code, stdout = plane.run_document(
            invocation.instance_id, invocation.document, {**invocation.script.environment}
        )
        if agent.replies:
            invocation.answer(code, stdout)
        return agent.replies

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
