"""State ``AbandonPoint``: after any failure, resume writes, give the point up for good, and let the cluster go."""

from typing import Any

from aerokeep.aws.catalog import Catalog
from aerokeep.model.run import Failure
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.abandoning import Abandoner
from aerokeep.steps.step import step


class Input(Wire):
    """The raw execution input is enough: the lock knows the run, even if its first state died after its effect."""

    request: dict[str, Any]
    execution: str
    failure: Failure


class Output(Wire):
    """What was undone."""

    held: bool
    """False: this execution never held the cluster, so there was nothing to undo."""
    committed: bool
    """True: the point had been committed before the failure; it stays."""
    still_stopping: tuple[str, ...]
    """Instances that did not confirm that writes flow; their lease ends by itself."""
    deleted: tuple[str, ...]
    message: str
    """What had gone wrong: the execution's cause, as people read it."""


def run(request: Input, *, catalog: Catalog, abandoner: Abandoner) -> Output:
    """Undo what this execution holds, if it holds anything."""
    message = request.failure.message
    held = catalog.lock(str(request.request.get("cluster", "")))
    if held is None or held.execution != request.execution:
        return Output(held=False, committed=False, still_stopping=(), deleted=(), message=message)
    done = abandoner.abandon(held, reason=request.failure.reason)
    return Output(
        held=True,
        committed=done.committed,
        still_stopping=done.still_stopping,
        deleted=done.deleted,
        message=message,
    )


handler = step(run)
