"""How long writes are stopped at most, when the cut is due, and when every host ends the stop by itself."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import ceil, exp, log
from statistics import NormalDist, median

from aerokeep.model.cluster import WriteStop
from aerokeep.model.plan import Window
from aerokeep.model.survey import Clock
from aerokeep.model.timing import Timing
from aerokeep.model.wire import Wire
from aerokeep.rules.consistency import CONTROLLER_ERROR_S

PLANNED_FLUSH_S = 1.0
"""From T0 to flushed and frozen on a healthy host: 0.3 s until all guards are set, 0.25-0.4 s flush proof, then the
freeze (58-73 ms on a real server). A host that takes longer costs the label, never the data."""
LONGEST_HOLD_ON_S = 1.0
"""A clock that is worse than that gives no `cluster` label within any budget."""
LAST_LOOK_S = 0.12
"""Hosts look 20 times a second whether anything was written. Nodes that let go first take writes, which reach replicas
on those that have not yet: every host must have looked once more before any lets go."""
CUT_MARGIN_S = 1.0
"""A cut is not requested later than this before T1: its answer must come while writes are still stopped."""
SHORTEST_LEASE_S = 3.0
"""Hosts need some of it to prove anything at all."""
PROOF_SHARE = 0.5
"""A host gives the flush proof up at this share of the lease; waiting longer for it would be in vain."""
FULL_HISTORY = 100
"""From so many runs on, the slowest cut of one in a hundred is known."""
SOME_HISTORY = 10
"""From so many runs on, the ordinary slowest cut is known."""
TAIL = 0.99
SLOW_SINGLE_CUT_S, USUAL_SINGLE_CUT_S = 8.0, 2.0
"""One CreateSnapshots, 99 in 100 and every other one: the upper ends of the ranges in aws.md §J."""
QUICK_CUT_S = 1.0
"""The lower end: what a cluster without any history gets the benefit of, before it is refused a try."""


class Lease(Wire):
    """How a write stop is laid out, in seconds from T0; or why none can be."""

    flush_s: float
    """When every node should be flushed and frozen: the cut is requested then."""
    lease_s: float
    """T1, when every host undoes its own write stop."""
    notes: tuple[str, ...] = ()
    """What the operator should know of it."""
    refusal: str | None = None
    """``code: detail``, where the budget does not even hold an ordinary cut."""


def plan_lease(settings: WriteStop, *, history: Sequence[Timing], nodes: int) -> Lease:
    """Lay out a write stop that ends by itself once the slowest cut of 99 runs in 100 is over, within the budget.

    A budget that is too short for that, but long enough for an ordinary run, is used as it is: the lease is cut to it,
    since one run in a few would fail and none at all can be made by refusing all of them.

    Args:
        settings: what the operator allows.
        history: earlier tries of this cluster, the newest first.
        nodes: how many CreateSnapshots are made at once.

    """
    limit_s = min(settings.lease_s, settings.budget_s)
    cuts = [timing.slowest_cut_s for timing in history if timing.slowest_cut_s is not None][:FULL_HISTORY]
    quiets = [timing.quiet_s for timing in history if timing.quiet_s is not None][:FULL_HISTORY]
    flush_s = min(max(PLANNED_FLUSH_S, _tail(quiets)), PROOF_SHARE * limit_s)
    slow_s, usual_s = slow_cut_s(cuts, nodes=nodes), usual_cut_s(cuts)
    wanted_s = flush_s + slow_s + CUT_MARGIN_S
    least_s = flush_s + usual_s + CUT_MARGIN_S
    known = f"{len(cuts)} runs measured" if cuts else "none measured yet"
    if least_s > limit_s:
        return Lease(
            flush_s=flush_s,
            lease_s=limit_s,
            refusal=f"budget_too_small: an ordinary run stops writes for {least_s:.1f} s ({flush_s:.1f} s until all is "
            f"flushed, {usual_s:.1f} s for the slowest cut, {known}), and write_stop allows {limit_s:g} s: "
            f"set write_stop.budget_s (and lease_s) to {ceil(wanted_s)} or more, or set consistency to crash",
        )
    if wanted_s > limit_s:
        note = (
            f"budget_short: the slowest cut of 99 runs in 100 is planned with {slow_s:.1f} s ({known}), which makes "
            f"{wanted_s:.1f} s of write stop, and write_stop allows {limit_s:g} s: a slow cut outlasts the lease; "
            f"set write_stop.budget_s (and lease_s) to {ceil(wanted_s)}"
        )
        return Lease(flush_s=flush_s, lease_s=limit_s, notes=(note,))
    return Lease(
        flush_s=flush_s, lease_s=min(limit_s, max(wanted_s, SHORTEST_LEASE_S, flush_s / PROOF_SHARE)), notes=()
    )


def whole_lease(settings: WriteStop) -> Lease:
    """All that the operator allows: for what is not a cut, such as an export under the guard."""
    return Lease(flush_s=PLANNED_FLUSH_S, lease_s=min(settings.lease_s, settings.budget_s + CUT_MARGIN_S))


def slow_cut_s(cuts: Sequence[float], *, nodes: int) -> float:
    """How long the slowest cut of a run takes in 99 runs of 100; few measured ones may only make it longer."""
    if len(cuts) >= FULL_HISTORY:
        return _tail(cuts)
    return max([prior_cut_s(nodes), *cuts])


def usual_cut_s(cuts: Sequence[float]) -> float:
    """How long the slowest cut of a run takes in every other run."""
    return median(cuts) if len(cuts) >= SOME_HISTORY else QUICK_CUT_S


def prior_cut_s(nodes: int) -> float:
    """What is taken for the slowest of ``nodes`` cuts in 99 runs of 100 while too few were measured.

    A log-normal duration through the two figures of aws.md §J: the slowest of n lies below x with the n-th power of
    the chance that a single one does.
    """
    spread = log(SLOW_SINGLE_CUT_S / USUAL_SINGLE_CUT_S) / NormalDist().inv_cdf(TAIL)
    return USUAL_SINGLE_CUT_S * exp(spread * NormalDist().inv_cdf(TAIL ** (1 / max(nodes, 1))))


def _tail(values: Sequence[float]) -> float:
    """The 99th percentile by nearest rank; 0 of nothing."""
    return sorted(values)[ceil(TAIL * len(values)) - 1] if values else 0.0


def plan_window(lease: Lease, *, now: datetime, lead_s: float, token: str) -> Window:
    """Lay the window ``lead_s`` ahead of ``now``."""
    start = now + timedelta(seconds=lead_s)
    end = start + timedelta(seconds=lease.lease_s)
    return Window(
        token=token,
        start_at=start,
        cut_at=start + timedelta(seconds=lease.flush_s),
        cut_deadline=end - timedelta(seconds=CUT_MARGIN_S),
        end_at=end,
        go=True,
        notes=lease.notes,
    )


def hold_on_s(clocks: Iterable[Clock]) -> float:
    """How long after the last answer to a cut the hosts must hold on, so that the label rule can't doubt it.

    The rule takes a host's own instants to be early by up to twice its error (once when its offset was measured, once
    against the bound), and the controller's to be late by its own. An unsynchronised clock proves nothing anyway.
    """
    errors = [clock.error_s for clock in clocks if clock.synchronised]
    return min(LONGEST_HOLD_ON_S, CONTROLLER_ERROR_S + 2 * max(errors, default=0.0) + LAST_LOOK_S)


def decision_time(window: Window, *, now: datetime) -> datetime:
    """Halfway to T0: who is armed then decides between go and no-go."""
    return window.start_at - (window.start_at - now) / 2
