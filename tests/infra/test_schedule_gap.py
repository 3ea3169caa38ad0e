"""How far apart starts can lie, and what the alarm on the newest point's age makes of it."""

import pytest

from infra.config import Cluster
from infra.schedule_gap import longest_gap_hours


@pytest.mark.parametrize(
    ("expression", "hours"),
    [
        ("rate(6 hours)", 6),
        ("rate(1 day)", 24),
        ("rate(90 minutes)", 1.5),
        ("cron(0 3 * * ? *)", 24),
        ("cron(0 */6 * * ? *)", 6),
        ("cron(0/15 * * * ? *)", 0.25),
        ("cron(0 8,20 * * ? *)", 12),
        ("cron(30 8-18 * * ? *)", 14),
        ("cron(0 3 ? * MON-FRI *)", 72),
        ("cron(0 3 ? * FRI-MON *)", 96),
        ("cron(0 3 ? * SUN *)", 168),
        ("cron(0 3 1 * ? *)", 31 * 24),
        ("cron(0 3 1 1 ? *)", 366 * 24),
        ("cron(0 3 L * ? *)", None),
        ("cron(0 3 ? * 6L *)", None),
        ("cron(0 3 ? * MON#1 *)", None),
        ("cron(0 3 1 1 ? 2027)", None),
    ],
)
def test_the_longest_gap_of_a_schedule(expression: str, hours: float | None) -> None:
    assert longest_gap_hours(expression) == hours


def a_cluster(**fields: object) -> Cluster:
    return Cluster.model_validate({"tag": {"key": "db", "value": "orders"}, **fields})


def test_the_oldest_point_is_said_or_comes_from_the_schedule() -> None:
    daily = {"expression": "cron(0 3 * * ? *)"}
    assert a_cluster(schedule=daily).oldest_point_hours == 26
    assert a_cluster(schedule=daily, rpo_hours=30).oldest_point_hours == 30
    assert a_cluster().oldest_point_hours is None
    assert a_cluster(rpo_hours=48).oldest_point_hours == 48
