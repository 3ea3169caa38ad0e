"""Which consistency does the evidence support: intervals in true time, shrunk by what the clocks may be wrong."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from aerokeep.model.consistency import Consistency, Label
from aerokeep.model.evidence import NodeEvidence
from aerokeep.model.plan import BackupPlan, NodePlan, Window
from aerokeep.model.recovery_point import Cut, FailedTry, NodeCut
from aerokeep.model.wire import Wire

CONTROLLER_ERROR_S = 0.1
"""Bound taken for the clock of the controller, which has no chronyd to ask (docs/adr/0004)."""


class Bounds(Wire):
    """How far true time may lie from a host's time: true ∈ [host + earliest_s, host + latest_s]."""

    earliest_s: float
    latest_s: float


def clock_bounds(evidence: NodeEvidence) -> Bounds | None:
    """The bounds that hold over the whole window, or None where the clock can't be trusted.

    Both readings, at arming and after the lift, must be synchronised, and agree within their own errors: a clock that
    was stepped in between proves nothing.
    """
    if len(evidence.clocks) < 2 or not all(clock.synchronised for clock in evidence.clocks):  # noqa: PLR2004 - arming, lift
        return None
    first, last = evidence.clocks[0], evidence.clocks[-1]
    if abs(first.offset_s - last.offset_s) > first.error_s + last.error_s:
        return None
    return Bounds(
        earliest_s=min(-clock.offset_s - clock.error_s for clock in evidence.clocks),
        latest_s=max(-clock.offset_s + clock.error_s for clock in evidence.clocks),
    )


class Quiet(Wire):
    """When one node's disks were at rest, in true time."""

    since: float
    """Flushed, and frozen or synced where files are involved, at this instant at the latest."""
    until: float
    """Nothing was thawed or lifted before this instant."""


class Proof(Wire):
    """What one node's evidence proves towards ``cluster``, in true time."""

    node_id: str
    guarded_by: float
    """Every guard of this node was set at this instant at the latest."""
    settled_from: float
    """The flush proof covers all writes that had landed before this instant, at the earliest."""
    quiet: Quiet


def prove(node: NodePlan, evidence: NodeEvidence | None, namespaces: tuple[str, ...]) -> Proof | str:
    """Turn one node's evidence into a proof, or say in one phrase what it lacks."""
    if evidence is None:
        return "no evidence came back"
    times, bounds = evidence.times, clock_bounds(evidence)
    if bounds is None:
        return "clock not synchronised through the window"
    if times.guarded is None or times.settle_started is None or not evidence.guarded_all:
        return f"guard not in force from first to last look (ended by {evidence.ended_by}{_first_error(evidence)})"
    quiet = _quiet(node, evidence, bounds, watched=namespaces)
    if isinstance(quiet, str):
        return quiet
    return Proof(
        node_id=node.node_id,
        guarded_by=times.guarded + bounds.latest_s,
        settled_from=times.settle_started + bounds.earliest_s,
        quiet=quiet,
    )


def _quiet(node: NodePlan, evidence: NodeEvidence, bounds: Bounds, *, watched: Iterable[str]) -> Quiet | str:
    """When filesystems were frozen or synced, and the counters of the ``watched`` namespaces stood still."""
    times = evidence.times
    if times.flushed is None or times.lift_started is None:
        return f"write stop incomplete (ended by {evidence.ended_by}{_first_error(evidence)})"
    begins, ends = [times.flushed], [times.lift_started]
    for mount in node.freeze:
        frozen = evidence.mounts.get(mount)
        if frozen is None or frozen.frozen is None or not frozen.held or times.thaw_started is None:
            return f"{mount} was not frozen throughout"
        begins.append(frozen.frozen)
        ends.append(times.thaw_started)
    for name in watched:
        seen = evidence.namespaces.get(name)
        if seen is None or not seen.flushed or seen.unchanged_until is None:
            moved = f" ({', '.join(seen.changed)} moved)" if seen is not None and seen.changed else ""
            return f"namespace {name} not proven flushed and at rest{moved}"
        ends.append(seen.unchanged_until)
    for path in node.sync_paths:
        synced = evidence.synced.get(path)
        if synced is None or synced < times.flushed:
            return f"{path} was not synced after the flush proof"
        begins.append(synced)
    return Quiet(since=max(begins) + bounds.latest_s, until=min(ends) + bounds.earliest_s)


def _first_error(evidence: NodeEvidence) -> str:
    return f": {evidence.errors[0].get('detail', '')}" if evidence.errors else ""


def judge_consistency(
    plan: BackupPlan,
    *,
    cut: Cut,
    evidence: Mapping[str, NodeEvidence],
    called_off: str | None = None,
    controller_error_s: float = CONTROLLER_ERROR_S,
) -> Label:
    """The highest label that the evidence supports, with the reasons that kept it from being higher.

    Args:
        plan: what was to be stopped, on which nodes.
        cut: the controller's record of every CreateSnapshots.
        evidence: by instance id; a node that sent none is simply absent.
        called_off: why the planned write stop did not take place; None where it did.
        controller_error_s: bound on the error of the controller's own clock.

    """
    written = write_stop_s(evidence.values())
    if not plan.stop_writes or called_off is not None:
        why = (
            f"the write stop was called off: {called_off}"
            if plan.stop_writes
            else "writes were not stopped, as planned"
        )
        reasons = (why, *plan.notes)
        return Label(consistency=Consistency.CRASH, reasons=reasons, namespaces=plan.namespaces, write_stop_s=written)
    proofs = {node.instance_id: prove(node, evidence.get(node.instance_id), plan.namespaces) for node in plan.nodes}
    against_cluster = [
        *_missing(plan, proofs),
        *_barrier(proofs),
        *_covering(plan, proofs, first=cut.first_request, last=cut.last_response, error_s=controller_error_s),
        *_membership(plan, evidence),
    ]
    if not against_cluster:
        return Label(consistency=Consistency.CLUSTER, reasons=(), namespaces=plan.namespaces, write_stop_s=written)
    against_node = list(_against_node(plan, cut, evidence, controller_error_s))
    return Label(
        consistency=Consistency.CRASH if against_node else Consistency.NODE,
        reasons=tuple(dict.fromkeys([*against_cluster, *against_node])),
        namespaces=plan.namespaces,
        write_stop_s=written,
    )


