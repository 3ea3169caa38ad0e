"""State ``RunImport``: have the runners restore the parts, and look how far they are."""

from aerokeep.aws.exports import Exports
from aerokeep.aws.vault import Runs
from aerokeep.model.import_ import ImportOrder, ImportPlan
from aerokeep.model.run import RunRef
from aerokeep.model.transfer_order import KeyOrder, Kind
from aerokeep.rules.import_plan import needed_mib, wanted_of
from aerokeep.steps.shared.ordering import base_order
from aerokeep.steps.shared.patience import pace_s
from aerokeep.steps.shared.transferring import Transferrer, Travelled, Wanted, travelled
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, exports: Exports, transferrer: Transferrer, clock: Clock) -> Travelled:
    """One look: the jobs go on by themselves, whoever dies here.

    Raises:
        AerokeepError: a part can't be restored.

    """
    order, plan = runs.read(request, "order", ImportOrder), runs.read(request, "plan", ImportPlan)
    policy, manifest = order.config.export, order.manifest
    base = base_order(request, Kind.IMPORT, policy, exports, server=plan.server)
    key = manifest.encryption
    changes = {
        "write": order.request.write,
        "extra_ttl_s": order.request.extra_ttl_s,
        "needed_mib": needed_mib(policy, wanted_of(order.request, manifest)),
        "encryption": None if key is None else KeyOrder(**key.model_dump(), check=manifest.key_check),
    }
    transfer = transferrer.look(
        request,
        Wanted(
            kind=Kind.IMPORT,
            parts=plan.parts,
            runners=plan.runners,
            width=plan.width,
            policy=policy,
            order=base.model_copy(update=changes),
            last=frozenset(part.name for part in plan.parts if part.metadata),
        ),
    )
    return travelled(transfer, wait_s=pace_s(transfer.begun_at, now=clock()))


handler = step(run)
