"""State ``HaltImport``: after any failure, let the cluster go if nothing was written, else keep it locked."""

from typing import Any

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Runs
from aerokeep.model.run import Failure
from aerokeep.model.transfer import Transfer
from aerokeep.model.transfer_order import Kind
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.shared.transferring import key_of
from aerokeep.steps.step import logger, step


class Input(Wire):
    """The raw execution input is enough: the lock knows the run."""

    request: dict[str, Any]
    execution: str
    failure: Failure


class Output(Wire):
    """What the execution ends with."""

    halted: bool
    """False: this execution did not hold the cluster, or had written nothing."""
    message: str


def run(request: Input, *, catalog: Catalog, runs: Runs) -> Output:
    """Half an import is in the cluster: only this journey, or a person, may go on.

    Jobs are not cancelled, since a cancelled run could not go on: they end by themselves, or are found at work.
    """
    message = request.failure.message
    held = catalog.lock(str(request.request.get("cluster", "")))
    if held is None or held.execution != request.execution:
        return Output(halted=False, message=message)
    transfer = runs.find(held, key_of(Kind.IMPORT), Transfer)
    if transfer is None or not transfer.touched:
        release(held, catalog)
        return Output(halted=False, message=message)
    halted = catalog.halt(held, reason=request.failure.reason)
    logger.error("import halted", cluster=held.cluster, run=held.run_id, reason=request.failure.reason)
    how = "start import with the same input again to go on, or follow the runbook (halted import)"
    return Output(halted=halted, message=f"{message}: halted as {held.run_id}: {how}")


handler = step(run)
