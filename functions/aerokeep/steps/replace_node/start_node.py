"""State ``StartNode``: start the node's server, cold, and wait until it has loaded."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import mark, marked
from aerokeep.steps.shared.patience import pace_s, since
from aerokeep.steps.shared.replacing import order_of, returned_of
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, catalog: Catalog, hosts: Hosts, clock: Clock) -> Progress:
    """The mark comes first: from now on nothing may be taken away from under the server.

    Raises:
        RejectedError: the server refused to start; with the last lines of its log.
        NotReadyError: it has not loaded by the deadline.

    """
    if marked(runs, request, "opening"):
        return Progress(done=True)  # a run that goes on: the settings of the first start are gone by now
    mark(runs, request, "starting", now=clock())
    began_at = since(runs, request, "start", now=clock())
    asker = Asker(request, runs=runs, catalog=catalog, hosts=hosts, clock=clock)
    ready = asker.until(
        "start",
        [returned_of(runs, request).instance_id],
        lambda _: {"Run": request.run_id, "Mode": "first"},
        accept=lambda body: body.get("state") == "ready",
        deadline_s=order_of(runs, request).config.replace.join_deadline_s,
    )
    return Progress(done=ready is not None, wait_s=pace_s(began_at, now=clock()))


handler = step(run)
