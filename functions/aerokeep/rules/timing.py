"""What a try of a write stop tells of how long such things take: failed ones too, else survivors bias the plan."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from aerokeep.model.evidence import NodeEvidence


def slowest_s(calls: Iterable[tuple[datetime, datetime]]) -> float | None:
    """The longest of calls, each from its request to its answer; None of none."""
    return max((round((answered - asked).total_seconds(), 3) for asked, answered in calls), default=None)


def quiet_after_s(start_at: datetime, evidence: Mapping[str, NodeEvidence]) -> float | None:
    """From T0 until the last node was flushed and frozen, by each node's clock as far as it knows its own offset.

    A node that gave up counts with the time at which it did: it would have taken longer still. None where no node
    began.
    """
    measured = [after for seen in evidence.values() if (after := _node_quiet_after_s(start_at, seen)) is not None]
    return max(measured, default=None)


def _node_quiet_after_s(start_at: datetime, seen: NodeEvidence) -> float | None:
    times = seen.times
    if times.guard_sent is None and times.guarded is None:
        return None
    quiet = times.flushed if times.flushed is not None else times.lift_started
    if quiet is None:
        return None
    frozen = [mount.frozen for mount in seen.mounts.values() if mount.frozen is not None]
    offset_s = seen.clocks[0].offset_s if seen.clocks else 0.0
    return round(max(quiet, *frozen, *seen.synced.values(), quiet) - offset_s - start_at.timestamp(), 3)
