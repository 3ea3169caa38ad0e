"""Does anybody need this snapshot, volume or interface? In doubt it is kept: it may be the only copy of data."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import assert_never

from aerokeep.model.orphan import Candidate, ClusterFacts, Fate, Kind, Orphan, RunFacts

GRACE = timedelta(hours=2)
"""A run that began later is left alone, whatever is known of it."""
MOST_PER_ROUND = 20
"""So many are deleted at once: a mistake of ours must not be quicker than the people who see it."""


def judge(candidate: Candidate, run: RunFacts, cluster: ClusterFacts, *, now: datetime) -> Orphan:
    """Judge one resource."""
    needed = _needed(candidate, run, cluster, now)
    if needed is not None:
        return Orphan(candidate=candidate, fate=Fate.NEEDED, reason=needed)
    kept = _kept(candidate, run, cluster)
    if kept is not None:
        return Orphan(candidate=candidate, fate=Fate.KEPT, reason=kept)
    close = candidate.kind is Kind.SNAPSHOT and run.manifest is None
    reason = "no manifest names it, and its run is over"
    return Orphan(candidate=candidate, fate=Fate.DELETED, reason=reason, close_point=close)


def chosen(orphans: Iterable[Orphan]) -> list[Orphan]:
    """Those that go in this round."""
    return [orphan for orphan in orphans if orphan.fate is Fate.DELETED][:MOST_PER_ROUND]


def _needed(candidate: Candidate, run: RunFacts, cluster: ClusterFacts, now: datetime) -> str | None:
    named = {
        Kind.SNAPSHOT: cluster.snapshots,
        Kind.VOLUME: cluster.volumes,
        Kind.INTERFACE: cluster.interfaces,
    }[candidate.kind]
    reasons = (
        (candidate.id in named, "a manifest or the inventory names it"),
        (candidate.in_use is not None, f"it is in use: {candidate.in_use}"),
        (candidate.private_ip in cluster.addresses, f"{candidate.private_ip} is a node's address"),
        (run.holds_lock, "its run holds the cluster"),
        (run.execution_ended is False, "its execution still runs"),
        (run.begun_at is not None and now - run.begun_at < GRACE, "its run is young"),
    )
    return next((reason for holds, reason in reasons if holds), None)


def _kept(candidate: Candidate, run: RunFacts, cluster: ClusterFacts) -> str | None:
    if cluster.unreadable is not None:
        return f"what is needed can't be told: {cluster.unreadable}"
    if run.begun_at is None:
        return f"{candidate.run_id!r} is no run of ours"
    if candidate.put_aside:
        return "a restore or a replacement keeps it as the former state"
    match candidate.kind:
        case Kind.SNAPSHOT:
            return _kept_snapshot(candidate, run)
        case Kind.VOLUME:
            return _kept_volume(candidate, run, cluster)
        case Kind.INTERFACE:
            return _kept_interface(cluster)
        case _:
            assert_never(candidate.kind)


def _kept_snapshot(candidate: Candidate, run: RunFacts) -> str | None:
    if candidate.locked:
        return "a snapshot lock is on it"
    if candidate.point_id != candidate.run_id:
        return "its tags name no point, or another run's"
    if run.entry is None or run.execution_ended is None:
        return "the catalog does not know its run"
    if run.entry == "committed" and run.manifest != "committed":
        return "the catalog has its point as committed, and the vault does not: find the manifest first"
    return None


def _kept_volume(candidate: Candidate, run: RunFacts, cluster: ClusterFacts) -> str | None:
    """Only what a snapshot of a point still holds byte by byte may go: no server ever ran on it."""
    if not cluster.lock_free:
        return "the cluster is locked: a volume may be on its way"
    if candidate.source_snapshot is None or candidate.source_snapshot not in cluster.snapshots:
        return "no snapshot of a point holds what is on it"
    if run.server_started is None:
        return "nobody knows any more whether a server ran on it"
    if run.server_started:
        return "a server may have written to it"
    return None


def _kept_interface(cluster: ClusterFacts) -> str | None:
    if not cluster.lock_free:
        return "the cluster is locked: an interface may be on its way"
    if not cluster.has_inventory:
        return "without an inventory nobody knows whose address it is"
    return None
