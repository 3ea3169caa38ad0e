"""A write stop is as long as the slowest cut of 99 runs in 100 needs, never longer than the operator allows."""

from collections.abc import Sequence

import pytest
from aerokeep.model.cluster import WriteStop
from aerokeep.model.survey import Clock
from aerokeep.model.timing import Timing
from aerokeep.rules.consistency import CONTROLLER_ERROR_S, clock_bounds
from aerokeep.rules.window import (
    CUT_MARGIN_S,
    FULL_HISTORY,
    LONGEST_HOLD_ON_S,
    PLANNED_FLUSH_S,
    SHORTEST_LEASE_S,
    Lease,
    decision_time,
    hold_on_s,
    plan_lease,
    plan_window,
    prior_cut_s,
    slow_cut_s,
    whole_lease,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, an_evidence, at

WIDE = WriteStop(lease_s=60, budget_s=60)
durations = st.floats(0.01, 30)
timings = st.builds(Timing, slowest_cut_s=st.none() | durations, quiet_s=st.none() | durations)
settings = st.tuples(st.floats(3, 60), st.floats(0.05, 1)).map(
    lambda drawn: WriteStop(lease_s=drawn[0], budget_s=max(drawn[0] * drawn[1], 2))
)


def history(*cuts: float, quiet_s: float | None = None) -> list[Timing]:
    return [Timing(slowest_cut_s=cut, quiet_s=quiet_s) for cut in cuts]


def a_window_of(lease: Lease, lead_s: float = 60) -> dict[str, float]:
    window = plan_window(lease, now=NOON, lead_s=lead_s, token="0" * 32)
    instants = {"start": window.start_at, "cut": window.cut_at, "last": window.cut_deadline, "end": window.end_at}
    return {name: (instant - NOON).total_seconds() for name, instant in instants.items()}


def test_go_or_no_go_is_decided_halfway_to_t0() -> None:
    window = plan_window(plan_lease(WIDE, history=(), nodes=3), now=NOON, lead_s=60, token="0" * 32)
    assert decision_time(window, now=NOON) == at(30)


@given(settings, st.lists(timings, max_size=120), st.integers(1, 80), st.floats(3, 120))
def test_the_order_of_instants_holds_whatever_was_measured(
    allowed: WriteStop, measured: Sequence[Timing], nodes: int, lead_s: float
) -> None:
    lease = plan_lease(allowed, history=measured, nodes=nodes)
    window = a_window_of(lease, lead_s)
    assert window["start"] < window["cut"] <= window["last"] + 1e-5 < window["end"]
    assert window["end"] - window["last"] == pytest.approx(CUT_MARGIN_S, abs=1e-5)
    assert lease.lease_s <= min(allowed.lease_s, allowed.budget_s)


@given(settings, st.lists(durations, max_size=150), st.integers(1, 80))
def test_a_lease_that_says_nothing_holds_the_slow_cut_and_one_that_does_not_hold_it_says_so(
    allowed: WriteStop, cuts: Sequence[float], nodes: int
) -> None:
    lease = plan_lease(allowed, history=history(*cuts), nodes=nodes)
    needed_s = lease.flush_s + slow_cut_s(cuts[:FULL_HISTORY], nodes=nodes) + CUT_MARGIN_S
    quiet = not lease.notes and lease.refusal is None
    assert quiet == (needed_s <= min(allowed.lease_s, allowed.budget_s))
    if quiet:
        assert lease.lease_s >= needed_s


@given(st.lists(durations, min_size=1, max_size=FULL_HISTORY - 1), st.integers(1, 80))
def test_few_measured_runs_only_ever_make_the_plan_longer(cuts: Sequence[float], nodes: int) -> None:
    assert slow_cut_s(cuts, nodes=nodes) == max(prior_cut_s(nodes), *cuts, 0)


@given(st.lists(st.floats(0.1, 3), min_size=FULL_HISTORY - 1, max_size=FULL_HISTORY - 1))
def test_one_freak_in_a_hundred_runs_prolongs_no_later_one(cuts: Sequence[float]) -> None:
    assert slow_cut_s([60.0, *cuts], nodes=80) == max(cuts)
    assert slow_cut_s([60.0, 60.0, *cuts[1:]], nodes=80) == 60.0


def test_a_hundred_quick_runs_shorten_the_lease_below_the_prior() -> None:
    unknown = plan_lease(WIDE, history=(), nodes=3)
    known = plan_lease(WIDE, history=history(*[1.5] * FULL_HISTORY), nodes=3)
    assert unknown.lease_s == pytest.approx(PLANNED_FLUSH_S + prior_cut_s(3) + CUT_MARGIN_S)
    assert known.lease_s == pytest.approx(PLANNED_FLUSH_S + 1.5 + CUT_MARGIN_S)
    quickest = plan_lease(WIDE, history=history(*[0.1] * FULL_HISTORY), nodes=3)
    assert quickest.lease_s == SHORTEST_LEASE_S


def test_only_the_newest_hundred_runs_count() -> None:
    older = history(*[20.0] * 50)
    assert plan_lease(WIDE, history=[*history(*[1.5] * FULL_HISTORY), *older], nodes=3).lease_s < 4


def test_the_prior_grows_with_the_number_of_cuts_that_are_made_at_once() -> None:
    assert prior_cut_s(1) == pytest.approx(8.0)
    assert prior_cut_s(1) < prior_cut_s(3) < prior_cut_s(20) < prior_cut_s(80) < 20


def test_the_cut_waits_for_hosts_that_were_slow_to_flush_but_not_beyond_half_of_the_lease() -> None:
    slow = plan_lease(WIDE, history=history(*[1.5] * FULL_HISTORY, quiet_s=4.0), nodes=3)
    assert slow.flush_s == 4.0
    assert slow.lease_s == pytest.approx(8.0), "the host gives its proof up at half of the lease"
    hopeless = plan_lease(WriteStop(lease_s=20, budget_s=10), history=history(1.5, quiet_s=9.0), nodes=3)
    assert hopeless.flush_s == 5.0


def test_a_budget_that_holds_an_ordinary_cut_is_used_as_it_is_with_a_note() -> None:
    lease = plan_lease(WriteStop(lease_s=20, budget_s=10), history=history(*[2.0] * 98, 15.0, 16.0), nodes=3)
    assert (lease.lease_s, lease.refusal) == (10, None)
    (note,) = lease.notes
    assert note.startswith("budget_short: the slowest cut of 99 runs in 100 is planned with 15.0 s (100 runs measured)")
    assert note.endswith("set write_stop.budget_s (and lease_s) to 17")


def test_a_budget_that_does_not_hold_an_ordinary_cut_is_refused_with_the_field_and_a_figure() -> None:
    lease = plan_lease(WriteStop(lease_s=20, budget_s=5), history=history(*[4.0] * 30), nodes=1)
    assert lease.refusal is not None
    assert lease.refusal.startswith("budget_too_small: an ordinary run stops writes for 6.0 s")
    assert "set write_stop.budget_s (and lease_s) to 10 or more" in lease.refusal


def test_a_cluster_without_history_is_not_refused_its_first_runs() -> None:
    assert plan_lease(WriteStop(lease_s=20, budget_s=10), history=(), nodes=80).refusal is None
    assert plan_lease(WriteStop(lease_s=3, budget_s=3), history=(), nodes=3).refusal is None


def test_a_guard_without_a_cut_gets_all_that_is_allowed() -> None:
    assert whole_lease(WriteStop(lease_s=20, budget_s=10)).lease_s == 11
    assert whole_lease(WriteStop(lease_s=20, budget_s=20)).lease_s == 20


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
