"""State ``StopWrites``: schedule the write stop on every node, and decide halfway to T0 between go and no-go."""

from secrets import token_hex

from aerokeep.aws.timings import Timings
from aerokeep.aws.vault import Runs
from aerokeep.model.consistency import Shortfall
from aerokeep.model.errors import NotReadyError, RejectedError, TransientError
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.run import RunRef
from aerokeep.model.timing import Timing
from aerokeep.rules.headroom import MOST_LEAD_S
from aerokeep.rules.second_try import Trouble, judge_another_try
from aerokeep.rules.window import plan_lease, plan_window
from aerokeep.steps.backup.acquire_lock import Order
from aerokeep.steps.shared.headroom import Headroom
from aerokeep.steps.shared.stopping import Stop, Stopper
from aerokeep.steps.shared.tries import former_tries
from aerokeep.steps.step import Clock, logger, step


def run(request: RunRef, *, runs: Runs, timings: Timings, headroom: Headroom, stopper: Stopper, clock: Clock) -> Stop:
    """Nobody is asked again after the decision, since CutSnapshots is then on its way.

    Raises:
        ConflictError: a host already holds another write stop.
        RejectedError: a host can never stop writes as asked, or the budget does not hold an ordinary cut.
        NotReadyError: not all hosts were armed in time, or the account's bucket does not hold the cut, and the
            operator's policy is to abort.

    """
    plan = runs.read(request, "plan", BackupPlan)
    if not plan.stop_writes:
        return Stop(go=False)
    settings = runs.read(request, "order", Order).config.write_stop
    lease = plan_lease(settings, history=_history(request, timings), nodes=len(plan.nodes))
    window = plan_window(lease, now=clock(), lead_s=settings.lead_s, token=token_hex(16))
    if lease.refusal is not None:
        if plan.shortfall is Shortfall.ABORT:
            raise RejectedError(lease.refusal)
        return stopper.call_off(request, window, lease.refusal)
    if (held := _perhaps_held(request, runs)) is not None:
        return stopper.call_off(request, window, held)
    lead_s = headroom.reserve(request, calls=len(plan.nodes), lease=lease, lead_s=settings.lead_s)
    if lead_s is None:
        return _no_headroom(request, plan, window, stopper)
    return stopper.stop(request, plan, lease, lead_s=lead_s)


def _no_headroom(request: RunRef, plan: BackupPlan, window: Window, stopper: Stopper) -> Stop:
    """Others may have finished in a while; who needs no barrier can cut one node after the other."""
    what = f"does not hold the cuts of {len(plan.nodes)} nodes at one instant within the next {MOST_LEAD_S:.0f} s"
    verdict = judge_another_try(request.try_number, [Trouble(where="CreateSnapshots", what=what, passing=True)])
    reason = f"no_headroom: {verdict.reason}: others in this account and Region take snapshots at the same time"
    stop = stopper.call_off(request, window.model_copy(update={"paced": True}), reason)
    if verdict.again:
        return stop.model_copy(update={"again": True})
    if plan.shortfall is Shortfall.ABORT:
        raise NotReadyError(f"{reason}: schedule this cluster at another time")
    return stop


def _history(request: RunRef, timings: Timings) -> list[Timing]:
    try:
        return timings.newest(request.cluster)
    except TransientError as error:
        logger.warning("no history of cuts could be read, so none is counted on", reason=str(error))
        return []


def _perhaps_held(request: RunRef, runs: Runs) -> str | None:
    """Where a host did not say that the former try is over, no other write stop is begun."""
    for former in former_tries(request, runs):
        if former.unheard:
            unheard = ", ".join(sorted(former.unheard))
            return f"{former.reason}; then {unheard} did not confirm that try {former.number} is over"
    return None


handler = step(run)
