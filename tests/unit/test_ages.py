"""The age of the newest point of each consistency: a better label counts for a lower one, never the other way."""

from datetime import UTC, datetime, timedelta

from aerokeep.model.consistency import Consistency
from aerokeep.model.recovery_point import PointEntry
from aerokeep.rules.ages import AGE, RANK, measure_ages
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 26, tzinfo=UTC)
entries = st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(Consistency)), max_size=8)


def some_points(told: list[tuple[int, Consistency]]) -> list[PointEntry]:
    """The newest first."""
    ordered = sorted(told, key=lambda one: one[0])
    return [
        PointEntry(point_id=f"p-{n}", started_at=NOW - timedelta(seconds=age_s), consistency=label)
        for n, (age_s, label) in enumerate(ordered)
    ]


@given(entries)
def test_each_consistency_has_the_age_of_the_newest_point_that_meets_it(told: list[tuple[int, Consistency]]) -> None:
    data = list(measure_ages("demo", some_points(told), now=NOW))
    ages = {d.dimensions["label"]: d.value for d in data if d.name == AGE}
    wanted = {
        label: min(age_s for age_s, has in told if has.meets(label))
        for label in Consistency
        if any(has.meets(label) for _, has in told)
    }
    assert ages == wanted
    assert [d.value for d in data if d.name == RANK] == ([] if not told else [_rank(some_points(told)[0])])


def _rank(point: PointEntry) -> float:
    return ["crash", "node", "cluster"].index(point.consistency) + 1


def test_no_more_points_are_read_than_are_needed() -> None:
    points = iter(some_points([(1, Consistency.NODE), (2, Consistency.CLUSTER), (3, Consistency.CRASH)]))
    assert len(list(measure_ages("demo", points, now=NOW))) == 4
    assert len(list(points)) == 1
