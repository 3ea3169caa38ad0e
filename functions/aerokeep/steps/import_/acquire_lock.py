"""State ``AcquireLock``: check the input, find the export, and take the cluster's lock."""

from datetime import datetime

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.exports import Exports
from aerokeep.aws.ssm import Configurations
from aerokeep.aws.vault import Runs
from aerokeep.model.cluster import ClusterConfig, ExportPolicy
from aerokeep.model.errors import RejectedError
from aerokeep.model.export import ExportManifest
from aerokeep.model.import_ import ImportOrder, ImportRequest
from aerokeep.model.run import RunRef, run_id
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.starting_out import Start, parse_request
from aerokeep.steps.step import step

_OF_POLICY = ("mode", "records_per_second", "bandwidth_mibps", "parallel")


class Output(Wire):
    """A run to go on with."""

    run: RunRef
    dry_run: bool


def run(request: Start, *, configurations: Configurations, catalog: Catalog, runs: Runs, exports: Exports) -> Output:
    """Take the lock after everything that can be refused was refused; a dry run takes none.

    Raises:
        RejectedError: an unknown cluster or export, or an unknown or wrong field.
        ConflictError: another execution holds the cluster, or it was halted with another request.

    """
    asked = parse_request(ImportRequest, request.request)
    config = configurations.of_cluster(asked.cluster)
    manifest = _export_of(asked, config, exports)
    wanted = _new_run(asked, execution=request.execution, started_at=request.started_at)
    held = wanted if asked.dry_run else catalog.acquire(wanted, request=asked.model_dump_json())
    if runs.find(held, "order", ImportOrder) is None:
        policy = _policy(asked, config.export, manifest)
        settled = config.model_copy(update={"export": policy})
        runs.write(held, "order", ImportOrder(request=asked, config=settled, manifest=manifest))
    return Output(run=held, dry_run=asked.dry_run)


def _export_of(asked: ImportRequest, config: ClusterConfig, exports: Exports) -> ExportManifest:
    if asked.source != asked.cluster and asked.source not in config.export.import_from:
        allowed = ", ".join(config.export.import_from) or "none"
        raise RejectedError(
            f"source_not_allowed: field 'source_cluster': exports of {asked.source} may not be imported into "
            f"{asked.cluster} (export.import_from of clusters.yaml allows {allowed}): add it there and deploy"
        )
    found = exports.find(asked.source, asked.export)
    if isinstance(found, ExportManifest):
        return found
    why = "it was given up" if found is not None else "there is none of that name, or it is not finished"
    raise RejectedError(f"unknown_export: field 'export': {asked.export} of cluster {asked.source}: {why}")


def _policy(asked: ImportRequest, deployed: ExportPolicy, manifest: ExportManifest) -> ExportPolicy:
    """How files were packed is said by the export; how they are written is the importing cluster's affair."""
    said = {name: getattr(asked, name) for name in _OF_POLICY if getattr(asked, name) is not None}
    packed = {"compression": manifest.compression, "encryption": manifest.encryption}
    return deployed.model_copy(update={**said, **packed})


def _new_run(asked: ImportRequest, *, execution: str, started_at: datetime) -> RunRef:
    return RunRef(
        cluster=asked.cluster,
        journey="import",
        run_id=run_id(asked.cluster, "dryrun" if asked.dry_run else "import", started_at),
        epoch=0,
        execution=execution,
        started_at=started_at,
    )


handler = step(run)
