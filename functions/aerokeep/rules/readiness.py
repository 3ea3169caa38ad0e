"""When is a set of snapshots ready, and how long to wait before the next look."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil

from aerokeep.model.errors import CorruptError, NotReadyError
from aerokeep.model.recovery_point import Snapshot, SnapshotState
from aerokeep.model.wire import Wire

FIRST_LOOK_S = 5
LONGEST_WAIT_S = 120


class Readiness(Wire):
    """The state of the set as a whole."""

    done: bool
    percent: int
    """Mean progress of the set, weighted by volume size."""
    wait_s: int


def judge_readiness(
    found: Sequence[Snapshot], *, expected: frozenset[str], started_at: datetime, deadline: datetime, now: datetime
) -> Readiness:
    """Judge the set as a whole: EBS fails multi-volume snapshots as a unit.

    Raises:
        CorruptError: a member is in ``error``.
        NotReadyError: the deadline has passed with members still pending.

    """
    if failed := [s for s in found if s.state is SnapshotState.ERROR]:
        raise CorruptError(f"snapshot_failed: {failed[0].id}: {failed[0].state_message}")
    # A snapshot that was just made may not be listed yet: absent counts as pending, never as gone.
    pending = expected - {s.id for s in found if s.state is SnapshotState.COMPLETED}
    if pending and now >= deadline:
        raise NotReadyError(f"deadline_passed: {len(pending)} of {len(expected)} snapshots pending at {deadline}")
    size_gib = sum(s.size_gib for s in found) or 1
    percent = int(sum(s.progress_percent * s.size_gib for s in found) / size_gib)
    # The longer it has run, the rarer the looks: 9 history events a look, 25,000 in all (aws.md §E1).
    running_s = (now - started_at).total_seconds()
    return Readiness(
        done=not pending, percent=percent, wait_s=max(FIRST_LOOK_S, min(LONGEST_WAIT_S, ceil(running_s / 10)))
    )
