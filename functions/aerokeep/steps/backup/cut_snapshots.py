"""State ``CutSnapshots``: one CreateSnapshots per node, all nodes at once, inside the window or not at all."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import TRY_TAG, Cutter, DoubtfulCutError, RefusedCutError, Snapshots
from aerokeep.aws.timings import Timings
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import NotReadyError
from aerokeep.model.plan import BackupPlan, NodePlan, Window
from aerokeep.model.recovery_point import Cut, NodeCut
from aerokeep.model.run import RunRef
from aerokeep.model.timing import Timing
from aerokeep.model.wire import Instant, Wire
from aerokeep.rules.plan import MOST_NODES_PER_BARRIER
from aerokeep.rules.second_try import Trouble, cut_may_succeed_later, judge_another_try
from aerokeep.rules.timing import slowest_s
from aerokeep.steps.shared.letting_go import let_go
from aerokeep.steps.shared.tries import keep_reason
from aerokeep.steps.step import Clock, logger, step

WARM_S = 2.0
"""So long before T0 each connection is used once more."""
PACED_PER_S = 4.0
"""A little less than the bucket's refill of 5 a second: others take from it too."""
BUSY_S = 60
"""How long after its last instant this function may still be waiting for answers of AWS."""
LOOKUP_TRIES = 5
"""A set that was just made may not be listed yet; looks are a second apart."""


class Output(Wire):
    """What was cut; the ids stand in the vault."""

    snapshots: int
    spread_s: float
    """From the first request to the last response."""
    again: bool = False
    """Not every node was cut: this try is over, and another one follows."""


class Uncut(Wire):
    """A node without a set, as far as is known."""

    instance_id: str
    requested_at: Instant
    reason: str
    passing: bool
    """It may go better in a minute."""
    doubtful: bool = False
    """The set may exist all the same."""
    waited_until: Instant | None = None
    """When an answer was no longer waited for; None where there was one, or no request at all."""


def run(
    request: RunRef,
    *,
    runs: Runs,
    catalog: Catalog,
    timings: Timings,
    cutter: Cutter,
    snapshots: Snapshots,
    clock: Clock,
) -> Output:
    """Warm up, wait for the planned instant, cut every node in parallel, and write down when.

    Raises:
        NotReadyError: too late for the window, cut already, or a node's cut failed and that is not tried again. Nothing
            is retried here: two sets would result, and a new try is a decision with a budget of its own.

    """
    plan = runs.read(request, "plan", BackupPlan)
    planned = runs.find(request, request.of_try("window"), Window) if plan.stop_writes else None
    window = planned if planned is not None and planned.go else None
    at_once = 0 if planned is not None and planned.paced else MOST_NODES_PER_BARRIER
    pacing_s = max(0, len(plan.nodes) - at_once) / PACED_PER_S
    last_at = window.end_at if window else clock() + timedelta(seconds=pacing_s)
    catalog.require(request, busy_until=last_at + timedelta(seconds=BUSY_S))
    if snapshots.of_try(request):
        raise NotReadyError(f"already_cut: snapshots of run {request.run_id} exist: start a new backup")
    outcomes: list[NodeCut | Uncut] = []
    try:
        if window is None:
            outcomes = _cut_one_by_one(plan, request, cutter, clock, at_once=at_once)
        else:
            outcomes = cut_together(plan, request, cutter, catalog, clock, window)
        cuts, uncut = _sorted(plan, outcomes, request, snapshots, clock)
        if window is not None and not uncut:
            time.sleep(window.hold_on_s)
    finally:
        if window is not None:
            let_go(request, window, runs)
            _remember(request, outcomes, timings)
    if uncut:
        return _uncut(request, uncut.values(), runs)
    cut = Cut(nodes=tuple(cuts[node.instance_id] for node in plan.nodes))
    runs.write(request, "cut", cut)
    spread_s = (cut.last_response - cut.first_request).total_seconds()
    logger.info("snapshots cut", snapshots=len(cut.snapshot_ids), spread_s=spread_s)
    return Output(snapshots=len(cut.snapshot_ids), spread_s=spread_s)


def _sorted(
    plan: BackupPlan, outcomes: Iterable[NodeCut | Uncut], request: RunRef, snapshots: Snapshots, clock: Clock
) -> tuple[dict[str, NodeCut], dict[str, Uncut]]:
    """Who was cut and who was not, by instance id; a set whose answer was lost counts if it is there."""
    cuts = {outcome.instance_id: outcome for outcome in outcomes if isinstance(outcome, NodeCut)}
    uncut = {outcome.instance_id: outcome for outcome in outcomes if isinstance(outcome, Uncut)}
    for found in _look_up(plan, list(uncut.values()), request, snapshots, clock):
        cuts[found.instance_id] = found
        del uncut[found.instance_id]
    return cuts, uncut


def _uncut(request: RunRef, uncut: Iterable[Uncut], runs: Runs) -> Output:
    """A set that is not whole is none: judge another try."""
    troubles = [Trouble(where=one.instance_id, what=one.reason, passing=one.passing) for one in uncut]
    verdict = judge_another_try(request.try_number, troubles)
    if not verdict.again:
        raise NotReadyError(f"cut_failed: {verdict.reason}")
    logger.warning("cut failed", reason=verdict.reason)
    keep_reason(request, f"cut_failed: {verdict.reason}", runs)
    return Output(snapshots=0, spread_s=0.0, again=True)


