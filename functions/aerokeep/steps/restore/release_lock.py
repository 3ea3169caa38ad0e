"""State ``ReleaseLock``: write down what the nodes run on now, let the cluster go, and say what was restored."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Inventories, Points, Runs
from aerokeep.model.recovery_point import Manifest
from aerokeep.model.restore import NewVolumes
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.restored import inventory_after
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.shared.restoring import plan_of, relaunched_of
from aerokeep.steps.step import Clock, Meter, step


class Output(Wire):
    """The last output of a successful restore."""

    point: str
    run: str
    restore_s: float
    """From the start of the run that began it, halts included."""
    released: bool


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
    """Release what this run holds; a second call finds nothing to do."""
    point = plan_of(runs, request).point_id
    manifest, held = points.find(request.cluster, point), catalog.lock(request.cluster)
    ours = held is not None and (held.execution, held.epoch) == (request.execution, request.epoch)
    if ours and isinstance(manifest, Manifest) and manifest.inventory is not None:
        made, relaunched = runs.read(request, "volumes", NewVolumes), relaunched_of(runs, request)
        inventories.write(
            inventory_after(manifest.inventory, made=made, relaunched=relaunched, run_id=request.run_id, now=clock())
        )
    restore_s = (clock() - request.started_at).total_seconds()
    released = release(request, catalog)
    if released:
        meter.record(request.cluster, RestoreSeconds=restore_s)
    return Output(point=point, run=request.run_id, restore_s=restore_s, released=released)


handler = step(run)
