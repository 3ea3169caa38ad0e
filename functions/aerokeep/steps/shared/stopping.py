"""Schedule a write stop on every node, and decide halfway to T0 between go and no-go."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Self

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import CommandState, HostReply, Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.consistency import Shortfall
from aerokeep.model.errors import NotReadyError
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.run import RunRef
from aerokeep.model.survey import Clock as HostClock
from aerokeep.model.wire import Instant, Wire
from aerokeep.rules.second_try import Trouble, host_may_recover, judge_another_try
from aerokeep.rules.window import Lease, decision_time, hold_on_s, plan_window
from aerokeep.steps.shared.asking import host_error, refusals
from aerokeep.steps.shared.letting_go import let_go, where_the_word_will_be
from aerokeep.steps.shared.resuming import resume_writes
from aerokeep.steps.step import Clock, logger

POLL_S = 0.5
CALL_OFF_S = 15
"""How long a no-go waits for hosts to confirm it; who is not heard then ends its lease by itself."""


class Stop(Wire):
    """When writes stop and when every host lets go by itself; both None where writes are not stopped."""

    go: bool
    start_at: Instant | None = None
    end_at: Instant | None = None
    again: bool = False
    """Nothing is to be cut: this try is over, and another one follows."""


@dataclass(frozen=True)
class Stopper:
    """All that stopping writes needs; a collaborator of the steps that do it."""

    runs: Runs
    catalog: Catalog
    hosts: Hosts
    clock: Clock

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            runs=Runs.from_environment(),
            catalog=Catalog.from_environment(),
            hosts=Hosts.from_environment(),
            clock=Clock.from_environment(),
        )

    def stop(self, request: RunRef, plan: BackupPlan, lease: Lease, *, lead_s: float, only_try: bool = False) -> Stop:
        """Arm all nodes, or none.

        Args:
            request: the run, in this try.
            plan: which nodes, what is guarded and frozen.
            lease: how long.
            lead_s: from now to T0.
            only_try: the caller can't begin anew.

        Raises:
            ConflictError: a host already holds another write stop.
            RejectedError: a host can never stop writes as asked.
            NotReadyError: not all hosts were armed in time, and the operator's policy is to abort.

        """
        asked_at = self.clock()
        window = plan_window(lease, now=asked_at, lead_s=lead_s, token=token_hex(16))
        self.catalog.require(request, busy_until=window.end_at + timedelta(seconds=5))
        # Intent first: whoever cleans up after us must know of it.
        self.runs.write(request, request.of_try("window"), window)
        word_at = where_the_word_will_be(request, self.runs)
        commands, reached = _send(plan, window, request, self.hosts, let_go_at=word_at)
        unreached = {node.instance_id for node in plan.nodes} - reached
        # One that can't be told is a no-go at once; the others need not be watched arming.
        until = asked_at if unreached else decision_time(window, now=asked_at)
        replies = self._watch(commands, reached, until=until) | {i: _unheard(i) for i in unreached}
        armed = {i for i, reply in replies.items() if reply.refusal is None and reply.state is CommandState.ANSWERED}
        if len(armed) == len(plan.nodes):
            clocks = [HostClock.model_validate(told) for one in replies.values() if (told := one.body.get("clock"))]
            held_on = window.model_copy(update={"hold_on_s": hold_on_s(clocks)})
            self.runs.write(request, request.of_try("window"), held_on)
            return Stop(go=True, start_at=window.start_at, end_at=window.end_at)
        return self._no_go(request, plan, window, replies, only_try=only_try)

    def call_off(self, request: RunRef, window: Window, reason: str) -> Stop:
        """Stop nothing; later states find the reason where they look for the window."""
        logger.warning("write stop called off", reason=reason)
        called_off = window.model_copy(update={"go": False, "no_go_reason": reason})
        self.runs.write(request, request.of_try("window"), called_off)
        return Stop(go=False)

    def _watch(self, commands: list[str], instance_ids: set[str], *, until: datetime) -> dict[str, HostReply]:
        """Wait inside: here seconds count, and one SSM round trip is all there is time for."""
        replies: dict[str, HostReply] = {}
        while True:
            replies = self.hosts.replies(commands, instance_ids, known=replies)
            unsettled = [reply for reply in replies.values() if reply.state is CommandState.RUNNING]
            if not unsettled or refusals(replies.values()) or self.clock() >= until:
                return replies
            time.sleep(POLL_S)

    def _no_go(
        self,
        request: RunRef,
        plan: BackupPlan,
        window: Window,
        replies: Mapping[str, HostReply],
        *,
        only_try: bool,
    ) -> Stop:
        """Take the stop back everywhere, with a tombstone for commands that arrive late; then judge another try."""
        verdict = judge_another_try(request.try_number, _troubles(replies))
        reason = f"not_armed: {verdict.reason}"
        stop = self.call_off(request, window, reason)
        let_go(request, window, self.runs)
        until = self.clock() + timedelta(seconds=CALL_OFF_S)
        resume_writes(request, plan, until=until, hosts=self.hosts, clock=self.clock, tombstone=True)
        if verdict.again and not only_try:
            return stop.model_copy(update={"again": True})
        said_no = [reply for reply in refusals(replies.values()) if not _late(reply)]
        if said_no and not isinstance(host_error("stop-writes", said_no[0]), NotReadyError):
            raise host_error("stop-writes", said_no[0])
        if plan.shortfall is Shortfall.ABORT:
            raise NotReadyError(f"{reason}: nothing was stopped or cut: look at the SSM agent there, or raise lead_s")
        return stop


def _send(
    plan: BackupPlan, window: Window, request: RunRef, hosts: Hosts, *, let_go_at: str
) -> tuple[list[str], set[str]]:
    """One command per distinct list of mount points, usually one for all nodes → command ids, who was reached."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for node in plan.nodes:
        groups.setdefault(node.freeze, []).append(node.instance_id)
    commands: list[str] = []
    reached: set[str] = set()
    for freeze, instance_ids in groups.items():
        parameters = {
            "Run": request.stop_id,
            "Token": window.token,
            "StartAt": f"{window.start_at.timestamp():.3f}",
            "EndAt": f"{window.end_at.timestamp():.3f}",
            "Namespaces": ",".join(plan.namespaces),
            "Freeze": ",".join(freeze) or "none",
            "LetGo": let_go_at,
        }
        sent, heard = hosts.send_where_heard("stop-writes", instance_ids, parameters)
        commands += sent
        reached |= heard
    return commands, reached


def _unheard(instance_id: str) -> HostReply:
    return HostReply(instance_id=instance_id, command_id="", state=CommandState.LOST, status="not reached through SSM")


def _troubles(replies: Mapping[str, HostReply]) -> list[Trouble]:
    return [
        Trouble(where=i, what=reply.refusal, passing=_may_recover(reply))
        for i, reply in replies.items()
        if reply.refusal is not None
    ]


def _may_recover(reply: HostReply) -> bool:
    answered = reply.state is CommandState.ANSWERED
    return host_may_recover(reply.refusal_code if answered else None, reply.exit_code)


def _late(reply: HostReply) -> bool:
    """Not a refusal of what was asked: the command came when the host had no time left for it."""
    return reply.refusal_code == "too_late"
