"""State ``AcquireLock``: check the input, name the recovery point, and take the cluster's lock."""

from datetime import datetime

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Configurations
from aerokeep.aws.vault import Runs
from aerokeep.model.cluster import ClusterConfig
from aerokeep.model.errors import ConflictError
from aerokeep.model.run import BackupRequest, RunRef, point_id
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.starting_out import Start, parse_request
from aerokeep.steps.step import step


class Output(Wire):
    """A run to go on with, or the news that there is nothing to do."""

    run: RunRef
    duplicate: bool
    """The same recovery point was begun by another execution: this one ends as a success that did nothing."""


class Order(Wire):
    """The configuration that this run keeps, whatever is deployed while it goes on."""

    request: BackupRequest
    config: ClusterConfig


def run(request: Start, *, configurations: Configurations, catalog: Catalog, runs: Runs) -> Output:
    """Take the lock after everything that can be refused was refused.

    Raises:
        RejectedError: an unknown cluster, or an unknown or wrong field.
        ConflictError: another execution holds the cluster.

    """
    order = parse_request(BackupRequest, request.request)
    config = configurations.of_cluster(order.cluster)
    wanted = new_run(order, execution=request.execution, started_at=request.started_at)
    if _begun_by_another(wanted, catalog):
        return Output(run=wanted, duplicate=True)
    try:
        held = catalog.acquire(wanted)
    except ConflictError:
        holder = catalog.lock(wanted.cluster)
        if holder is not None and holder.run_id == wanted.run_id and holder.execution != wanted.execution:
            return Output(run=wanted, duplicate=True)
        raise
    if not catalog.announce(held):
        catalog.release(held)
        return Output(run=wanted, duplicate=True)
    runs.write(held, "order", Order(request=order, config=config))
    return Output(run=held, duplicate=False)


def new_run(order: BackupRequest, *, execution: str, started_at: datetime) -> RunRef:
    """The run that this request means: named by its scheduled time, else by the execution's start."""
    at = order.scheduled_time or started_at
    return RunRef(
        cluster=order.cluster,
        journey="backup",
        run_id=point_id(order.cluster, at),
        epoch=0,
        execution=execution,
        started_at=started_at,
    )


def _begun_by_another(run: RunRef, catalog: Catalog) -> bool:
    entry = catalog.entry(run)
    return entry is not None and entry["execution"] != run.execution


handler = step(run)
