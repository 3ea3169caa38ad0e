"""The input of an import is checked field by field."""

from typing import Any

import pytest
from aerokeep.model.errors import RejectedError
from aerokeep.model.import_ import ImportRequest
from aerokeep.model.transfer_order import WriteRule
from aerokeep.steps.shared.starting_out import parse_request

from tests.transfer_builders import EXPORT

GOOD = {"cluster": "demo", "export": EXPORT}


def test_cluster_and_export_are_enough_and_nothing_that_is_there_is_written_over() -> None:
    request = parse_request(ImportRequest, GOOD)
    assert (request.write, request.existing, request.dry_run, request.force_tool_version) == (
        WriteRule.GENERATION,
        "refuse",
        False,
        False,
    )
    assert (request.source, parse_request(ImportRequest, {**GOOD, "source_cluster": "live"}).source) == ("demo", "live")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cluster": "Demo!"}, "cluster"),
        ({"export": "newest"}, "export"),
        ({"export": None}, "export"),
        ({"source_cluster": "../demo"}, "source_cluster"),
        ({"namespaces": ["test"]}, "namespaces"),
        ({"namespaces": {"test": "no spaces"}}, r"namespaces\.test"),
        ({"dry_run": "perhaps"}, "dry_run"),
        ({"dryrun": True}, "dryrun"),
        ({"write": "over"}, "write"),
        ({"extra_ttl_s": -1}, "extra_ttl_s"),
        ({"extra_ttl_s": 315_360_001}, "extra_ttl_s"),
        ({"existing": "wipe"}, "existing"),
        ({"force_tool_version": "4.5"}, "force_tool_version"),
        ({"mode": "tape"}, "mode"),
        ({"parallel": 0}, "parallel"),
        ({"records_per_second": -1}, "records_per_second"),
        ({"bandwidth_mibps": -1}, "bandwidth_mibps"),
        ({"compression": "gzip"}, "compression"),
    ],
)
def test_bad_input_is_named_by_its_field_with_those_that_are_known(change: dict[str, Any], field: str) -> None:
    with pytest.raises(
        RejectedError, match=rf"bad_input: field {field}: .*known fields: cluster, export, source_cluste"
    ):
        parse_request(ImportRequest, {**GOOD, **change})