def _remember(request: RunRef, outcomes: Sequence[NodeCut | Uncut], timings: Timings) -> None:
    """Whatever becomes of this run, later ones are planned from it; an answer that never came took at least so long."""
    calls = [
        (outcome.requested_at, outcome.responded_at if isinstance(outcome, NodeCut) else outcome.waited_until)
        for outcome in outcomes
    ]
    slowest = slowest_s((asked, answered) for asked, answered in calls if answered is not None)
    if (trouble := timings.record(request, Timing(slowest_cut_s=slowest))) is not None:
        logger.warning("timing not kept", reason=trouble)


def tags_of(request: RunRef) -> Mapping[str, str]:
    """What every snapshot carries from its first moment: enough to find every orphan."""
    return {
        "aerokeep:cluster": request.cluster,
        "aerokeep:point": request.point_id,
        "aerokeep:run": request.run_id,
        TRY_TAG: str(request.try_number),
    }


def _cut_one_by_one(
    plan: BackupPlan, request: RunRef, cutter: Cutter, clock: Clock, *, at_once: int
) -> list[NodeCut | Uncut]:
    """No cut waits for another, so those beyond the first are spread: CreateSnapshots has a bucket (aws.md §A3)."""
    with ThreadPoolExecutor(max_workers=min(len(plan.nodes), MOST_NODES_PER_BARRIER)) as pool:
        paced = _paced(plan.nodes, at_once=at_once)
        return list(pool.map(lambda node: _cut_node(node, request, cutter, clock, None), paced))


def _paced(nodes: Sequence[NodePlan], *, at_once: int) -> Iterator[NodePlan]:
    for number, node in enumerate(nodes):
        if number >= at_once:
            time.sleep(1 / PACED_PER_S)
        yield node


def cut_together(
    plan: BackupPlan, request: RunRef, cutter: Cutter, catalog: Catalog, clock: Clock, window: Window
) -> list[NodeCut | Uncut]:
    """All nodes at the planned instant, each by a connection that was opened before."""
    warm_at = window.start_at - timedelta(seconds=WARM_S)
    cutter.prepare([node.instance_id for node in plan.nodes], may_go_on=lambda: clock() < warm_at)
    # Twice as many threads as cuts: a connection that hangs while it is warmed must keep no cut waiting.
    pool = ThreadPoolExecutor(max_workers=2 * len(plan.nodes))
    try:
        _warm(plan, cutter, pool, clock, until=warm_at)
        _wait_until(warm_at, clock)
        _warm(plan, cutter, pool, clock, until=window.start_at)  # what was idle for half a minute may be closed
        _wait_until(window.start_at, clock)
        catalog.require(request)  # a minute may have passed; the hosts are still flushing, so this costs no time
        _wait_until(window.cut_at, clock)
        return list(pool.map(lambda node: _cut_node(node, request, cutter, clock, window.cut_deadline), plan.nodes))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _warm(plan: BackupPlan, cutter: Cutter, pool: Executor, clock: Clock, *, until: datetime) -> None:
    warming = [pool.submit(cutter.warm, node.instance_id) for node in plan.nodes]
    wait(warming, timeout=max(0.0, (until - clock()).total_seconds()))
    troubles = [trouble for one in warming if one.done() and (trouble := one.result()) is not None]
    if cold := sum(not one.done() for one in warming) + len(troubles):
        logger.warning("connections not warmed", connections=cold, reasons=troubles[:3])


def _wait_until(instant: datetime, clock: Clock) -> None:
    while (left_s := (instant - clock()).total_seconds()) > 0:
        time.sleep(min(left_s, 0.5))


def _cut_node(
    node: NodePlan, request: RunRef, cutter: Cutter, clock: Clock, deadline: datetime | None
) -> NodeCut | Uncut:
    requested_at = clock()
    uncut = Uncut(instance_id=node.instance_id, requested_at=requested_at, reason="", passing=True)
    if deadline is not None and requested_at > deadline:
        late_s = (requested_at - deadline).total_seconds()
        return uncut.model_copy(update={"reason": f"cut_late: {late_s:.1f} s past the window's last instant"})
    try:
        taken = cutter.cut(node, tags=tags_of(request))
    except RefusedCutError as error:
        return uncut.model_copy(update={"reason": str(error), "passing": cut_may_succeed_later(error.code)})
    except DoubtfulCutError as error:
        waited_until = None if error.answered else clock()
        return uncut.model_copy(update={"reason": str(error), "doubtful": True, "waited_until": waited_until})
    return NodeCut(
        instance_id=node.instance_id,
        node_id=node.node_id,
        requested_at=requested_at,
        responded_at=clock(),
        snapshots=taken,
    )


def _look_up(
    plan: BackupPlan, uncut: Sequence[Uncut], request: RunRef, snapshots: Snapshots, clock: Clock
) -> list[NodeCut]:
    """Find by tag the sets whose answers were lost; the time of the look-up is the only safe end of such a cut.

    Where a node certainly has no set, the others' don't matter, and writes are still stopped.
    """
    if not all(one.doubtful for one in uncut):
        return []
    nodes = {node.instance_id: node for node in plan.nodes}
    found: dict[str, NodeCut] = {}
    for _ in range(LOOKUP_TRIES if uncut else 0):
        by_volume = {snapshot.volume_id: snapshot.id for snapshot in snapshots.of_try(request)}
        for one in uncut:
            node = nodes[one.instance_id]
            if node.volume_ids <= by_volume.keys():
                found[one.instance_id] = NodeCut(
                    instance_id=node.instance_id,
                    node_id=node.node_id,
                    requested_at=one.requested_at,
                    responded_at=clock(),
                    snapshots={volume: by_volume[volume] for volume in node.volume_ids},
                )
        if len(found) == len(uncut):
            break
        time.sleep(1)
    return list(found.values())


handler = step(run)
