"""Does the account's bucket of CreateSnapshots hold a cluster's cut at the planned instant, and when does it?"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from aerokeep.model.barrier import Barrier
from aerokeep.rules.plan import MOST_NODES_PER_BARRIER

CAPACITY, REFILL_PER_S = 100, 5.0
"""Per account and Region (aws.md §A3)."""
SPARE = CAPACITY - MOST_NODES_PER_BARRIER
"""Left for calls that nobody has announced."""
LOOK_BACK_S = 30
"""Longer than an empty bucket takes to be full again: what was taken before does not matter."""
MOST_LEAD_S = 115.0
"""Hosts refuse to arm more than 120 s ahead, by their own clocks."""
STEP_S = 1.0


def left_at(instant: datetime, taken: Iterable[Barrier], *, since: datetime) -> float:
    """How many calls the bucket holds at ``instant``, at least: nothing is known of it before ``since``."""
    left, at = 0.0, since
    for take in sorted(taken, key=lambda take: take.at):
        if since <= take.at <= instant:
            left = min(CAPACITY, left + REFILL_PER_S * (take.at - at).total_seconds())
            left, at = max(0.0, left - take.calls), take.at
    return min(CAPACITY, left + REFILL_PER_S * (instant - at).total_seconds())


def holds(own: Barrier, taken: Sequence[Barrier], *, since: datetime) -> bool:
    """Whether a cut can be made, with some to spare, without taking from one that was announced before."""
    if left_at(own.at, taken, since=since) < own.calls + SPARE:
        return False
    later = [take for take in taken if take.at > own.at]
    return all(
        left_at(take.at, [own, *(other for other in taken if other is not take)], since=since) >= take.calls
        for take in later
    )


def lead_for(own: Barrier, taken: Sequence[Barrier], *, now: datetime, lead_s: float) -> float | None:
    """From now to T0: as planned, or later where the bucket holds the cut only then; None within what hosts accept.

    Args:
        own: the cut as it falls with the planned lead.
        taken: what others have taken, or will.
        now: the instant of planning.
        lead_s: the planned lead.

    """
    since = now - timedelta(seconds=LOOK_BACK_S)
    later_s = 0.0
    while later_s == 0.0 or lead_s + later_s <= MOST_LEAD_S:
        moved = own.model_copy(update={"at": own.at + timedelta(seconds=later_s)})
        if holds(moved, taken, since=since):
            return lead_s + later_s
        later_s += STEP_S
    return None
