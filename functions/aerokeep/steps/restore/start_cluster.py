"""State ``StartCluster``: start all servers at once, cold, with writes rejected, and wait until each has loaded."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import mark
from aerokeep.steps.shared.patience import pace_s, since
from aerokeep.steps.shared.restoring import order_of, placed_nodes
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, catalog: Catalog, hosts: Hosts, clock: Clock) -> Progress:
    """A server reads all of its volumes before it answers: each look asks again those that are still loading.

    Raises:
        RejectedError: a server refused to start; with the last lines of its log.
        NotReadyError: one has not loaded by the deadline.

    """
    mark(runs, request, "starting", now=clock())
    began_at = since(runs, request, "start", now=clock())
    asker = Asker(request, runs=runs, catalog=catalog, hosts=hosts, clock=clock)
    ready = asker.until(
        "start",
        placed_nodes(runs, request),
        lambda _: {"Run": request.run_id, "Mode": "first"},
        accept=lambda body: body.get("state") == "ready",
        deadline_s=order_of(runs, request).config.restore.start_deadline_s,
    )
    return Progress(done=ready is not None, wait_s=pace_s(began_at, now=clock()))


handler = step(run)
