"""What all jobs of an export or of an import are told alike."""

from datetime import datetime, timedelta

from aerokeep.aws.exports import Exports
from aerokeep.model.cluster import ExportPolicy
from aerokeep.model.export import ExportRequest
from aerokeep.model.run import RunRef
from aerokeep.model.transfer_order import KeyOrder, Kind, Server, TransferOrder

TOOL_TIME = "%Y-%m-%d_%H:%M:%S"
"""asbackup takes the tool host's local time: the host runs it with TZ=UTC."""


def base_order(run: RunRef, kind: Kind, policy: ExportPolicy, exports: Exports, *, server: Server) -> TransferOrder:
    """An order without parts and token, which come with each job."""
    encryption = policy.encryption
    return TransferOrder(
        kind=kind,
        run=run.run_id,
        token="",
        server=server,
        bucket=exports.bucket,
        region=exports.region,
        prefix=exports.prefix(run.cluster, run.run_id),
        parts=(),
        mode=policy.mode,
        directory=policy.directory,
        at_once=policy.at_once,
        parallel=policy.parallel,
        records_per_second=policy.records_per_second,
        bandwidth_mibps=policy.bandwidth_mibps,
        nice=policy.nice,
        compression=policy.compression,
        encryption=None if encryption is None else KeyOrder(**encryption.model_dump()),
        file_mib=policy.file_mib,
        silence_s=policy.silence_s,
    )


def selected(order: TransferOrder, request: ExportRequest, policy: ExportPolicy) -> TransferOrder:
    """The same for those records alone that the request names."""
    return order.model_copy(
        update={
            "sets": request.sets,
            "modified_after": _tool_time(request.modified_after, earlier_s=policy.overlap_s),
            "modified_before": _tool_time(request.modified_before),
        }
    )


def _tool_time(at: datetime | None, *, earlier_s: int = 0) -> str | None:
    return None if at is None else (at - timedelta(seconds=earlier_s)).strftime(TOOL_TIME)
