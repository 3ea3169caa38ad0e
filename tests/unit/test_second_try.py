"""A try is followed by one other, and only where all that went wrong may pass."""

import pytest
from aerokeep.rules.second_try import (
    MOST_TRIES,
    Trouble,
    cut_may_succeed_later,
    host_may_recover,
    judge_another_try,
)
from hypothesis import given
from hypothesis import strategies as st

troubles = st.lists(
    st.builds(Trouble, where=st.sampled_from(["i-1", "i-2", "i-3"]), what=st.just("x: y"), passing=st.booleans()),
    min_size=1,
)


@given(st.integers(1, 5), troubles)
def test_there_is_another_try_only_after_the_first_and_only_for_what_may_pass(number: int, met: list[Trouble]) -> None:
    verdict = judge_another_try(number, met)
    assert verdict.again == (number < MOST_TRIES and all(trouble.passing for trouble in met))
    assert all(f"{trouble.where}: {trouble.what}" in verdict.reason for trouble in met)


def test_the_reason_of_the_last_try_says_that_it_was_the_last() -> None:
    verdict = judge_another_try(2, [Trouble(where="i-1", what="cut_late: 2.0 s", passing=True)])
    assert (verdict.again, verdict.reason) == (False, "i-1: cut_late: 2.0 s (try 2 of 2)")


@pytest.mark.parametrize(
    ("code", "exit_code", "may"),
    [
        (None, -1, True),
        ("asd_not_running", 5, True),
        ("too_late", 3, True),
        ("guard_held", 4, True),
        ("barred", 5, False),
        ("guard_already_set", 3, False),
        ("not_freezable", 3, False),
        ("bad_parameter", 2, False),
        ("not_armed", 1, False),
        ("host_unreadable", 1, False),
    ],
)
def test_a_host_is_asked_again_where_it_was_late_silent_or_busy(code: str | None, exit_code: int, *, may: bool) -> None:
    assert host_may_recover(code, exit_code) is may


@pytest.mark.parametrize(
    "code", ["SnapshotCreationPerVolumeRateExceeded", "ConcurrentSnapshotLimitExceeded", "IncorrectState", "Throttling"]
)
def test_a_cut_that_was_refused_for_now_is_worth_another_call(code: str) -> None:
    assert cut_may_succeed_later(code)


@pytest.mark.parametrize(
    "code",
    ["UnauthorizedOperation", "AccessDenied", "InvalidParameterValue", "MissingParameter", "InvalidVolume.NotFound"],
)
def test_a_cut_that_was_refused_for_good_is_not(code: str) -> None:
    assert not cut_may_succeed_later(code)
