"""State ``ReleaseLock``: let the next export begin, and clear away what given-up ones have left."""

from datetime import datetime, timedelta

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.exports import Exports
from aerokeep.model.export import ExportAbandonment
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.step import Clock, logger, step

LOOK_BACK = timedelta(days=3)
"""A job whose host could not be told goes on for half an hour at most; whatever it wrote is seen by the next export."""


class Output(Wire):
    """The last output of a successful export."""

    export: str
    released: bool
    collected: int
    """Objects of exports that had been given up while a host could not be told, and uploads of tries that failed."""


def run(request: RunRef, *, catalog: Catalog, exports: Exports, clock: Clock) -> Output:
    """Release what this run holds; a second call finds nothing to do."""
    collected = exports.abort_uploads(request.cluster, request.run_id)
    for export_id in exports.ids(request.cluster):
        if export_id != request.run_id and _young(export_id, now=clock()):
            collected += _collect(request.cluster, export_id, exports)
    return Output(export=request.run_id, released=release(request, catalog), collected=collected)


def _young(export_id: str, *, now: datetime) -> bool:
    begun_at = datetime.strptime(f"{export_id.rpartition('-')[2]}+0000", "%Y%m%dT%H%M%SZ%z")
    return now - begun_at < LOOK_BACK


def _collect(cluster: str, export_id: str, exports: Exports) -> int:
    if not isinstance(exports.find(cluster, export_id), ExportAbandonment):
        return 0
    deleted = exports.collect(cluster, export_id)
    logger.info("abandoned export collected", export=export_id, deleted=deleted)
    return deleted


handler = step(run)
