"""State ``ResumeWrites``: lift the guard, and prove that no write came between the export's first read and its last."""

from collections.abc import Sequence
from datetime import UTC, datetime

from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.consistency import Consistency
from aerokeep.model.errors import NotReadyError
from aerokeep.model.evidence import NodeEvidence
from aerokeep.model.export import Exact, ExportPlan
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.recovery_point import Cut, NodeCut
from aerokeep.model.run import RunRef
from aerokeep.model.transfer import Transfer
from aerokeep.model.transfer_order import Kind
from aerokeep.rules.consistency import clock_bounds, judge_consistency
from aerokeep.rules.export_plan import GUARD_MARGIN_S
from aerokeep.steps.shared.resuming import after_the_lease, resume_writes
from aerokeep.steps.shared.transferring import key_of
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, hosts: Hosts, clock: Clock) -> Exact:
    """Let go first, judge after.

    Raises:
        NotReadyError: it is not proven, so the export is not what was asked for.

    """
    guard, window = runs.read(request, "guard", BackupPlan), runs.read(request, "window", Window)
    until = after_the_lease(window, now=clock())
    resumed = resume_writes(request, guard, until=until, hosts=hosts, clock=clock, tombstone=False)
    runs.write(request, "evidence", resumed)
    transfer, plan = runs.read(request, key_of(Kind.EXPORT), Transfer), runs.read(request, "plan", ExportPlan)
    read = _when_read(window, transfer, [resumed.evidence.get(runner.instance_id) for runner in plan.runners])
    cut = Cut(
        nodes=tuple(
            NodeCut(
                instance_id=node.instance_id,
                node_id=node.node_id,
                requested_at=read.guarded_from,
                responded_at=read.guarded_until,
                snapshots={},
            )
            for node in guard.nodes
        )
    )
    # What is proven for a cut is proven for a scan: at rest on every node from before it to after it.
    label = judge_consistency(guard, cut=cut, evidence=resumed.evidence, controller_error_s=0.0)
    if label.consistency is not Consistency.CLUSTER:
        raise NotReadyError(f"not_exact: {'; '.join(label.reasons[:5])}: try again, or leave out exact")
    runs.write(request, "exact", read)
    return read


def _when_read(window: Window, transfer: Transfer, evidence: Sequence[NodeEvidence | None]) -> Exact:
    """From the earliest true time of the first read to the latest of the last one, by the runners' own clocks."""
    known = [None if told is None else clock_bounds(told) for told in evidence]
    bounds = [one for one in known if one is not None]
    if len(bounds) < len(known) or transfer.ended_at is None:
        raise NotReadyError("not_exact: a runner's clock is not synchronised, or its job did not say when it ended")
    earliest_s = min(min(one.earliest_s, -one.latest_s) for one in bounds)
    latest_s = max(one.latest_s for one in bounds)
    begun_at = window.start_at.timestamp() + GUARD_MARGIN_S / 2
    return Exact(
        guarded_from=datetime.fromtimestamp(begun_at + min(earliest_s, 0.0), UTC),
        guarded_until=datetime.fromtimestamp(transfer.ended_at + latest_s, UTC),
    )


handler = step(run)
