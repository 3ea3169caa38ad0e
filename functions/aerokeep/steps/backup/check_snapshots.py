"""State ``CheckSnapshots``: say whether every snapshot of the recovery point can be restored from."""

from datetime import timedelta

from aerokeep.aws.ec2 import Snapshots
from aerokeep.aws.vault import Runs
from aerokeep.model.recovery_point import Cut
from aerokeep.model.run import RunRef
from aerokeep.rules.readiness import Readiness, judge_readiness
from aerokeep.steps.backup.acquire_lock import Order
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, snapshots: Snapshots, clock: Clock) -> Readiness:
    """One paged DescribeSnapshots for the whole point, then a pure decision.

    Raises:
        NotReadyError: the point's deadline has passed with snapshots still pending.
        CorruptError: AWS put a member of the set into ``error``, so the set is not what was planned.

    """
    cut = runs.read(request, "cut", Cut)
    deadline_s = runs.read(request, "order", Order).config.snapshot_deadline_s
    return judge_readiness(
        [snapshot for snapshot in snapshots.of_run(request.run_id) if snapshot.id in cut.snapshot_ids],
        expected=cut.snapshot_ids,
        started_at=cut.last_response,
        deadline=cut.last_response + timedelta(seconds=deadline_s),
        now=clock(),
    )


handler = step(run)
