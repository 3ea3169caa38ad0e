"""State ``AcquireLock``: check the input, name the export, and take the lock that exports of a cluster share."""

from datetime import datetime

from aerokeep.aws.catalog import Catalog, lane_of
from aerokeep.aws.ssm import Configurations
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import ConflictError
from aerokeep.model.export import ExportOrder, ExportRequest
from aerokeep.model.run import RunRef, run_id
from aerokeep.model.wire import Wire
from aerokeep.rules.export_plan import require_sound
from aerokeep.steps.shared.starting_out import Start, parse_request
from aerokeep.steps.shared.yielding import CHANGING, require_quiet
from aerokeep.steps.step import step


class Output(Wire):
    """A run to go on with, or the news that there is nothing to do."""

    run: RunRef
    duplicate: bool
    """The same export was begun by another execution: this one ends as a success that did nothing."""
    exact: bool


def run(request: Start, *, configurations: Configurations, catalog: Catalog, runs: Runs) -> Output:
    """Take the lock after everything that can be refused was refused.

    Raises:
        RejectedError: an unknown cluster, an unknown or wrong field, or fields that contradict each other.
        ConflictError: another export is under way, or the cluster is being put together.

    """
    asked = parse_request(ExportRequest, request.request)
    config = configurations.of_cluster(asked.cluster)
    policy = asked.policy(config.export)
    require_sound(asked, policy)
    wanted = new_run(asked, execution=request.execution, started_at=request.started_at)
    duplicate = Output(run=wanted, duplicate=True, exact=asked.exact)
    entry = catalog.entry(wanted)
    if entry is not None and entry["execution"] != wanted.execution:
        return duplicate
    require_quiet(asked.cluster, catalog, among=CHANGING)
    try:
        held = catalog.acquire(wanted)
    except ConflictError:
        holder = catalog.lock(wanted.cluster, lane=lane_of("export"))
        if holder is not None and holder.run_id == wanted.run_id and holder.execution != wanted.execution:
            return duplicate
        raise
    if not catalog.announce(held):
        catalog.release(held)
        return duplicate
    runs.write(held, "order", ExportOrder(request=asked, config=config.model_copy(update={"export": policy})))
    return Output(run=held, duplicate=False, exact=asked.exact)


def new_run(asked: ExportRequest, *, execution: str, started_at: datetime) -> RunRef:
    """The run that this request means: named by its scheduled time, else by the execution's start."""
    return RunRef(
        cluster=asked.cluster,
        journey="export",
        run_id=run_id(asked.cluster, "export", asked.scheduled_time or started_at),
        epoch=0,
        execution=execution,
        started_at=started_at,
    )


handler = step(run)
