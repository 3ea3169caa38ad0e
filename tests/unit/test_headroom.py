"""A cut is planned where the account's bucket holds it: never on calls that others take, or were promised."""

from collections.abc import Sequence
from datetime import timedelta

from aerokeep.model.barrier import Barrier
from aerokeep.rules.headroom import (
    CAPACITY,
    LOOK_BACK_S,
    MOST_LEAD_S,
    REFILL_PER_S,
    SPARE,
    holds,
    lead_for,
    left_at,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, at

SINCE = NOON - timedelta(seconds=LOOK_BACK_S)
takes = st.lists(
    st.builds(Barrier, run=st.just("other"), at=st.integers(-LOOK_BACK_S, 150).map(at), calls=st.integers(1, 80)),
    max_size=12,
)


def a_cut(seconds: float, calls: int = 3) -> Barrier:
    return Barrier(run="own", at=at(seconds), calls=calls)


def bucket_at(seconds: float, taken: Sequence[Barrier], *, start: float) -> float:
    """A bucket as AWS keeps it, second by second: a call that it does not hold is refused."""
    level = start
    for second in range(-LOOK_BACK_S, int(seconds) + 1):
        if second > -LOOK_BACK_S:
            level = min(CAPACITY, level + REFILL_PER_S)
        for take in taken:
            if take.at == at(second):
                level -= min(level, take.calls)
    return level


@given(takes, st.integers(0, 150), st.integers(0, CAPACITY))
def test_the_bucket_never_holds_less_than_is_reckoned_with(taken: list[Barrier], seconds: int, start: int) -> None:
    assert left_at(at(seconds), taken, since=SINCE) <= bucket_at(seconds, taken, start=start) + 1e-6


def test_a_bucket_that_nobody_has_touched_is_known_to_be_full() -> None:
    assert left_at(NOON, (), since=SINCE) == CAPACITY


@given(takes, st.integers(1, 80), st.integers(3, 110))
def test_a_lead_that_was_found_holds_and_is_the_shortest(taken: list[Barrier], calls: int, lead_s: int) -> None:
    own = a_cut(lead_s + 1, calls)
    found_s = lead_for(own, taken, now=NOON, lead_s=lead_s)
    tried = [lead_s + step for step in range(int(MOST_LEAD_S) - lead_s + 1)]
    fitting = [lead for lead in tried if holds(a_cut(lead + 1, calls), taken, since=SINCE)]
    assert found_s == (fitting[0] if fitting else None)


def test_the_widest_barrier_waits_until_another_one_has_been_filled_up_again() -> None:
    other = Barrier(run="other", at=at(61), calls=80)
    assert lead_for(a_cut(61, 80), [other], now=NOON, lead_s=60) == 60 + 80 / REFILL_PER_S
    assert lead_for(a_cut(61, 80), (), now=NOON, lead_s=60) == 60


def test_small_clusters_share_a_bucket_at_one_instant() -> None:
    others = [Barrier(run=f"other-{number}", at=at(61), calls=3) for number in range(20)]
    assert lead_for(a_cut(61), others, now=NOON, lead_s=60) == 60


def test_a_cut_does_not_take_what_a_later_one_was_promised() -> None:
    promised = Barrier(run="other", at=at(63), calls=80)
    assert not holds(a_cut(61, 80), [promised], since=SINCE)
    assert holds(a_cut(61, 20), [promised], since=SINCE)


def test_where_others_go_on_taking_all_there_is_nothing_is_found() -> None:
    greedy = [Barrier(run="", at=at(second), calls=5) for second in range(-LOOK_BACK_S, 150)]
    assert lead_for(a_cut(61, CAPACITY - SPARE), greedy, now=NOON, lead_s=60) is None


def test_snapshots_that_were_begun_long_before_do_not_count() -> None:
    long_ago = [Barrier(run="", at=at(-LOOK_BACK_S - 1), calls=1)] * 500
    assert lead_for(a_cut(4, 80), long_ago, now=NOON, lead_s=3) == 3
