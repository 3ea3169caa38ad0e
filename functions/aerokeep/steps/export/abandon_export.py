"""State ``AbandonExport``: after any failure, end the jobs, give the export up for good, and let go of the lock."""

from typing import Any

from aerokeep.aws.catalog import Catalog, lane_of
from aerokeep.model.run import Failure
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.abandoning_export import AbandonedExport, ExportAbandoner
from aerokeep.steps.step import step


class Input(Wire):
    """The raw execution input is enough: the lock knows the run, even if its first state died after its effect."""

    request: dict[str, Any]
    execution: str
    failure: Failure


class Output(Wire):
    """What was undone."""

    undone: AbandonedExport | None
    """None: this execution never held the lock, so there was nothing to undo."""
    message: str
    """What had gone wrong: the execution's cause, as people read it."""


def run(request: Input, *, catalog: Catalog, export_abandoner: ExportAbandoner) -> Output:
    """Undo what this execution holds, if it holds anything."""
    message = request.failure.message
    held = catalog.lock(str(request.request.get("cluster", "")), lane=lane_of("export"))
    if held is None or held.execution != request.execution:
        return Output(undone=None, message=message)
    return Output(undone=export_abandoner.abandon(held, reason=request.failure.reason), message=message)


handler = step(run)
