"""State ``PlanBackup``: decide from surveys and EC2's view whether and how the cluster is backed up."""

from aerokeep.aws.vault import Runs
from aerokeep.model.errors import RejectedError
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.plan import judge_plan
from aerokeep.steps.backup.acquire_lock import Order
from aerokeep.steps.backup.discover_cluster import Found, Surveys
from aerokeep.steps.step import step


class Output(Wire):
    """A summary for the console; the plan itself stands in the vault."""

    nodes: int
    volumes: int
    namespaces: tuple[str, ...]
    stop_writes: bool
    notes: tuple[str, ...]


def run(request: RunRef, *, runs: Runs) -> Output:
    """Judge everything at once and write the plan down.

    Raises:
        RejectedError: with every reason, if there is any.

    """
    order = runs.read(request, "order", Order)
    found = runs.read(request, "found", Found)
    verdict = judge_plan(
        order.config,
        instances={instance.instance_id: instance for instance in found.instances},
        surveys=runs.read(request, "surveys", Surveys).surveys,
        consistency=order.request.consistency,
        shortfall=order.request.shortfall,
    )
    if verdict.plan is None:
        raise RejectedError(verdict.message)
    runs.write(request, "plan", verdict.plan)
    return Output(
        nodes=len(verdict.plan.nodes),
        volumes=sum(len(node.volumes) for node in verdict.plan.nodes),
        namespaces=verdict.plan.namespaces,
        stop_writes=verdict.plan.stop_writes,
        notes=verdict.plan.notes[:10],
    )


handler = step(run)
