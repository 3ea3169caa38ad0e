"""Is a node dead for certain, and it alone: judge EC2's checks, its host's silence, and what its peers see."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil

from aerokeep.model.machine import GONE
from aerokeep.model.replacement import Facts, PeerView, Verdict, Word

OF_THE_HOST = frozenset({"instance", "system"})
"""Checks that tell of a dead host; ``attached_ebs`` tells of volumes that would be as unreachable from another one."""
_ENDED = frozenset({*GONE, "shutting-down", "stopped", "stopping"})


def judge_failure(facts: Facts, *, cool_down_s: float, now: datetime) -> Verdict:
    """Replace only what is proven dead: a second server under one node-id is worse than a missing one.

    Args:
        facts: what was seen in one look at EC2, SSM and all hosts.
        cool_down_s: no replacement begins for so long after the last one.
        now: the controller's clock.

    """
    for verdict in (
        _cooling_down(facts, cool_down_s=cool_down_s, now=now),
        _alive(facts),
        _others(facts),
        _unsettled(facts.peers),
        _machine(facts),
    ):
        if verdict is not None:
            return verdict
    return Verdict(decision="replace", code="node_dead", reasons=tuple(_proof(facts)))


def _refuse(code: str, reason: str) -> Verdict:
    return Verdict(decision="refuse", code=code, reasons=(reason,))


def _wait(code: str, reason: str) -> Verdict:
    return Verdict(decision="wait", code=code, reasons=(reason,))


def _cooling_down(facts: Facts, *, cool_down_s: float, now: datetime) -> Verdict | None:
    last = facts.last
    if last is None or now - last.at >= timedelta(seconds=cool_down_s):
        return None
    left_s = ceil((last.at + timedelta(seconds=cool_down_s) - now).total_seconds())
    return _refuse(
        "cool_down",
        f"node {last.node_id} was replaced by {last.run_id}; the next replacement may begin in {left_s} s: find out "
        "first why nodes of this cluster fail, or lower replace.cool_down_s",
    )


def _alive(facts: Facts) -> Verdict | None:
    """Whoever answers, or is answered by a peer, is not dead, whatever alarms say."""
    node_id = facts.node.node_id
    if facts.word is Word.SERVER_ANSWERS:
        return _refuse("node_alive", f"the server of node {node_id} answers: there is nothing to replace")
    seeing = [peer.node_id for peer in facts.peers if node_id in peer.sees]
    if seeing:
        return _refuse(
            "node_alive",
            f"{', '.join(seeing)} have node {node_id} in their cluster, so its server lives although its host can't be "
            "asked: see to the SSM agent on it",
        )
    if facts.word is Word.SERVER_SILENT:
        return _refuse(
            "host_alive",
            f"the host of node {node_id} answers, its server does not: start aerospike.service there, or read its log",
        )
    return None


def _others(facts: Facts) -> Verdict | None:
    """Exactly one node may be missing, and most of the others must say so themselves."""
    if not facts.peers:
        return _refuse(
            "no_peers",
            f"node {facts.node.node_id} is its whole cluster: nobody can say that it is dead, nor give it its indexes "
            "back: restore a recovery point",
        )
    seen = {node_id for peer in facts.peers for node_id in peer.sees}
    missing = [p for p in facts.peers if p.word is not Word.SERVER_ANSWERS and p.node_id not in seen]
    if missing:
        names = ", ".join(peer.node_id for peer in missing)
        told = (
            f"besides node {facts.node.node_id} {names} can't be seen either: a cluster that loses several nodes at "
            "once has another fault: when it is found, start their servers again, or restore"
        )
        # One whose host says that it has no server is missing for certain; a silent host may still answer.
        certain = any(peer.word is Word.SERVER_SILENT for peer in missing)
        return (_refuse if certain else _wait)("second_failure", told)
    answering = sum(peer.word is Word.SERVER_ANSWERS for peer in facts.peers)
    if 2 * answering <= len(facts.peers):
        return _wait(
            "peers_silent", f"only {answering} of {len(facts.peers)} peers could be asked, most of them must be"
        )
    return None


def _unsettled(peers: Sequence[PeerView]) -> Verdict | None:
    """Peers that do not agree are in the middle of something: what they don't see may be on the other side."""
    told = [peer for peer in peers if peer.word is Word.SERVER_ANSWERS]
    keys = sorted({peer.cluster_key for peer in told})
    if len(keys) > 1:
        return _wait("cluster_split", f"the peers report {len(keys)} cluster keys: {', '.join(keys)}")
    broken = [peer.node_id for peer in told if not peer.integrity]
    if broken:
        return _wait("cluster_unsettled", f"{', '.join(broken)} do not see a whole cluster yet")
    return None


def _machine(facts: Facts) -> Verdict | None:
    machine = facts.machine
    if machine.state in _ENDED:
        if facts.by_alarm and not machine.state_reason.startswith("Server."):
            return _refuse(
                "ended_by_hand",
                f"{machine.instance_id} is {machine.state} ({machine.state_reason or 'no reason is known'}), and not "
                "by a fault of AWS: start it, or start replace-node by hand",
            )
        return None
    failed = set(facts.checks.failed)
    if failed & OF_THE_HOST:
        return None
    if failed:
        return _refuse(
            "volumes_unreachable",
            f"only the check of attached volumes fails for {machine.instance_id}: see to EBS in {machine.zone} first",
        )
    return _wait(
        "checks_pass",
        f"{machine.instance_id} is {machine.state} and EC2's checks do not fail (instance: {facts.checks.instance}, "
        f"system: {facts.checks.system}): reboot it, or stop it, and start again",
    )


def _proof(facts: Facts) -> Iterator[str]:
    """Why the node counts as dead, for the report."""
    machine = facts.machine
    if machine.state in _ENDED:
        yield f"{machine.instance_id} is {machine.state}"
    else:
        yield f"EC2's checks of {machine.instance_id} fail: {', '.join(facts.checks.failed)}"
    yield "its host does not answer through SSM"
    told = [peer.node_id for peer in facts.peers if peer.word is Word.SERVER_ANSWERS]
    yield f"{len(told)} of {len(facts.peers)} peers answer, and none has it in its cluster"
