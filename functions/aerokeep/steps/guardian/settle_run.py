"""State ``SettleRun``: undo what a dead run left, or keep its cluster locked and page, by what its journey allows."""

from typing import assert_never

from aerokeep.aws.catalog import Catalog, lane_of
from aerokeep.aws.notices import Notices
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.dead_runs import Condition, Remedy, remedy
from aerokeep.steps.guardian.find_dead_runs import DeadRun
from aerokeep.steps.shared.abandoning import Abandoner
from aerokeep.steps.shared.abandoning_export import ExportAbandoner
from aerokeep.steps.shared.holders import Holders
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.step import Meter, logger, step


class Output(Wire):
    """What was done about one run."""

    run_id: str
    settled: bool = True
    remedy: Remedy | None
    """None: the lock is not this dead run's any more, so nothing was touched."""
    detail: str


def run(
    request: DeadRun,
    *,
    holders: Holders,
    abandoner: Abandoner,
    export_abandoner: ExportAbandoner,
    notices: Notices,
    meter: Meter,
) -> Output:
    """Look again, since a halted run may have been taken up meanwhile; then do what its journey allows."""
    dead = request.run
    catalog = holders.catalog
    standing = catalog.standing(dead.cluster, lane=lane_of(dead.journey))
    if standing is None or not _same_hold(standing.run, dead):
        return Output(run_id=dead.run_id, remedy=None, detail="the lock is not its own any more")
    chosen = remedy(dead.journey)
    verdict = holders.judge(standing, dead)
    told_before = chosen is Remedy.HALT and verdict.condition is Condition.HALTED
    if verdict.condition is not Condition.DEAD and not told_before:
        return Output(run_id=dead.run_id, remedy=None, detail=verdict.reason)
    logger.warning("dead run found", run=dead.run_id, journey=dead.journey, remedy=chosen, reason=request.reason)
    match chosen:
        case Remedy.ABANDON if dead.journey == "export":
            detail = export_abandoner.abandon(dead, reason=_found(request)).words
        case Remedy.ABANDON:
            detail = _abandon(request, abandoner)
        case Remedy.RELEASE:
            detail = "lock released" if release(dead, catalog) else "the lock was taken meanwhile"
        case Remedy.HALT:
            detail = _halt(request, catalog, notices)
        case _:
            assert_never(chosen)
    meter.record(dead.cluster, GuardianActions=1)
    return Output(run_id=dead.run_id, remedy=chosen, detail=detail)


def _same_hold(standing: RunRef, dead: RunRef) -> bool:
    """The same run under the same execution; halting it has raised its epoch, taking it up has changed its owner."""
    return (standing.run_id, standing.execution) == (dead.run_id, dead.execution)


def _found(request: DeadRun) -> str:
    return f"dead_run: found by the guardian: {request.reason}"


def _abandon(request: DeadRun, abandoner: Abandoner) -> str:
    done = abandoner.abandon(request.run, reason=_found(request))
    words = ["the point was committed and stays" if done.committed else "the point was abandoned"]
    if done.deleted:
        words.append(f"{len(done.deleted)} snapshots deleted")
    if done.still_stopping:
        words.append(f"not confirmed by {', '.join(done.still_stopping)}: the lease ends the write stop there")
    words.append("lock released" if done.released else "the lock was taken meanwhile")
    return "; ".join(words)


def _halt(request: DeadRun, catalog: Catalog, notices: Notices) -> str:
    """Told before it is halted: no later round looks at a halted lock. Who dies in between has it told twice."""
    dead = request.run
    reason = f"dead_run: {request.reason}, and nothing was undone"
    notices.publish(
        f"Aerokeep: {dead.journey} of {dead.cluster} is halted",
        f"The {dead.journey} {dead.run_id} of cluster {dead.cluster} ended in the middle ({request.reason}; "
        f"{dead.execution}). Nothing was touched: the cluster may be stopped, half done or closed to writes, and stays "
        f"locked. To go on, start the state machine of {dead.journey} with the same input again; what is done already "
        "is found and kept. Otherwise go on by the runbook.",
    )
    catalog.halt(dead, reason=reason)
    return reason


handler = step(run)
