"""State ``CommitPoint``: write the manifest, last and once: from then on the recovery point exists."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Inventories, Points, Runs
from aerokeep.model.consistency import Label
from aerokeep.model.errors import ConflictError
from aerokeep.model.inventory import Inventory
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.recovery_point import Cut, Manifest
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire, iso
from aerokeep.rules.inventory import carried_over, with_conf
from aerokeep.steps.backup.acquire_lock import Order
from aerokeep.steps.backup.discover_cluster import Found
from aerokeep.steps.backup.verify_point import Members
from aerokeep.steps.shared.capturing import Captured
from aerokeep.steps.shared.resuming import NOBODY, Resumed
from aerokeep.steps.shared.tries import former_tries
from aerokeep.steps.step import Clock, Meter, step


class Output(Wire):
    """The recovery point, in a line."""

    point: str
    consistency: str
    write_stop_s: float | None
    snapshots: int


def run(
    request: RunRef,
    *,
    runs: Runs,
    points: Points,
    inventories: Inventories,
    catalog: Catalog,
    clock: Clock,
    meter: Meter,
) -> Output:
    """Compete with abandonment for the manifest's key; the same execution's second try finds its own manifest.

    Raises:
        ConflictError: the point was abandoned meanwhile, or the lock is lost.

    """
    catalog.require(request)
    manifest = _manifest(request, runs, points, clock)
    standing = points.settle(request, manifest)
    if not isinstance(standing, Manifest) or standing.execution != request.execution:
        raise ConflictError(f"point_taken: {request.point_id} was {standing.state} by {standing.execution}")
    if standing.inventory is not None:
        former = inventories.newest(request.cluster)
        absent = carried_over(former, without={node.node_id for node in standing.inventory.nodes}, now=clock())
        inventories.write(standing.inventory.model_copy(update={"nodes": (*standing.inventory.nodes, *absent)}))
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
            "tries": str(label.tries),
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
    evidence = runs.find(request, "evidence", Resumed) or NOBODY
    found = runs.read(request, "found", Found)
    files = runs.read(request, "captured", Captured).nodes
    inventory = runs.find(request, "inventory", Inventory)
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
        window=runs.find(request, request.of_try("window"), Window),
        failed_tries=former_tries(request, runs),
        cuts=cut.nodes,
        snapshots=runs.read(request, "members", Members).snapshots,
        files=files,
        evidence_key=points.write(request, "evidence.json", evidence.model_dump_json(indent=1).encode()),
        instances={instance.instance_id: instance.spec for instance in found.instances},
        builds={node.node_id: node.build for node in plan.nodes},
        inventory=None if inventory is None else with_conf(inventory, files),
    )


handler = step(run)
