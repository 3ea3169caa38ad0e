"""State ``EndTry``: end a try of the write stop and the cut that came to nothing, and make room for the next one."""

from math import ceil

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import Snapshots
from aerokeep.aws.vault import Runs
from aerokeep.model.consistency import Shortfall
from aerokeep.model.errors import NotReadyError
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.recovery_point import FailedTry
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.consistency import write_stop_s
from aerokeep.rules.second_try import BETWEEN_TRIES_S
from aerokeep.steps.shared.resuming import NOBODY, Resumer
from aerokeep.steps.shared.tries import ended_try, keep_try, reason_of
from aerokeep.steps.step import Clock, Meter, logger, step


class Output(Wire):
    """Whether the next try may begin."""

    done: bool
    wait_s: int
    run: RunRef
    """The run, in the next try once this one is over."""


def run(
    request: RunRef,
    *,
    runs: Runs,
    catalog: Catalog,
    resumer: Resumer,
    snapshots: Snapshots,
    clock: Clock,
    meter: Meter,
) -> Output:
    """Writes first, then the half-made sets of this try; looked at again until enough time has passed.

    Raises:
        NotReadyError: a host did not say that it has let go, and the operator's policy is to abort.
        ConflictError: the lock is lost.

    """
    ended = ended_try(request, runs)
    if ended is None:
        ended = _end(request, runs, resumer, meter)
        _delete_sets(request, catalog, snapshots)
        ended = ended.model_copy(update={"ended_at": clock()})
        keep_try(request, ended, runs)
        logger.warning("try ended", number=ended.number, reason=ended.reason, seconds=ended.write_stop_s)
    left_s = BETWEEN_TRIES_S - (clock() - ended.ended_at).total_seconds()
    if left_s > 0:
        return Output(done=False, wait_s=ceil(left_s), run=request)
    _delete_sets(request, catalog, snapshots)  # of an answer that was lost, the set may have been listed only now
    return Output(done=True, wait_s=0, run=request.on_try(request.try_number + 1))


def _end(request: RunRef, runs: Runs, resumer: Resumer, meter: Meter) -> FailedTry:
    plan = runs.read(request, "plan", BackupPlan)
    window = runs.find(request, request.of_try("window"), Window)
    # Every host says that nothing of this try holds it, and that nothing of it can begin any more.
    resumed = resumer.end(request, plan, window, tombstone=True) if window is not None else NOBODY
    reason, stopped_s = reason_of(request, window, runs), write_stop_s(resumed.evidence.values())
    if stopped_s is not None:
        meter.record(request.cluster, WriteStopSeconds=stopped_s)
    if resumed.unheard and plan.shortfall is Shortfall.ABORT:
        unheard = ", ".join(sorted(resumed.unheard))
        raise NotReadyError(f"{reason}; not tried again, since {unheard} did not confirm that writes flow")
    return FailedTry(
        number=request.try_number,
        reason=reason,
        ended_at=resumer.clock(),
        write_stop_s=stopped_s,
        unheard=resumed.unheard,
    )


def _delete_sets(request: RunRef, catalog: Catalog, snapshots: Snapshots) -> None:
    """Only what carries this run's tag and this try's: nothing else was made by it."""
    doomed = snapshots.of_try(request)
    if doomed:
        catalog.require(request)
    for snapshot in doomed:
        snapshots.delete(snapshot.id)
        logger.info("snapshot deleted", snapshot_id=snapshot.id)


handler = step(run)
