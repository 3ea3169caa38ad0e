"""Schedule a write stop on every node, and decide halfway to T0 between go and no-go."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from secrets import token_hex

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import CommandState, HostReply, Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.cluster import WriteStop
from aerokeep.model.consistency import Shortfall
from aerokeep.model.errors import NotReadyError
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.run import RunRef
from aerokeep.model.survey import Clock as HostClock
from aerokeep.model.wire import Instant, Wire
from aerokeep.rules.window import decision_time, hold_on_s, plan_window
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
    start_at: Instant | None
    end_at: Instant | None


def stop_writes(
    request: RunRef,
    plan: BackupPlan,
    settings: WriteStop,
    *,
    runs: Runs,
    catalog: Catalog,
    hosts: Hosts,
    clock: Clock,
) -> Stop:
    """Arm all nodes, or none.

    Raises:
        ConflictError: a host already holds another write stop.
        RejectedError: a host can never stop writes as asked.
        NotReadyError: not all hosts were armed in time, and the operator's policy is to abort.

    """
    asked_at = clock()
    window = plan_window(settings, now=asked_at, token=token_hex(16))
    catalog.require(request, busy_until=window.end_at + timedelta(seconds=5))
    runs.write(request, "window", window)  # intent first: whoever cleans up after us must know of it
    commands, reached = _send(plan, window, request, hosts, let_go_at=where_the_word_will_be(request, runs))
    unreached = {node.instance_id for node in plan.nodes} - reached
    # One that can't be told is a no-go at once; the others need not be watched arming.
    until = asked_at if unreached else decision_time(window, now=asked_at)
    replies = _watch(commands, reached, hosts, clock, until=until) | {i: _unheard(i) for i in unreached}
    armed = {i for i, reply in replies.items() if reply.refusal is None and reply.state is CommandState.ANSWERED}
    if len(armed) == len(plan.nodes):
        clocks = [HostClock.model_validate(told) for reply in replies.values() if (told := reply.body.get("clock"))]
        runs.write(request, "window", window.model_copy(update={"hold_on_s": hold_on_s(clocks)}))
        return Stop(go=True, start_at=window.start_at, end_at=window.end_at)
    return _no_go(request, plan, window, replies, runs=runs, hosts=hosts, clock=clock)


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
            "Run": request.run_id,
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


def _watch(
    commands: list[str], instance_ids: set[str], hosts: Hosts, clock: Clock, *, until: datetime
) -> dict[str, HostReply]:
    """Wait inside: here seconds count, and one SSM round trip is all there is time for."""
    replies: dict[str, HostReply] = {}
    while True:
        replies = hosts.replies(commands, instance_ids, known=replies)
        unsettled = [reply for reply in replies.values() if reply.state is CommandState.RUNNING]
        if not unsettled or refusals(replies.values()) or clock() >= until:
            return replies
        time.sleep(POLL_S)


def _no_go(
    request: RunRef,
    plan: BackupPlan,
    window: Window,
    replies: Mapping[str, HostReply],
    *,
    runs: Runs,
    hosts: Hosts,
    clock: Clock,
) -> Stop:
    """Take the stop back everywhere, with a tombstone for commands that arrive late."""
    reason = "; ".join(f"{i}: {reply.refusal}" for i, reply in sorted(replies.items()) if reply.refusal is not None)
    logger.warning("write stop called off", reason=reason)
    runs.write(request, "window", window.model_copy(update={"go": False, "no_go_reason": reason}))
    let_go(request, window, runs)
    resume_writes(
        request, plan, until=clock() + timedelta(seconds=CALL_OFF_S), hosts=hosts, clock=clock, tombstone=True
    )
    said_no = refusals(replies.values())
    if said_no and not isinstance(host_error("stop-writes", said_no[0]), NotReadyError):
        raise host_error("stop-writes", said_no[0])
    if plan.shortfall is Shortfall.ABORT:
        raise NotReadyError(
            f"not_armed: {reason}: nothing was stopped or cut: look at the SSM agent there, or raise lead_s"
        )
    return Stop(go=False, start_at=None, end_at=None)
