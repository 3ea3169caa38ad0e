"""The window is laid far enough ahead, and no cut is asked for when its answer could come too late."""

from aerokeep.model.cluster import WriteStop
from aerokeep.rules.window import CUT_MARGIN_S, decision_time, plan_window
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, at


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
