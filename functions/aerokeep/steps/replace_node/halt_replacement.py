"""State ``HaltReplacement``: after any failure, let the cluster go if nothing was touched, else keep it locked."""

from typing import Any

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Runs
from aerokeep.model.run import Failure
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.marks import marked
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.shared.replacing import cluster_of
from aerokeep.steps.step import logger, step


class Input(Wire):
    """The raw execution input is enough: the lock knows the run."""

    request: dict[str, Any]
    execution: str
    failure: Failure


class Output(Wire):
    """What the execution ends with."""

    halted: bool
    """False: this execution did not hold the cluster, or had not begun to fence, so it left everything as it was."""
    message: str


def run(request: Input, *, catalog: Catalog, runs: Runs) -> Output:
    """Once the old instance is being fenced only this journey, or a person, may go on with the cluster."""
    cluster = cluster_of(request.request)
    held = catalog.lock(cluster) if cluster else None
    if held is None or held.execution != request.execution:
        return Output(halted=False, message=request.failure.message)
    if not marked(runs, held, "fencing"):
        release(held, catalog)
        return Output(halted=False, message=request.failure.message)
    halted = catalog.halt(held, reason=request.failure.reason)
    logger.error("replacement halted", cluster=held.cluster, run=held.run_id, reason=request.failure.reason)
    how = "start replace-node with the same input again to go on, or follow the runbook (halted replacement)"
    return Output(halted=halted, message=f"{request.failure.message}: halted as {held.run_id}: {how}")


handler = step(run)
