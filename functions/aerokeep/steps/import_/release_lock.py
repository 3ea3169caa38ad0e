"""State ``ReleaseLock``: let the cluster go, and say what was imported."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Runs
from aerokeep.model.import_ import ImportPlan
from aerokeep.model.run import RunRef
from aerokeep.model.transfer import Counters
from aerokeep.model.wire import Wire
from aerokeep.steps.import_.check_import import Imported
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.step import Clock, Meter, step


class Output(Wire):
    """The last output of a successful import."""

    export: str
    run: str
    counters: Counters
    notes: tuple[str, ...]
    import_s: float
    """From the start of the run that began it, halts included."""
    released: bool


def run(request: RunRef, *, runs: Runs, catalog: Catalog, clock: Clock, meter: Meter) -> Output:
    """Release what this run holds; a second call finds nothing to do."""
    plan, imported = runs.read(request, "plan", ImportPlan), runs.read(request, "imported", Imported)
    import_s = (clock() - request.started_at).total_seconds()
    released = release(request, catalog)
    if released:
        meter.record(request.cluster, ImportSeconds=import_s)
    return Output(
        export=plan.export_id,
        run=request.run_id,
        counters=imported.counters,
        notes=imported.notes,
        import_s=import_s,
        released=released,
    )


handler = step(run)
