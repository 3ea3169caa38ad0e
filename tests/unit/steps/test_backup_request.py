"""The execution input: checked field by field, and turned into ids that are the same for the same scheduled time."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from aerokeep.model.consistency import Consistency
from aerokeep.model.errors import RejectedError
from aerokeep.model.run import BackupRequest, point_id
from aerokeep.steps.backup.acquire_lock import new_run
from aerokeep.steps.shared.starting_out import parse_request
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON

EXECUTION = "arn:aws:states:eu-central-1:111122223333:execution:backup:one"
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)


def test_a_request_needs_no_more_than_the_cluster() -> None:
    request = parse_request(BackupRequest, {"cluster": "demo"})
    assert (request.cluster, request.scheduled_time, request.consistency, request.shortfall) == (
        "demo",
        None,
        None,
        None,
    )


def test_every_field_is_taken_as_the_scheduler_and_people_write_it() -> None:
    told = {"cluster": "demo", "scheduled_time": "2026-11-23T13:00:00+01:00", "consistency": "node"}
    request = parse_request(BackupRequest, told)
    assert (request.scheduled_time, request.consistency) == (NOON, Consistency.NODE)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "field cluster: Field required"),
        ({"cluster": "demo", "clutser": "x"}, "field clutser: Extra inputs are not permitted"),
        ({"cluster": "Demo"}, "field cluster: String should match pattern"),
        ({"cluster": "../demo"}, "field cluster: "),
        ({"cluster": 7}, "field cluster: "),
        (
            {"cluster": "demo", "consistency": "perfect"},
            "field consistency: Input should be 'crash', 'node' or 'cluster'",
        ),
        ({"cluster": "demo", "shortfall": "ignore"}, "field shortfall: Input should be 'abort' or 'degrade'"),
        ({"cluster": "demo", "scheduled_time": "yesterday"}, "field scheduled_time: "),
        ({"cluster": "demo", "scheduled_time": "2026-11-23T12:00:00"}, "must carry a time zone, for instance 2026"),
    ],
)
def test_a_wrong_request_is_refused_by_field_and_the_known_ones_are_told(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(RejectedError) as refused:
        parse_request(BackupRequest, raw)
    assert refused.value.code == "bad_input"
    assert words in str(refused.value)
    assert "(known fields: cluster, scheduled_time, consistency, shortfall)" in str(refused.value)


def test_two_mistakes_are_told_at_once() -> None:
    with pytest.raises(RejectedError, match=r"field cluster: .*; field colour: "):
        parse_request(BackupRequest, {"cluster": "", "colour": "red"})


def test_a_run_is_named_by_its_scheduled_time_and_else_by_the_executions_start() -> None:
    start = NOON + timedelta(seconds=75)
    planned = new_run(
        parse_request(BackupRequest, {"cluster": "demo", "scheduled_time": NOON.isoformat()}),
        execution=EXECUTION,
        started_at=start,
    )
    by_hand = new_run(parse_request(BackupRequest, {"cluster": "demo"}), execution=EXECUTION, started_at=start)
    assert (planned.run_id, by_hand.run_id) == ("demo-20261123T120000Z", "demo-20261123T120115Z")
    assert planned.point_id == planned.run_id
    assert planned.started_at == by_hand.started_at == start


@given(NAMES, st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), ZONES, ZONES)  # noqa: DTZ001 - zones are drawn
def test_one_instant_has_one_id_in_whatever_zone_it_is_written(
    cluster: str, local: datetime, zone: timezone, other: timezone
) -> None:
    instant = local.replace(tzinfo=zone)
    ids = {
        new_run(
            parse_request(BackupRequest, {"cluster": cluster, "scheduled_time": same.isoformat()}),
            execution="e",
            started_at=NOON,
        ).run_id
        for same in (instant, instant.astimezone(other))
    }
    assert ids == {f"{cluster}-{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"}


@given(NAMES, st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(1, 10**6))  # noqa: DTZ001 - as UTC
def test_ids_of_one_cluster_sort_as_their_times(cluster: str, local: datetime, seconds: int) -> None:
    first = local.replace(tzinfo=UTC)
    assert point_id(cluster, first) < point_id(cluster, first + timedelta(seconds=seconds))
