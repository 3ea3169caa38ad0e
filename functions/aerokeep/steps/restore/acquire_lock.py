"""State ``AcquireLock``: check the input, take the cluster's lock, and find out where a halted run goes on."""

from datetime import datetime
from typing import Literal

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Configurations
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import RejectedError
from aerokeep.model.restore import RestoreRequest
from aerokeep.model.run import RunRef, run_id
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.marks import marked
from aerokeep.steps.shared.restoring import RestoreOrder
from aerokeep.steps.shared.starting_out import Start, parse_request
from aerokeep.steps.step import step

GoOn = Literal["survey", "start", "open", "roll_back"]


class Output(Wire):
    """A run, and where it begins or goes on."""

    run: RunRef
    dry_run: bool
    go_on: GoOn


def run(request: Start, *, configurations: Configurations, catalog: Catalog, runs: Runs) -> Output:
    """Take the lock after everything that can be refused was refused; a dry run takes none.

    Raises:
        RejectedError: an unknown cluster, or an unknown or wrong field.
        ConflictError: another execution holds the cluster, or it was halted with another request.

    """
    order = parse_request(RestoreRequest, request.request)
    if not order.point.startswith(f"{order.cluster}-"):
        raise RejectedError(f"bad_input: field 'point': {order.point} is no point of cluster {order.cluster}")
    config = configurations.of_cluster(order.cluster)
    wanted = _new_run(order, execution=request.execution, started_at=request.started_at)
    held = wanted if order.dry_run else catalog.acquire(wanted, request=order.model_dump_json())
    runs.write(held, "order", RestoreOrder(request=order, config=config))
    return Output(run=held, dry_run=order.dry_run, go_on="survey" if order.dry_run else _where(runs, held))


def _new_run(order: RestoreRequest, *, execution: str, started_at: datetime) -> RunRef:
    return RunRef(
        cluster=order.cluster,
        journey="restore",
        run_id=run_id(order.cluster, "dryrun" if order.dry_run else "restore", started_at),
        epoch=0,
        execution=execution,
        started_at=started_at,
    )


def _where(runs: Runs, run: RunRef) -> GoOn:
    """Before its first server was started a run goes through all states again; each finds what is done already."""
    if marked(runs, run, "rolling-back"):
        return "roll_back"
    if marked(runs, run, "opening"):
        return "open"
    return "start" if marked(runs, run, "starting") else "survey"


handler = step(run)
