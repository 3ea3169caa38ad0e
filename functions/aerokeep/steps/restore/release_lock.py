"""State ``ReleaseLock``: let the cluster go, and end with a line that says what was restored."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Runs
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.shared.restoring import plan_of
from aerokeep.steps.step import Clock, Meter, step


class Output(Wire):
    """The last output of a successful restore."""

    point: str
    run: str
    restore_s: float
    """From the start of the run that began it, halts included."""
    released: bool


def run(request: RunRef, *, runs: Runs, catalog: Catalog, clock: Clock, meter: Meter) -> Output:
    """Release what this run holds; a second call finds nothing to do."""
    point = plan_of(runs, request).point_id
    restore_s = (clock() - request.started_at).total_seconds()
    released = release(request, catalog)
    if released:
        meter.record(request.cluster, RestoreSeconds=restore_s)
    return Output(point=point, run=request.run_id, restore_s=restore_s, released=released)


handler = step(run)
