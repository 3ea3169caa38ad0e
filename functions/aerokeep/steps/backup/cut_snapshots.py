"""State ``CutSnapshots``: one CreateSnapshots per node, all nodes at once, inside the window or not at all."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import Cutter, DoubtfulCutError, RefusedCutError, Snapshots
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import NotReadyError
from aerokeep.model.plan import BackupPlan, NodePlan, Window
from aerokeep.model.recovery_point import Cut, NodeCut
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Instant, Wire
from aerokeep.rules.plan import MOST_NODES_PER_BARRIER
from aerokeep.steps.shared.letting_go import let_go
from aerokeep.steps.step import Clock, logger, step

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


class Uncut(Wire):
    """A node without a clear answer."""

    instance_id: str
    requested_at: Instant
    reason: str
    doubtful: bool
    """The set may exist all the same."""


def run(request: RunRef, *, runs: Runs, catalog: Catalog, cutter: Cutter, snapshots: Snapshots, clock: Clock) -> Output:
    """Warm up, wait for the planned instant, cut every node in parallel, and write down when.

    Raises:
        NotReadyError: too late for the window, cut already, or a node's cut failed. Nothing is retried here: two sets
            would result, and a new try is a decision with a budget of its own.

    """
    plan = runs.read(request, "plan", BackupPlan)
    window = runs.find(request, "window", Window) if plan.stop_writes else None
    window = window if window is not None and window.go else None
    last_at = window.end_at if window else clock() + timedelta(seconds=_pacing_s(plan))
    catalog.require(request, busy_until=last_at + timedelta(seconds=BUSY_S))
    if snapshots.of_run(request.run_id):
        raise NotReadyError(f"already_cut: snapshots of run {request.run_id} exist: start a new backup")
    try:
        cuts, uncut = _cut_or_look_up(plan, request, cutter, snapshots, catalog, clock, window)
        if window is not None and not uncut:
            time.sleep(window.hold_on_s)
    finally:
        if window is not None:
            let_go(request, window, runs)
    if uncut:
        raise NotReadyError(f"cut_failed: {'; '.join(f'{i}: {u.reason}' for i, u in sorted(uncut.items()))}")
    cut = Cut(nodes=tuple(cuts[node.instance_id] for node in plan.nodes))
    runs.write(request, "cut", cut)
    spread_s = (cut.last_response - cut.first_request).total_seconds()
    logger.info("snapshots cut", snapshots=len(cut.snapshot_ids), spread_s=spread_s)
    return Output(snapshots=len(cut.snapshot_ids), spread_s=spread_s)


def _cut_or_look_up(
    plan: BackupPlan,
    request: RunRef,
    cutter: Cutter,
    snapshots: Snapshots,
    catalog: Catalog,
    clock: Clock,
    window: Window | None,
) -> tuple[dict[str, NodeCut], dict[str, Uncut]]:
    """Cut every node; whose answer was lost is looked up, and counts as cut if its set is there."""
    outcomes = _cut_all(plan, request, cutter, catalog, clock, window)
    cuts = {outcome.instance_id: outcome for outcome in outcomes if isinstance(outcome, NodeCut)}
    uncut = {outcome.instance_id: outcome for outcome in outcomes if isinstance(outcome, Uncut)}
    for found in _look_up(plan, [u for u in uncut.values() if u.doubtful], request, snapshots, clock):
        cuts[found.instance_id] = found
        del uncut[found.instance_id]
    return cuts, uncut


def tags_of(request: RunRef) -> Mapping[str, str]:
    """What every snapshot carries from its first moment: enough to find every orphan."""
    return {
        "aerokeep:cluster": request.cluster,
        "aerokeep:point": request.point_id,
        "aerokeep:run": request.run_id,
    }


def _cut_all(
    plan: BackupPlan, request: RunRef, cutter: Cutter, catalog: Catalog, clock: Clock, window: Window | None
) -> list[NodeCut | Uncut]:
    def cut(node: NodePlan) -> NodeCut | Uncut:
        return _cut_node(node, request, cutter, clock, window.cut_deadline if window else None)

    with ThreadPoolExecutor(max_workers=min(len(plan.nodes), MOST_NODES_PER_BARRIER)) as pool:
        if window is None:
            return list(pool.map(cut, _paced(plan.nodes)))
        list(pool.map(lambda node: cutter.warm(node.instance_id), plan.nodes))
        _wait_until(window.start_at, clock)
        catalog.require(request)  # a minute may have passed; the hosts are still flushing, so this costs no time
        _wait_until(window.cut_at, clock)
        return list(pool.map(cut, plan.nodes))


def _pacing_s(plan: BackupPlan) -> float:
    return max(0, len(plan.nodes) - MOST_NODES_PER_BARRIER) / PACED_PER_S


def _paced(nodes: Sequence[NodePlan]) -> Iterator[NodePlan]:
    """Where no cut waits for another, a large cluster's are spread: CreateSnapshots has a bucket (aws.md §A3)."""
    for number, node in enumerate(nodes):
        if number >= MOST_NODES_PER_BARRIER:
            time.sleep(1 / PACED_PER_S)
        yield node


def _wait_until(instant: datetime, clock: Clock) -> None:
    while (left_s := (instant - clock()).total_seconds()) > 0:
        time.sleep(min(left_s, 0.5))


def _cut_node(
    node: NodePlan, request: RunRef, cutter: Cutter, clock: Clock, deadline: datetime | None
) -> NodeCut | Uncut:
    requested_at = clock()

    def uncut(reason: str, *, doubtful: bool = False) -> Uncut:
        return Uncut(instance_id=node.instance_id, requested_at=requested_at, reason=reason, doubtful=doubtful)

    if deadline is not None and requested_at > deadline:
        return uncut(f"cut_late: {(requested_at - deadline).total_seconds():.1f} s past the window's last instant")
    try:
        taken = cutter.cut(node, tags=tags_of(request))
    except RefusedCutError as error:
        return uncut(str(error))
    except DoubtfulCutError as error:
        return uncut(str(error), doubtful=True)
    return NodeCut(
        instance_id=node.instance_id,
        node_id=node.node_id,
        requested_at=requested_at,
        responded_at=clock(),
        snapshots=taken,
    )


def _look_up(
    plan: BackupPlan, doubtful: Sequence[Uncut], request: RunRef, snapshots: Snapshots, clock: Clock
) -> list[NodeCut]:
    """Find by tag the sets whose answers were lost; the time of the look-up is the only safe end of such a cut."""
    nodes = {node.instance_id: node for node in plan.nodes}
    found: dict[str, NodeCut] = {}
    for _ in range(LOOKUP_TRIES if doubtful else 0):
        by_volume = {snapshot.volume_id: snapshot.id for snapshot in snapshots.of_run(request.run_id)}
        for uncut in doubtful:
            node = nodes[uncut.instance_id]
            if node.volume_ids <= by_volume.keys():
                found[uncut.instance_id] = NodeCut(
                    instance_id=node.instance_id,
                    node_id=node.node_id,
                    requested_at=uncut.requested_at,
                    responded_at=clock(),
                    snapshots={volume: by_volume[volume] for volume in node.volume_ids},
                )
        if len(found) == len(doubtful):
            break
        time.sleep(1)
    return list(found.values())


handler = step(run)
