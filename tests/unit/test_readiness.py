"""A recovery point is ready when all of it is, and only then."""

import pytest
from aerokeep.model.errors import CorruptError, NotReadyError
from aerokeep.model.recovery_point import Snapshot
from aerokeep.rules.readiness import FIRST_LOOK_S, LONGEST_WAIT_S, Readiness, judge_readiness
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, a_snapshot, at

IDS = frozenset({"snap-1", "snap-2"})


def judged(found: list[Snapshot], *, after_s: float = 10, deadline_s: float = 3600) -> Readiness:
    return judge_readiness(found, expected=IDS, started_at=NOON, deadline=at(deadline_s), now=at(after_s))


def test_a_snapshot_not_listed_yet_counts_as_pending() -> None:
    assert not judged([a_snapshot("snap-1", completed=True)]).done


def test_one_failed_member_fails_the_point_with_the_words_of_aws() -> None:
    with pytest.raises(CorruptError, match=r"snapshot_failed: snap-2: Client\.InvalidKmsKey"):
        judged([a_snapshot("snap-2", error="Client.InvalidKmsKey.InvalidState")])


def test_the_deadline_names_how_many_are_missing() -> None:
    with pytest.raises(NotReadyError, match="2 of 2"):
        judged([], after_s=3600)


def test_progress_is_weighted_by_size() -> None:
    small = a_snapshot("snap-1", completed=True, size_gib=1)
    large = a_snapshot("snap-2", progress_percent=0, size_gib=3)
    assert judged([small, large]).percent == 25


@given(st.integers(0, 100_000))
def test_looks_grow_rarer_within_bounds(after_s: int) -> None:
    assert FIRST_LOOK_S <= judged([], after_s=after_s, deadline_s=200_000).wait_s <= LONGEST_WAIT_S


@given(st.permutations([a_snapshot("snap-1", completed=True), a_snapshot("snap-2", completed=True)]))
def test_the_order_of_the_answer_does_not_matter(found: list[Snapshot]) -> None:
    assert judged(found).done
