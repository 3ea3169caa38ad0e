"""The input of a restore is checked field by field, and names its run."""

from typing import Any

import pytest
from aerokeep.model.errors import RejectedError
from aerokeep.model.restore import RestoreRequest
from aerokeep.model.run import run_id
from aerokeep.steps.shared.starting_out import parse_request

from tests.builders import NOON, POINT

GOOD = {"cluster": "demo", "point": POINT}


def test_cluster_and_point_are_enough() -> None:
    assert parse_request(RestoreRequest, GOOD) == RestoreRequest(cluster="demo", point=POINT)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"point": "newest"}, "point"),
        ({"point": None}, "point"),
        ({"cluster": "Demo!"}, "cluster"),
        ({"plan": "not-a-hash"}, "plan"),
        ({"dry_run": "perhaps"}, "dry_run"),
        ({"accept_label": "good enough"}, "accept_label"),
        ({"dryrun": True}, "dryrun"),
    ],
)
def test_a_wrong_field_is_named_with_those_that_are_known(change: dict[str, Any], field: str) -> None:
    with pytest.raises(RejectedError, match=rf"bad_input: field {field}: .*known fields: cluster, point, dry_run"):
        parse_request(RestoreRequest, {**GOOD, **change})


def test_a_run_is_named_after_its_journey_and_start() -> None:
    assert run_id("demo", "restore", NOON) == "demo-restore-20261123T120000Z"
    assert run_id("demo", "replace-node", NOON) == "demo-replace-20261123T120000Z"
