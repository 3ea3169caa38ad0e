"""State ``CommitPoint``: write the manifest, last and once: from then on the recovery point exists."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Points, Runs
from aerokeep.model.consistency import Label
from aerokeep.model.errors import ConflictError
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.recovery_point import Cut, Manifest
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire, iso
from aerokeep.steps.backup.acquire_lock import Order
from aerokeep.steps.backup.capture_metadata import Captured
from aerokeep.steps.backup.discover_cluster import Found
from aerokeep.steps.backup.verify_point import Members
from aerokeep.steps.shared.resuming import Resumed
from aerokeep.steps.step import Clock, Meter, step


class Output(Wire):
    """The recovery point, in a line."""

    point: str
    consistency: str
    write_stop_s: float | None
    snapshots: int


def run(request: RunRef, *, runs: Runs, points: Points, catalog: Catalog, clock: Clock, meter: Meter) -> Output:
    """Compete with abandonment for the manifest's key; the same execution's second try finds its own manifest.

    Raises:
        ConflictError: the point was abandoned meanwhile, or the lock is lost.

    """
    catalog.require(request)
    manifest = _manifest(request, runs, points, clock)
    standing = points.settle(request, manifest)
    if not isinstance(standing, Manifest) or standing.execution != request.execution:
        raise ConflictError(f"point_taken: {request.point_id} was {standing.state} by {standing.execution}")
    label = standing.label
    catalog.record(
        request,
        state="committed",
        details={
            "consistency": label.consistency,
            "committed_at": iso(standing.committed_at),
            "nodes": str(len(standing.cuts)),
            "snapshots": str(len(standing.snapshots)),
            "write_stop_s": str(label.write_stop_s),
        },
    )
    meter.record(
        request.cluster,
        BackupSeconds=(standing.committed_at - request.started_at).total_seconds(),
        PointsCommitted=1,
    )
    return Output(
        point=request.point_id,
        consistency=label.consistency,
        write_stop_s=label.write_stop_s,
        snapshots=len(standing.snapshots),
    )


def _manifest(request: RunRef, runs: Runs, points: Points, clock: Clock) -> Manifest:
    plan, cut = runs.read(request, "plan", BackupPlan), runs.read(request, "cut", Cut)
    evidence = runs.find(request, "evidence", Resumed) or Resumed(evidence={}, let_go=(), unheard={})
    found = runs.read(request, "found", Found)
    return Manifest(
        point_id=request.point_id,
        cluster=runs.read(request, "order", Order).config,
        execution=request.execution,
        started_at=request.started_at,
        committed_at=clock(),
        label=runs.read(request, "label", Label),
        first_request=cut.first_request,
        last_response=cut.last_response,
        plan=plan,
        window=runs.find(request, "window", Window),
        cuts=cut.nodes,
        snapshots=runs.read(request, "members", Members).snapshots,
        files=runs.read(request, "captured", Captured).nodes,
        evidence_key=points.write(request, "evidence.json", evidence.model_dump_json(indent=1).encode()),
        instances={instance.instance_id: instance.spec for instance in found.instances},
        builds={node.node_id: node.build for node in plan.nodes},
    )


handler = step(run)
