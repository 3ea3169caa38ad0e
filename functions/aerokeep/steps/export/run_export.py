"""State ``RunExport``: have the runners export the parts, and look how far they are."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.exports import Exports
from aerokeep.aws.vault import Runs
from aerokeep.model.export import ExportOrder, ExportPlan
from aerokeep.model.plan import Window
from aerokeep.model.run import RunRef
from aerokeep.model.transfer_order import Kind
from aerokeep.rules.export_plan import GUARD_MARGIN_S, needed_mib
from aerokeep.steps.shared.ordering import base_order, selected
from aerokeep.steps.shared.patience import pace_s
from aerokeep.steps.shared.transferring import Transferrer, Travelled, Wanted, travelled
from aerokeep.steps.shared.yielding import CHANGING, require_quiet
from aerokeep.steps.step import Clock, step

SOON_S = 2
"""Under the guard every second counts."""


def run(
    request: RunRef, *, runs: Runs, catalog: Catalog, exports: Exports, transferrer: Transferrer, clock: Clock
) -> Travelled:
    """One look: the jobs go on by themselves, whoever dies here.

    Raises:
        ConflictError: the cluster is being put together, and an export would mix two timelines of it.
        AerokeepError: a part can't be exported.

    """
    require_quiet(request.cluster, catalog, among=CHANGING)
    order, plan = runs.read(request, "order", ExportOrder), runs.read(request, "plan", ExportPlan)
    policy = order.config.export
    base = base_order(request, Kind.EXPORT, policy, exports, server=plan.server)
    changes: dict[str, object] = {"needed_mib": needed_mib(policy, plan.total_bytes)}
    window = runs.find(request, "window", Window)
    if window is not None:
        margin_s = GUARD_MARGIN_S / 2
        changes |= {
            "begin_at": window.start_at.timestamp() + margin_s,
            "end_at": window.end_at.timestamp() - margin_s,
        }
    transfer = transferrer.look(
        request,
        Wanted(
            kind=Kind.EXPORT,
            parts=plan.parts,
            runners=plan.runners,
            width=plan.width,
            # What is late for the guard can't be tried again under it.
            policy=policy if window is None else policy.model_copy(update={"tries": 1}),
            order=selected(base, order.request, policy).model_copy(update=changes),
        ),
    )
    wait_s = pace_s(transfer.begun_at, now=clock()) if window is None else SOON_S
    return travelled(transfer, wait_s=wait_s)


handler = step(run)
