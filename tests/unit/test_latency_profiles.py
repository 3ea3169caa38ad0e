"""Latency profiles: seeded draws that keep to their percentiles, and a scale that no write stop feels."""

import dataclasses
import statistics
from pathlib import Path

import pytest

from sandbox.region.latency import FIXED, LATENCIES, PROFILES, SCALES, DrawnPace, pace_of, table
from sandbox.region.pace import Pace

FIELDS = {field.name for field in dataclasses.fields(Pace)}


def test_every_latency_is_a_field_of_the_pace_or_a_call_and_has_a_source() -> None:
    names = [row.name for row in LATENCIES]
    assert len(set(names)) == len(names)
    assert {name for name in names if "." not in name} <= FIELDS
    assert all(row.source and 0 < row.p50_s <= row.p99_s <= row.longest_s for row in LATENCIES)


def test_a_profile_leaves_no_duration_at_what_is_quick() -> None:
    ours = {"alarm_tick_s"}  # how often the sandbox itself looks
    told = {row.name for row in LATENCIES} | set(FIXED)
    assert {name for name in FIELDS if name.endswith("_s")} - told - {"calls_s"} == ours
    assert set(FIXED) | set(SCALES) <= FIELDS


def test_draws_keep_to_the_percentiles_of_the_table() -> None:
    pace = pace_of("aws", seed=3)
    drawn = sorted(pace.attach_s for _ in range(2000))
    assert statistics.median(drawn) == pytest.approx(2.5, rel=0.15)
    assert drawn[1980] == pytest.approx(60, rel=0.5)
    assert max(pace.detach_s for _ in range(2000)) <= 2601


def test_a_seed_makes_runs_alike_and_one_duration_does_not_disturb_another() -> None:
    one, two, other = pace_of("aws", seed=1), pace_of("aws", seed=1), pace_of("aws", seed=2)
    first = [one.attach_s for _ in range(5)]
    for _ in range(7):
        assert two.pending_s > 0
    assert [two.attach_s for _ in range(5)] == first != [other.attach_s for _ in range(5)]


def test_a_scale_shortens_all_but_what_counts_inside_a_write_stop() -> None:
    whole, tenth = pace_of("aws", seed=1), pace_of("aws", seed=1, scale=0.1)
    assert tenth.shutting_down_s == pytest.approx(whole.shutting_down_s / 10)
    assert tenth.call_s("ec2.RunInstances") == pytest.approx(whole.call_s("ec2.RunInstances") / 10)
    assert tenth.create_snapshots_s == whole.create_snapshots_s
    assert tenth.ssm_delivery_s == whole.ssm_delivery_s
    assert (tenth.wait_scale, tenth.per_volume_rate_s) == (0.1, 1.5)


def test_the_tail_is_the_99th_percentile_each_time() -> None:
    pace = pace_of("tail")
    assert [pace.ssm_delivery_s, pace.ssm_delivery_s] == [20, 20]


def test_quick_is_the_default_and_an_unknown_profile_is_refused_with_those_there_are() -> None:
    assert pace_of("quick", attach_s=1.0) == Pace(attach_s=1.0)
    with pytest.raises(ValueError, match="take one of quick, aws, tail"):
        pace_of("slow")
    assert isinstance(pace_of("tail"), DrawnPace)
    assert set(PROFILES) == {"quick", "aws", "tail"}


def test_what_nobody_has_published_is_marked_in_the_table() -> None:
    lines = list(table())
    assert len(lines) == len(LATENCIES) + 2
    assert sum("(assumed)" in line for line in lines) == sum(row.assumed for row in LATENCIES) > 0


def test_the_documentation_has_the_table_as_it_is() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "sandbox.md").read_text()
    shown = text.partition("<!-- latencies:")[2].partition("-->\n")[2].partition("<!-- end -->")[0]
    assert shown.strip().splitlines() == list(table())
