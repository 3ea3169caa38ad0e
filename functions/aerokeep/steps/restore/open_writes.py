"""State ``OpenWrites``: take the first-start settings away on every node, and have each prove that it did."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import mark
from aerokeep.steps.shared.restoring import placed_nodes, plan_of
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.step import Clock, step

OPEN_DEADLINE_S = 600


def run(request: RunRef, *, runs: Runs, catalog: Catalog, hosts: Hosts, clock: Clock) -> Progress:
    """The mark comes first: once one node may take writes, there is no way back to the old volumes.

    Raises:
        RejectedError: a host found settings that would lose data at its next start.
        NotReadyError: a host did not prove it in time.

    """
    mark(runs, request, "opening", now=clock())
    plan = plan_of(runs, request)
    parameters = {"Run": request.run_id, "Namespaces": ",".join((*plan.namespaces, *plan.not_saved))}
    asker = Asker(request, runs=runs, catalog=catalog, hosts=hosts, clock=clock)
    opened = asker.until(
        "open-writes",
        placed_nodes(runs, request),
        lambda _: parameters,
        accept=lambda body: body.get("open") is True,
        deadline_s=OPEN_DEADLINE_S,
    )
    return Progress(done=opened is not None)


handler = step(run)
