"""State ``AbandonPoint``: after any failure, resume writes, give the point up for good, and let the cluster go."""

from typing import Any

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import Snapshots
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Points, Runs
from aerokeep.model.errors import AerokeepError, TransientError
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.recovery_point import Abandonment, Manifest
from aerokeep.model.run import Failure, RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.shared.resuming import after_the_lease, resume_writes
from aerokeep.steps.step import Clock, logger, step


class Input(Wire):
    """The raw execution input is enough: the lock knows the run, even if its first state died after its effect."""

    request: dict[str, Any]
    execution: str
    failure: Failure


class Output(Wire):
    """What was undone."""

    held: bool
    """False: this execution never held the cluster, so there was nothing to undo."""
    committed: bool
    """True: the point had been committed before the failure; it stays."""
    still_stopping: tuple[str, ...]
    """Instances that did not confirm that writes flow; their lease ends by itself."""
    deleted: tuple[str, ...]
    message: str
    """What had gone wrong: the execution's cause, as people read it."""


def run(
    request: Input,
    *,
    runs: Runs,
    points: Points,
    catalog: Catalog,
    hosts: Hosts,
    snapshots: Snapshots,
    clock: Clock,
) -> Output:
    """Writes first, then the point, then the lock; every part can be done twice."""
    held = catalog.lock(str(request.request.get("cluster", "")))
    if held is None or held.execution != request.execution:
        return Output(held=False, committed=False, still_stopping=(), deleted=(), message=request.failure.message)
    still = _resume(held, runs, hosts, clock)
    reason = request.failure.reason[:1000]
    standing = points.settle(
        held,
        Abandonment(point_id=held.point_id, execution=held.execution, abandoned_at=clock(), reason=reason),
    )
    committed = isinstance(standing, Manifest)
    deleted = () if committed else _delete_snapshots(held, snapshots)
    if not committed:
        catalog.record(held, state="abandoned", details={"reason": reason})
    release(held, catalog)
    return Output(
        held=True, committed=committed, still_stopping=still, deleted=deleted, message=request.failure.message
    )


def _resume(run: RunRef, runs: Runs, hosts: Hosts, clock: Clock) -> tuple[str, ...]:
    """A tombstone goes to every node once a stop was intended, also where none is known to have begun."""
    window, plan = runs.find(run, "window", Window), runs.find(run, "plan", BackupPlan)
    if window is None or plan is None:
        return ()
    try:
        until = after_the_lease(window, now=clock())
        resumed = resume_writes(run, plan, until=until, hosts=hosts, clock=clock, tombstone=True)
    except TransientError:
        raise  # worth another try before anything else is done
    except AerokeepError as error:
        # The leases end the stop by themselves; that the hosts can't be told must not keep the cluster locked.
        logger.exception("hosts could not be told to resume", reason=str(error))
        return tuple(node.instance_id for node in plan.nodes)
    return tuple(resumed.unheard)


def _delete_snapshots(run: RunRef, snapshots: Snapshots) -> tuple[str, ...]:
    """Only what carries this run's tag: nothing else was made by it."""
    doomed = tuple(snapshot.id for snapshot in snapshots.of_run(run.run_id))
    for snapshot_id in doomed:
        snapshots.delete(snapshot_id)
        logger.info("snapshot deleted", snapshot_id=snapshot_id)
    return doomed


handler = step(run)