def with_circumstances(label: Label, *, window: Window | None, failed_tries: Sequence[FailedTry]) -> Label:
    """Say how many tries were needed; and where a label fell short, what else the operator should know of it."""
    told = () if label.consistency is Consistency.CLUSTER or window is None else window.notes
    former = (
        () if label.consistency is Consistency.CLUSTER else tuple(f"try {t.number}: {t.reason}" for t in failed_tries)
    )
    return label.model_copy(update={"tries": len(failed_tries) + 1, "reasons": (*label.reasons, *told, *former)})


def _missing(plan: BackupPlan, proofs: Mapping[str, Proof | str]) -> Iterator[str]:
    for node in plan.nodes:
        proof = proofs[node.instance_id]
        if isinstance(proof, str):
            yield f"node {node.node_id}: {proof}"


def _barrier(proofs: Mapping[str, Proof | str]) -> Iterator[str]:
    """A write that a late node still took lands on replicas: their flush proofs must begin after the last guard."""
    proven = [proof for proof in proofs.values() if isinstance(proof, Proof)]
    if not proven:
        return
    last = max(proven, key=lambda proof: proof.guarded_by)
    for proof in proven:
        if proof.settled_from < last.guarded_by:
            behind_s = last.guarded_by - proof.settled_from
            yield f"node {proof.node_id}: flush proof may begin {behind_s:.3f} s before {last.node_id} is guarded"


def _covering(
    plan: BackupPlan, proofs: Mapping[str, Proof | str], *, first: datetime, last: datetime, error_s: float
) -> Iterator[str]:
    for node in plan.nodes:
        proof = proofs[node.instance_id]
        if isinstance(proof, Proof):
            yield from _uncovered(node, proof.quiet, first=first, last=last, error_s=error_s)


def _uncovered(node: NodePlan, quiet: Quiet, *, first: datetime, last: datetime, error_s: float) -> Iterator[str]:
    late_s = quiet.since - (first.timestamp() - error_s)
    early_s = (last.timestamp() + error_s) - quiet.until
    if late_s > 0:
        yield f"node {node.node_id}: quiet {late_s:.3f} s too late for the first cut request"
    if early_s > 0:
        yield f"node {node.node_id}: let go {early_s:.3f} s too early for the last cut response"


def _membership(plan: BackupPlan, evidence: Mapping[str, NodeEvidence]) -> Iterator[str]:
    """One cluster, the same one, with exactly the planned nodes, none restarted, nothing migrating."""
    everyone = {node.node_id for node in plan.nodes}
    keys: set[str] = set()
    for node in plan.nodes:
        seen = evidence.get(node.instance_id)
        if seen is None:
            continue
        before, after = seen.cluster.before, seen.cluster.after
        if before is None or after is None:
            yield f"node {node.node_id}: cluster membership not recorded before and after"
            continue
        keys |= {before.key, after.key}
        if after.uptime_s < before.uptime_s:
            yield f"node {node.node_id}: asd was restarted in the window"
        for view in (before, after):
            if (members := {*view.peers, node.node_id}) != everyone:
                yield f"node {node.node_id}: sees nodes {sorted(members)}, planned {sorted(everyone)}"
            if view.migrations_remaining:
                yield f"node {node.node_id}: {view.migrations_remaining} partitions were migrating"
    if len(keys) > 1:
        yield f"the cluster changed in the window: keys {sorted(keys)}"


def _against_node(plan: BackupPlan, cut: Cut, evidence: Mapping[str, NodeEvidence], error_s: float) -> Iterator[str]:
    """Each node around its own cut: filesystems frozen, or flushed and device counters unchanged; not restarted."""
    own: dict[str, NodeCut] = {node.instance_id: node for node in cut.nodes}
    for node in plan.nodes:
        seen = evidence.get(node.instance_id)
        bounds = clock_bounds(seen) if seen else None
        if seen is None or bounds is None:
            yield f"node {node.node_id}: nothing is proven around its own cut"
            continue
        unfrozen = [name for name in plan.namespaces if name not in node.frozen_namespaces]
        quiet = _quiet(node, seen, bounds, watched=unfrozen)
        if isinstance(quiet, str):
            yield f"node {node.node_id}: {quiet}"
            continue
        taken = own[node.instance_id]
        yield from _uncovered(node, quiet, first=taken.requested_at, last=taken.responded_at, error_s=error_s)
        before, after = seen.cluster.before, seen.cluster.after
        if before is None or after is None or after.uptime_s < before.uptime_s:
            yield f"node {node.node_id}: not proven to have run through its cut"


def write_stop_s(evidence: Iterable[NodeEvidence]) -> float | None:
    """From the first guard on any node to the last lift on any node, each in true time as its clock knows it."""
    begins, ends = [], []
    for seen in evidence:
        offset_s = seen.clocks[0].offset_s if seen.clocks else 0.0
        begin = seen.times.guard_sent if seen.times.guard_sent is not None else seen.times.guarded
        if begin is not None and seen.times.lifted is not None:
            begins.append(begin - offset_s)
            ends.append(seen.times.lifted - offset_s)
    return round(max(ends) - min(begins), 3) if begins else None
