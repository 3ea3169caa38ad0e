"""The window is laid far enough ahead, and no cut is asked for when its answer could come too late."""

from aerokeep.model.cluster import WriteStop
from aerokeep.model.survey import Clock
from aerokeep.rules.consistency import CONTROLLER_ERROR_S, clock_bounds
from aerokeep.rules.window import CUT_MARGIN_S, LONGEST_HOLD_ON_S, decision_time, hold_on_s, plan_window
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, an_evidence, at


def test_go_or_no_go_is_decided_halfway_to_t0() -> None:
    window = plan_window(WriteStop(lead_s=60), now=NOON, token="0" * 32)
    assert decision_time(window, now=NOON) == at(30)


@given(st.floats(3, 120), st.floats(3, 60), st.floats(0.1, 1))
def test_the_order_of_instants_holds_for_all_settings(lead_s: float, lease_s: float, share: float) -> None:
    settings = WriteStop(lead_s=lead_s, lease_s=lease_s, budget_s=max(lease_s * share, 2))
    window = plan_window(settings, now=NOON, token="0" * 32)
    assert window.start_at < window.cut_at <= window.cut_deadline < window.end_at
    assert (window.end_at - window.start_at).total_seconds() <= lease_s + 1e-6
    assert (window.end_at - window.cut_deadline).total_seconds() >= CUT_MARGIN_S


@given(st.floats(-5, 5), st.floats(0, 0.4), st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1))
def test_hosts_that_hold_on_so_long_are_never_judged_to_have_let_go_too_early(
    offset_s: float, error_s: float, first: float, second: float, later_s: float
) -> None:
    """Whatever a host's two readings say within their error."""
    clocks = (a_clock(offset_s + first * error_s, error_s), a_clock(offset_s + second * error_s, error_s))
    answered_s = 1_000.0
    heard_s = answered_s + hold_on_s(clocks) + later_s + offset_s  # by the host's clock
    bounds = clock_bounds(an_evidence(1).model_copy(update={"clocks": clocks}))
    assert bounds is not None
    assert heard_s + bounds.earliest_s >= answered_s + CONTROLLER_ERROR_S


def test_no_clock_keeps_writes_stopped_for_longer_than_a_second() -> None:
    assert hold_on_s([a_clock(0.0, 16.0)]) == LONGEST_HOLD_ON_S
    assert hold_on_s([a_clock(0.0, 16.0).model_copy(update={"synchronised": False})]) < LONGEST_HOLD_ON_S
    assert hold_on_s([]) >= CONTROLLER_ERROR_S


def a_clock(offset_s: float, error_s: float) -> Clock:
    return Clock(source="chronyc", synchronised=True, offset_s=offset_s, error_s=error_s, at=0.0)
