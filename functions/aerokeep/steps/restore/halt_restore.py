"""State ``HaltRestore``: touch nothing more, keep the cluster locked, and say how to go on."""

from typing import Any

from aerokeep.aws.catalog import Catalog
from aerokeep.model.run import Failure
from aerokeep.model.wire import Wire
from aerokeep.steps.step import logger, step


class Input(Wire):
    """The raw execution input is enough: the lock knows the run."""

    request: dict[str, Any]
    execution: str
    failure: Failure
    trouble: Failure
    """Why it could not be rolled back."""


class Output(Wire):
    """What the execution ends with."""

    halted: bool
    """False: this execution did not hold the cluster, so there was nothing to keep."""
    message: str


def run(request: Input, *, catalog: Catalog) -> Output:
    """A half-restored cluster must not be opened to writes, and nobody else may begin anything with it."""
    held = catalog.lock(str(request.request.get("cluster", "")))
    if held is None or held.execution != request.execution:
        return Output(halted=False, message=request.failure.message)
    reason = f"{request.failure.reason}; not rolled back: {request.trouble.message}"
    halted = catalog.halt(held, reason=reason)
    logger.error("restore halted", cluster=held.cluster, run=held.run_id, reason=reason)
    how = "start restore with the same input again to go on, or follow the runbook (halted restore)"
    return Output(
        halted=halted, message=f"{request.failure.message}: halted as {held.run_id} ({request.trouble.message}): {how}"
    )


handler = step(run)
