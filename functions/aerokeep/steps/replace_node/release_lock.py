"""State ``ReleaseLock``: let the cluster go, and end with what became of the node."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Runs
from aerokeep.model.replacement import Report
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.step import Meter, step


def run(request: RunRef, *, runs: Runs, catalog: Catalog, meter: Meter) -> Report:
    """Release what this run holds; a second call finds nothing to do."""
    report = runs.read(request, "report", Report)
    if release(request, catalog):
        meter.record(request.cluster, ReplaceSeconds=report.recovery_s, NodesReplaced=1)
    return report


handler = step(run)
