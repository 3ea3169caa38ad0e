"""State ``DiagnoseNode``: ask EC2, the node's host and all of its peers, and decide whether it is dead for certain."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Self

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.machines import Machines
from aerokeep.aws.ssm import CommandState, HostReply, Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import NotReadyError, RejectedError
from aerokeep.model.health import NodeHealth
from aerokeep.model.inventory import NodeInventory
from aerokeep.model.machine import StatusChecks
from aerokeep.model.replacement import Facts, PeerView, ReplaceOrder, Word
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Instant, Wire
from aerokeep.rules.diagnosis import judge_failure
from aerokeep.rules.replacement_data import choose_data
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import marked
from aerokeep.steps.shared.patience import since
from aerokeep.steps.shared.replacing import order_of
from aerokeep.steps.step import Clock, logger, step

ANSWER_S = 20
"""A host that lives answers within seconds; a dead one keeps its command open for minutes (aws.md §C2)."""
BETWEEN_QUESTIONS_S = 5
CONFIRMATIONS = 2
"""Looks in a row that must agree, each with questions of its own."""


class Question(Wire):
    """The round under way; stands in the vault between two looks."""

    commands: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    asked_at: Instant | None = None
    confirmed: int = 0


class Watchers:
    """Who is asked about a node: EC2, and through SSM every host of its cluster."""

    def __init__(self, *, machines: Machines, hosts: Hosts) -> None:
        self.machines, self.hosts = machines, hosts

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(machines=Machines.from_environment(), hosts=Hosts.from_environment())


def run(request: RunRef, *, runs: Runs, catalog: Catalog, watchers: Watchers, clock: Clock) -> Progress:
    """Ask, judge, and ask once more before anything is done about it.

    Raises:
        RejectedError: the node lives, or it is not the only one; nothing was touched.
        NotReadyError: the facts did not become clear in time.

    """
    if marked(runs, request, "fencing"):
        return Progress(done=True)  # a run that goes on: its own fence is what would be found
    order, began_at = order_of(runs, request), since(runs, request, "diagnosis", now=clock())
    name = f"question-{request.epoch}"
    question = runs.find(request, name, Question) or Question()
    words = _words(order, question, watchers.hosts, clock)
    if words is None:
        if question.asked_at is None:
            runs.write(request, name, _ask(order, question, watchers.hosts, clock))
        return Progress(done=False)
    facts = _facts(order, words, catalog, watchers.machines)
    verdict = judge_failure(facts, cool_down_s=order.config.replace.cool_down_s, now=clock())
    logger.info("node judged", node=order.node.node_id, decision=verdict.decision, verdict=verdict.message)
    runs.write(request, "verdict", verdict)
    patient = clock() < began_at + timedelta(seconds=order.config.replace.patience_s)
    match verdict.decision:
        case "refuse":
            raise RejectedError(verdict.message)
        case "wait" if not patient:
            raise NotReadyError(verdict.message)
        case "replace" if question.confirmed + 1 >= CONFIRMATIONS and _chosen(request, order, facts, runs, patient):
            return Progress(done=True)
        case _:
            confirmed = question.confirmed + 1 if verdict.decision == "replace" else 0
    question = question.model_copy(update={"confirmed": confirmed})
    runs.write(request, name, _ask(order, question, watchers.hosts, clock))
    return Progress(done=False, wait_s=BETWEEN_QUESTIONS_S)


def _chosen(request: RunRef, order: ReplaceOrder, facts: Facts, runs: Runs, patient: bool) -> bool:  # noqa: FBT001 - a fact
    """Choose what the node begins with → False where the peers are still at what the choice depends on."""
    try:
        choice = choose_data(order.request.data or order.config.replace.data, node=order.node, peers=facts.peers)
    except NotReadyError:
        if not patient:
            raise
        return False
    runs.write(request, "choice", choice)
    return True


def _ask(order: ReplaceOrder, question: Question, hosts: Hosts, clock: Clock) -> Question:
    """Ask every host that SSM knows; a dead one's heartbeat may still be young."""
    ids = [node.instance_id for node in order.everyone]
    listening = hosts.listening(ids)
    commands, reached = hosts.send_where_heard("health", listening) if listening else ([], set())
    return question.model_copy(
        update={"commands": tuple(commands), "reached": tuple(sorted(reached)), "asked_at": clock()}
    )


def _words(
    order: ReplaceOrder, question: Question, hosts: Hosts, clock: Clock
) -> dict[str, tuple[Word, NodeHealth | None]] | None:
    """What each host of the cluster said, by instance id; None while it is worth waiting."""
    if question.asked_at is None:
        return None
    replies = hosts.replies(question.commands, question.reached)
    waiting = [i for i, reply in replies.items() if reply.state is CommandState.RUNNING]
    if waiting and clock() < question.asked_at + timedelta(seconds=ANSWER_S):
        return None
    return {node.instance_id: _word(replies.get(node.instance_id)) for node in order.everyone}


def _word(reply: HostReply | None) -> tuple[Word, NodeHealth | None]:
    if reply is None or reply.state is not CommandState.ANSWERED:
        return Word.UNHEARD, None
    if reply.refusal is None:
        return Word.SERVER_ANSWERS, NodeHealth.model_validate(reply.body)
    # Any other refusal comes from a host that lives, too.
    return Word.SERVER_SILENT, None


def _facts(
    order: ReplaceOrder,
    words: Mapping[str, tuple[Word, NodeHealth | None]],
    catalog: Catalog,
    machines: Machines,
) -> Facts:
    node = order.node
    machine = machines.seen([node.instance_id])[node.instance_id]
    runs_ = machine.state in {"running", "pending"}
    checks = machines.checks([node.instance_id])[node.instance_id] if runs_ else StatusChecks()
    return Facts(
        node=node,
        machine=machine,
        checks=checks,
        word=words[node.instance_id][0],
        peers=tuple(_view(peer, *words[peer.instance_id]) for peer in order.peers),
        by_alarm=order.alarm is not None,
        last=catalog.last_replacement(order.request.cluster),
    )


def _view(peer: NodeInventory, word: Word, health: NodeHealth | None) -> PeerView:
    if health is None:
        return PeerView(node_id=peer.node_id, word=word)
    return PeerView(
        node_id=peer.node_id,
        word=word,
        sees=health.peers,
        cluster_key=health.cluster.key,
        integrity=health.cluster.integrity,
        migrations_remaining=health.cluster.migrations_remaining,
        missing_partitions=sum(ns.unavailable_partitions + ns.dead_partitions for ns in health.namespaces),
    )


handler = step(run)
