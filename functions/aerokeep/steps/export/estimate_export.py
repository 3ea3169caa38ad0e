"""State ``EstimateExport``: let the tool sample each namespace, for the size of the upload, the room and the lease."""

from aerokeep.aws.exports import Exports
from aerokeep.aws.vault import Runs
from aerokeep.model.export import ClusterFound, Estimated, ExportOrder, Live
from aerokeep.model.run import RunRef
from aerokeep.model.transfer import Transfer
from aerokeep.model.transfer_order import Compression, Kind, Mode, PartOrder
from aerokeep.rules.export_plan import wanted_namespaces
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.ordering import base_order, selected
from aerokeep.steps.shared.patience import pace_s
from aerokeep.steps.shared.transferring import Transferrer, Wanted
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, exports: Exports, transferrer: Transferrer, clock: Clock) -> Progress:
    """One short job on the best runner; a namespace without records has nothing to sample.

    Raises:
        AerokeepError: the tool could not do it.

    """
    order, found = runs.read(request, "order", ExportOrder), runs.read(request, "cluster", ClusterFound)
    wanted = [live for live in wanted_namespaces(order.request, found) if live.master_objects]
    # A sample is read and thrown away: room, key and compression are the export's own affair.
    own = {"mode": Mode.STREAM, "encryption": None, "compression": Compression.NONE}
    policy = order.config.export.model_copy(update=own)
    base = base_order(request, Kind.ESTIMATE, policy, exports, server=found.server)
    transfer = transferrer.look(
        request,
        Wanted(
            kind=Kind.ESTIMATE,
            parts=tuple(PartOrder(name=live.namespace, namespace=live.namespace) for live in wanted),
            runners=found.runners,
            width=1,
            policy=policy,
            order=selected(base, order.request, policy),
        ),
    )
    if not transfer.done:
        return Progress(done=False, wait_s=pace_s(transfer.begun_at, now=clock(), first_s=2))
    runs.write(request, "estimate", _estimated(wanted, transfer))
    return Progress(done=True)


def _estimated(wanted: list[Live], transfer: Transfer) -> Estimated:
    told = {part.name: part.status.estimate for part in transfer.parts if part.status is not None}
    sizes = {name: estimate.record_bytes for name, estimate in told.items() if estimate is not None}
    total = sum(live.master_objects * sizes.get(live.namespace, 0) for live in wanted)
    return Estimated(record_bytes=sizes, total_bytes=total)


handler = step(run)
