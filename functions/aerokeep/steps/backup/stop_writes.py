"""State ``StopWrites``: schedule the write stop on every node, and decide halfway to T0 between go and no-go."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.plan import BackupPlan
from aerokeep.model.run import RunRef
from aerokeep.steps.backup.acquire_lock import Order
from aerokeep.steps.shared.stopping import Stop, stop_writes
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, catalog: Catalog, hosts: Hosts, clock: Clock) -> Stop:
    """Nobody is asked again after the decision, since CutSnapshots is then on its way.

    Raises:
        ConflictError: a host already holds another write stop.
        RejectedError: a host can never stop writes as asked.
        NotReadyError: not all hosts were armed in time, and the operator's policy is to abort.

    """
    plan = runs.read(request, "plan", BackupPlan)
    if not plan.stop_writes:
        return Stop(go=False, start_at=None, end_at=None)
    settings = runs.read(request, "order", Order).config.write_stop
    return stop_writes(request, plan, settings, runs=runs, catalog=catalog, hosts=hosts, clock=clock)


handler = step(run)
