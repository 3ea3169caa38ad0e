"""State ``CommitExport``: write the manifest, last and once: from then on the export exists."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.exports import Exports
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import ConflictError, CorruptError
from aerokeep.model.export import ClusterFound, Exact, ExportManifest, ExportOrder, ExportPlan
from aerokeep.model.run import RunRef
from aerokeep.model.transfer import Transfer
from aerokeep.model.transfer_order import Kind
from aerokeep.model.wire import Wire
from aerokeep.rules.export_plan import wanted_namespaces
from aerokeep.rules.exported import require_metadata, summed
from aerokeep.steps.export.verify_export import Verified
from aerokeep.steps.shared.abandoning_export import enter
from aerokeep.steps.shared.transferring import key_of
from aerokeep.steps.shared.yielding import CHANGING, require_quiet
from aerokeep.steps.step import Clock, Meter, step


class Output(Wire):
    """The export, in a line."""

    export: str
    records: int
    sindexes: int
    udfs: int
    stored_bytes: int
    exact: bool


def run(request: RunRef, *, runs: Runs, exports: Exports, catalog: Catalog, clock: Clock, meter: Meter) -> Output:
    """Compete with abandonment for the manifest's key; the same execution's second try finds its own manifest.

    Raises:
        ConflictError: the export was abandoned meanwhile, or the lock is lost.
        RejectedError: the tool left indexes or UDFs out.

    """
    require_quiet(request.cluster, catalog, among=CHANGING)
    catalog.require(request)
    standing = exports.settle(request, _manifest(request, runs, clock))
    if not isinstance(standing, ExportManifest) or standing.execution != request.execution:
        raise ConflictError(f"export_taken: {request.run_id} was {standing.state} by {standing.execution}")
    enter(request, standing, catalog)
    seconds = (standing.committed_at - standing.started_at).total_seconds()
    meter.record(request.cluster, ExportSeconds=seconds, ExportsCommitted=1)
    return Output(
        export=request.run_id,
        records=standing.records,
        sindexes=standing.sindexes,
        udfs=standing.udf_count,
        stored_bytes=standing.stored_bytes,
        exact=standing.exact is not None,
    )


def _manifest(request: RunRef, runs: Runs, clock: Clock) -> ExportManifest:
    order, plan = runs.read(request, "order", ExportOrder), runs.read(request, "plan", ExportPlan)
    found, transfer = runs.read(request, "cluster", ClusterFound), runs.read(request, key_of(Kind.EXPORT), Transfer)
    if transfer.tool is None:
        raise CorruptError("summary_missing: no job has said which tool it ran")
    live = wanted_namespaces(order.request, found)
    namespaces = summed(plan.parts, transfer, live, of_sets=bool(order.request.sets))
    missing = require_metadata(namespaces, found.udfs, accept_missing=order.request.accept_missing_indexes)
    policy, verified = order.config.export, runs.read(request, "verified", Verified)
    return ExportManifest(
        export_id=request.run_id,
        cluster=request.cluster,
        execution=request.execution,
        started_at=request.started_at,
        committed_at=clock(),
        tool=transfer.tool,
        builds=found.builds,
        request=order.request.model_dump(mode="json", exclude_defaults=True),
        policy=policy,
        compression=policy.compression,
        encryption=policy.encryption,
        key_check=transfer.key_check,
        namespaces=namespaces,
        udfs=found.udfs,
        exact=runs.find(request, "exact", Exact),
        verified=verified.method,
        sample=verified.sample,
        notes=(*plan.notes, *missing),
    )


handler = step(run)
