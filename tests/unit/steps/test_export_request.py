"""The input of an export is checked field by field, and names its run by its time."""

from datetime import timedelta
from typing import Any

import pytest
from aerokeep.aws.catalog import LANES, lane_of
from aerokeep.model.errors import RejectedError
from aerokeep.model.export import ExportRequest
from aerokeep.steps.export.acquire_lock import new_run
from aerokeep.steps.shared.starting_out import parse_request

from tests.builders import NOON

EXECUTION = "arn:aws:states:eu-central-1:111122223333:execution:export:one"


def test_the_cluster_is_enough() -> None:
    assert parse_request(ExportRequest, {"cluster": "demo"}) == ExportRequest(cluster="demo")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cluster": "Demo!"}, "cluster"),
        ({"clutser": "demo"}, "clutser"),
        ({"scheduled_time": "2026-11-23T12:00:00"}, "scheduled_time"),
        ({"namespaces": ["no spaces"]}, r"namespaces\.0"),
        ({"namespaces": ["-n"]}, r"namespaces\.0"),
        ({"namespaces": "test"}, "namespaces"),
        ({"sets": ["a,b"]}, r"sets\.0"),
        ({"sets": ["--"]}, r"sets\.0"),
        ({"modified_after": "yesterday"}, "modified_after"),
        ({"partitions": "all"}, "partitions"),
        ({"partitions": "0-100; rm"}, "partitions"),
        ({"exact": "perhaps"}, "exact"),
        ({"sample_partitions": 65}, "sample_partitions"),
        ({"runner": "fastest"}, "runner"),
        ({"mode": "tape"}, "mode"),
        ({"slices": 0}, "slices"),
        ({"slices": 33}, "slices"),
        ({"at_once": 17}, "at_once"),
        ({"parallel": 65}, "parallel"),
        ({"records_per_second": -1}, "records_per_second"),
        ({"bandwidth_mibps": -1}, "bandwidth_mibps"),
        ({"compression": "lzma"}, "compression"),
        ({"encryption": {"mode": "aes512", "key": "secret:x"}}, r"encryption\.mode"),
        ({"encryption": {"mode": "aes256", "key": "the key itself"}}, r"encryption\.key"),
        ({"verify": "hope"}, "verify"),
    ],
)
def test_bad_input_is_named_by_its_field_with_those_that_are_known(change: dict[str, Any], field: str) -> None:
    with pytest.raises(
        RejectedError, match=rf"bad_input: field {field}: .*known fields: cluster, scheduled_time, names"
    ):
        parse_request(ExportRequest, {"cluster": "demo", **change})


def test_bad_input_in_two_fields_is_told_at_once() -> None:
    with pytest.raises(RejectedError, match=r"field slices: .*; field colour: "):
        parse_request(ExportRequest, {"cluster": "demo", "slices": 0, "colour": "red"})


def test_bad_input_of_two_times_in_the_wrong_order_is_told() -> None:
    with pytest.raises(RejectedError, match="modified_after must lie before modified_before"):
        parse_request(
            ExportRequest,
            {
                "cluster": "demo",
                "modified_after": "2026-11-23T12:00:00Z",
                "modified_before": "2026-11-23T12:00:00+01:00",
            },
        )


def test_a_run_is_named_by_its_scheduled_time_and_else_by_the_executions_start() -> None:
    start = NOON + timedelta(seconds=75)
    planned = parse_request(ExportRequest, {"cluster": "demo", "scheduled_time": "2026-11-23T13:00:00+01:00"})
    by_hand = parse_request(ExportRequest, {"cluster": "demo"})
    runs = [new_run(asked, execution=EXECUTION, started_at=start) for asked in (planned, by_hand)]
    assert [run.run_id for run in runs] == ["demo-export-20261123T120000Z", "demo-export-20261123T120115Z"]
    assert {run.started_at for run in runs} == {start}


def test_exports_alone_take_a_lock_of_their_own() -> None:
    journeys = ("backup", "restore", "import", "replace-node", "protect", "export")
    assert {journey: lane_of(journey) for journey in journeys} == {
        **dict.fromkeys(journeys, "lock"),
        "export": "export-lock",
    }
    assert set(map(lane_of, journeys)) == set(LANES)
