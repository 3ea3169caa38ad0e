"""When the write stop begins, when the cut is due, and when every host ends it by itself."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from aerokeep.model.cluster import WriteStop
from aerokeep.model.plan import Window
from aerokeep.model.survey import Clock
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


def plan_window(settings: WriteStop, *, now: datetime, token: str) -> Window:
    """Lay the window ``lead_s`` ahead of ``now``.

    The lease is cut to the operator's budget plus the margin where it is longer: a lease that nobody may use up
    would only prolong the harm of a controller that vanished.
    """
    start = now + timedelta(seconds=settings.lead_s)
    end = start + timedelta(seconds=min(settings.lease_s, settings.budget_s + CUT_MARGIN_S))
    return Window(
        token=token,
        start_at=start,
        cut_at=start + timedelta(seconds=PLANNED_FLUSH_S),
        cut_deadline=end - timedelta(seconds=CUT_MARGIN_S),
        end_at=end,
        go=True,
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
