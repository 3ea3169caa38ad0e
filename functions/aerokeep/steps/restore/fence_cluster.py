"""State ``FenceCluster``: stop every server cleanly, and make sure that none can start again by itself."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import mark
from aerokeep.steps.shared.restoring import placed_nodes, stop_parameters
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.step import Clock, step

STOP_DEADLINE_S = 900
"""systemd kills a server that has not stopped after ten minutes (aerospike.md §B); that one then counts as unclean."""


def run(request: RunRef, *, runs: Runs, catalog: Catalog, hosts: Hosts, clock: Clock) -> Progress:
    """All at once, so that no two timelines of the cluster ever run beside each other.

    Raises:
        RejectedError: a host refused.
        NotReadyError: a server did not stop in time.

    """
    mark(runs, request, "fencing", now=clock())
    nodes = placed_nodes(runs, request)
    asker = Asker(request, runs=runs, catalog=catalog, hosts=hosts, clock=clock)
    stopped = asker.until(
        "stop",
        nodes,
        lambda instance_id: stop_parameters(request, nodes[instance_id]),
        accept=lambda body: body.get("state") == "stopped",
        deadline_s=STOP_DEADLINE_S,
    )
    return Progress(done=stopped is not None)


handler = step(run)
