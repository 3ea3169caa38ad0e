"""State ``PlanImport``: judge what would be written where; a dry run ends with it."""

from aerokeep.aws.vault import Runs
from aerokeep.model.import_ import ImportOrder, ImportPlan, TargetsFound
from aerokeep.model.run import RunRef
from aerokeep.model.transfer import Transfer
from aerokeep.model.transfer_order import Kind
from aerokeep.model.wire import Wire
from aerokeep.rules.import_plan import plan_import
from aerokeep.steps.shared.transferring import key_of
from aerokeep.steps.step import step


class Output(Wire):
    """The plan in numbers; all of it stands in the vault."""

    export: str
    records: int
    parts: int
    existing: dict[str, int]
    runners: tuple[str, ...]
    notes: tuple[str, ...]


def run(request: RunRef, *, runs: Runs) -> Output:
    """A run that goes on keeps its plan: what it has written itself is no reason against it.

    Raises:
        RejectedError: it can't be imported as asked, with all reasons.

    """
    order = runs.read(request, "order", ImportOrder)
    plan = runs.find(request, "plan", ImportPlan)
    if plan is None or runs.find(request, key_of(Kind.IMPORT), Transfer) is None:
        found = runs.read(request, "cluster", TargetsFound)
        plan = plan_import(order.request, order.config.export, order.manifest, found)
        runs.write(request, "plan", plan)
    return Output(
        export=plan.export_id,
        records=sum(plan.records.values()),
        parts=len(plan.parts),
        existing=plan.existing,
        runners=tuple(runner.instance_id for runner in plan.runners[: plan.width]),
        notes=plan.notes,
    )


handler = step(run)
