"""State ``PlanExport``: cut the namespaces into parts, and refuse what can't succeed as asked."""

from aerokeep.aws.vault import Runs
from aerokeep.model.export import ClusterFound, Estimated, ExportOrder
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.export_plan import plan_export
from aerokeep.steps.step import logger, step


class Output(Wire):
    """The plan in numbers; all of it stands in the vault."""

    parts: int
    runners: tuple[str, ...]
    estimated_bytes: int
    notes: tuple[str, ...]


def run(request: RunRef, *, runs: Runs) -> Output:
    """Decide on what earlier steps wrote down; nobody is asked.

    Raises:
        RejectedError: it can't succeed as asked.

    """
    order = runs.read(request, "order", ExportOrder)
    found, estimated = runs.read(request, "cluster", ClusterFound), runs.read(request, "estimate", Estimated)
    stop = order.config.write_stop
    plan = plan_export(order.request, order.config.export, found, estimated, lease_s=min(stop.lease_s, stop.budget_s))
    runs.write(request, "plan", plan)
    logger.info("export planned", parts=len(plan.parts), estimated_bytes=plan.total_bytes)
    working = tuple(runner.instance_id for runner in plan.runners[: plan.width])
    return Output(parts=len(plan.parts), runners=working, estimated_bytes=plan.total_bytes, notes=plan.notes)


handler = step(run)
