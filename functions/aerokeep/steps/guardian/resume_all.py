"""State ``ResumeAll``: break-glass: let writes flow on every node of a cluster, whatever run has stopped them."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from aerokeep.aws.ec2 import Instances
from aerokeep.aws.errors import known
from aerokeep.aws.executions import Executions
from aerokeep.aws.ssm import Configurations, HostReply, Hosts
from aerokeep.model.errors import AerokeepError, RejectedError
from aerokeep.model.execution import Life
from aerokeep.model.guardian import GuardianRequest
from aerokeep.model.resumption import HostResumption
from aerokeep.model.run import LockState
from aerokeep.model.wire import Wire
from aerokeep.rules.break_glass import UNDOING, Report, judge_resume, report
from aerokeep.steps.shared.holders import Holders
from aerokeep.steps.shared.listening import listen
from aerokeep.steps.shared.starting_out import parse_request
from aerokeep.steps.step import Clock, Meter, logger, step

ASK_AGAIN_S = 2.0
ANSWER_S = 15
DEAF_S = 12
"""Who can't be reached at all for so long is reported, and not waited for any longer."""
LONGEST_S = 90
"""A host undoes for up to half a minute before it answers; one that is not heard is asked again until then."""


class Input(Wire):
    """What Step Functions knows at the start."""

    request: dict[str, Any]
    """The execution input, still unchecked."""


class Output(Wire):
    """What an operator at night wants to know."""

    cluster: str
    holders: tuple[str, ...]
    """Who holds the cluster's locks, and what this does to them."""
    report: Report
    not_running: tuple[str, ...]
    """Instances of the cluster that don't run: nothing rejects writes there."""


def run(
    request: Input,
    *,
    configurations: Configurations,
    holders: Holders,
    instances: Instances,
    hosts: Hosts,
    clock: Clock,
    meter: Meter,
) -> Output:
    """Ask the instances that carry the cluster's tag: neither vault nor plan nor lock has to be right for that.

    Raises:
        RejectedError: an unknown cluster, a wrong field, no instance, or a halted run that is not named.

    """
    wanted = parse_request(GuardianRequest, request.request)
    config = configurations.of_cluster(wanted.cluster or "")
    held_by = _judge_locks(config.name, wanted, holders)
    nodes = instances.of_tag(config.tag)
    if not nodes:
        raise RejectedError(
            f"empty_tag_match: no instance has tag {config.tag.key}={config.tag.value}: tag the nodes of {config.name}"
        )
    running = {node.instance_id for node in nodes if node.state == "running"}
    until = clock() + timedelta(seconds=LONGEST_S)
    told = _ask(running, wanted.resume or "all", hosts=hosts, clock=clock, until=until)
    outcome = report(
        {i: HostResumption.model_validate(r.body) for i, r in told.items() if r is not None and r.refusal is None},
        {i: _last_word(reply) for i, reply in told.items() if reply is None or reply.refusal is not None},
    )
    logger.warning("writes resumed by hand", cluster=config.name, done=outcome.done, words=outcome.words)
    meter.record(config.name, GuardianActions=1)
    others = sorted(node.instance_id for node in nodes if node.instance_id not in running)
    return Output(cluster=config.name, holders=held_by, report=outcome, not_running=tuple(others))


def _judge_locks(cluster: str, wanted: GuardianRequest, holders: Holders) -> tuple[str, ...]:
    """What the catalog can't tell does not hinder: a half-restored cluster is kept closed by its hosts, too."""
    try:
        with known():
            locks = holders.of_cluster(cluster)
    except AerokeepError as error:
        logger.exception("locks unread", cluster=cluster)
        return (f"unknown, since the catalog can't be read: {error}",)
    judge_resume(cluster, locks, named=wanted.halted)
    return tuple(_words(lock, holders.executions) for lock in locks)


def _words(lock: LockState, executions: Executions) -> str:
    holder = f"{lock.run.journey} {lock.run.run_id}"
    if lock.state == "halted":
        return f"{holder}, halted: it stays so"
    try:
        with known():
            execution = executions.of_arn(lock.run.execution)
    except AerokeepError as error:
        return f"{holder}, of whose execution nothing is known: {error}"
    if execution.life is not Life.RUNNING:
        return f"{holder}, whose execution is {execution.status}: the next round settles it"
    if lock.run.journey in {"backup", "export"}:
        return (
            f"{holder}, whose execution is {execution.status}: its write stop ends early, and its label is what the "
            "evidence still shows"
        )
    return f"{holder}, whose execution is {execution.status}: it goes on"


def _ask(
    instance_ids: Iterable[str], which: str, *, hosts: Hosts, clock: Clock, until: datetime
) -> dict[str, HostReply | None]:
    """The last answer of each; None of who was never reached."""
    last: dict[str, HostReply | None] = dict.fromkeys(instance_ids)
    waiting, deaf_until = set(last), clock() + timedelta(seconds=DEAF_S)
    while waiting and clock() < until:
        commands, reached = hosts.send_where_heard("resume-writes", waiting, {"Run": which, "Tombstone": "yes"})
        soon = min(until, clock() + timedelta(seconds=ANSWER_S))
        last |= listen(commands, reached, hosts=hosts, clock=clock, until=soon)
        waiting = {i for i in waiting if not _is_settled(last[i])}
        if waiting.isdisjoint(reached) and clock() >= deaf_until:
            break
        time.sleep(ASK_AGAIN_S if waiting else 0)
    return last


def _is_settled(reply: HostReply | None) -> bool:
    return reply is not None and reply.refusal is None and reply.body.get("state") != UNDOING


def _last_word(reply: HostReply | None) -> str:
    return "not reached through SSM" if reply is None else str(reply.refusal)


handler = step(run)
