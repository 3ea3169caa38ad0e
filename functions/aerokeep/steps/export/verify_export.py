"""State ``VerifyExport``: prove that the vault holds what the tool says that it wrote."""

from functools import reduce
from random import Random

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.exports import Exports
from aerokeep.aws.vault import Runs
from aerokeep.model.cluster import Verification
from aerokeep.model.export import ExportOrder, ExportPlan
from aerokeep.model.run import RunRef
from aerokeep.model.transfer import Compared, Transfer
from aerokeep.model.transfer_order import Kind, Listing, PartOrder, Sample
from aerokeep.model.wire import Wire
from aerokeep.rules.export_plan import PARTITIONS
from aerokeep.rules.exported import exported_parts, require_read_back, require_sizes
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.ordering import base_order, selected
from aerokeep.steps.shared.patience import pace_s
from aerokeep.steps.shared.transferring import Transferrer, Wanted, key_of
from aerokeep.steps.step import Clock, step


class Verified(Wire):
    """How it was verified."""

    method: str
    """``tool``, ``parse`` or ``sizes``."""
    sample: Compared | None = None


def run(
    request: RunRef, *, runs: Runs, catalog: Catalog, exports: Exports, transferrer: Transferrer, clock: Clock
) -> Progress:
    """Sizes by the vault itself; then, unless sizes are enough, every file is read back on a runner.

    Raises:
        CorruptError: the vault holds something else.
        AerokeepError: it can't be read back.

    """
    catalog.require(request)
    order, plan = runs.read(request, "order", ExportOrder), runs.read(request, "plan", ExportPlan)
    transfer = runs.read(request, key_of(Kind.EXPORT), Transfer)
    policy = order.config.export
    if runs.find(request, key_of(Kind.VERIFY), Transfer) is None:
        _check_sizes(request, transfer, exports)
    if policy.verify is Verification.SIZES and not order.request.sample_partitions:
        runs.write(request, "verified", Verified(method="sizes"))
        return Progress(done=True)
    base = base_order(request, Kind.VERIFY, policy, exports, server=plan.server)
    verified = transferrer.look(
        request,
        Wanted(
            kind=Kind.VERIFY,
            parts=_written(plan, transfer),
            runners=plan.runners,
            width=plan.width,
            policy=policy,
            # A sample is read under the same filters as the export was.
            order=selected(base, order.request, policy).model_copy(update={"sample": _sample(order, request)}),
        ),
    )
    if not verified.done:
        return Progress(done=False, wait_s=pace_s(verified.begun_at, now=clock()))
    require_read_back(transfer, verified, of_sets=bool(order.request.sets))
    methods = {part.status.method for part in verified.parts if part.status is not None and part.status.method}
    runs.write(request, "verified", Verified(method=", ".join(sorted(methods)), sample=_compared(verified)))
    return Progress(done=True)


def _compared(verified: Transfer) -> Compared | None:
    told = [part.status.sample for part in verified.parts if part.status is not None and part.status.sample is not None]
    return reduce(Compared.plus, told) if told else None


def _check_sizes(request: RunRef, transfer: Transfer, exports: Exports) -> None:
    stored = exports.sizes(request.cluster, request.run_id)
    for name, (_, listing, _) in exported_parts(transfer).items():
        listed = exports.listing(Listing(key=listing.key, sha256=listing.sha256))
        require_sizes(name, {file.key: file.size for file in listed}, stored)


def _written(plan: ExportPlan, transfer: Transfer) -> tuple[PartOrder, ...]:
    told = exported_parts(transfer)
    return tuple(
        part.model_copy(
            update={
                "target": part.namespace,
                "listing": Listing(key=told[part.name][1].key, sha256=told[part.name][1].sha256),
            }
        )
        for part in plan.parts
    )


def _sample(order: ExportOrder, run: RunRef) -> Sample | None:
    """The same for every look of a run, another one for the next."""
    count = order.request.sample_partitions
    chosen = Random(run.run_id).sample(range(PARTITIONS), count)  # noqa: S311  # nothing secret hangs on it
    return Sample(partitions=tuple(sorted(chosen))) if count else None


handler = step(run)
