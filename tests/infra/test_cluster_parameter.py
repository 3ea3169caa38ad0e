"""What the synth writes for a cluster is what the Lambdas read."""

import json

import pytest
from aerokeep.model.cluster import LONGEST_LEAD_S, LONGEST_LEASE_S, ClusterConfig, ClusterName, ExportPolicy
from aerokeep.model.cluster import WriteStop as LambdasWriteStop
from pydantic import TypeAdapter, ValidationError

from infra.config import Cluster, Export, WriteStop
from tests.infra.synthesis import Synthesis

FULL = {
    "tag": {"key": "aerospike", "value": "orders"},
    "schedule": {"expression": "rate(6 hours)", "time_zone": "Europe/Berlin"},
    "consistency": "node",
    "shortfall": "degrade",
    "write_stop": {"lead_s": 90, "lease_s": 40, "budget_s": 12},
    "snapshot_deadline_s": 7200,
    "not_saved": ["cache", "sessions"],
    "restore": {
        "start_deadline_s": 7200,
        "check_deadline_s": 3600,
        "volume_deadline_s": 600,
        "volume_quota_tib": 300,
    },
    "replace": {
        "automatic": False,
        "data": "empty",
        "cool_down_s": 60,
        "patience_s": 600,
        "join_deadline_s": 7200,
    },
    "export": {
        "runner": "tagged",
        "runner_tag": {"key": "role", "value": "tools"},
        "mode": "directory",
        "directory": "/mnt/large/transfer",
        "slices": 2,
        "at_once": 3,
        "parallel": 8,
        "file_mib": 100,
        "records_per_second": 5000,
        "bandwidth_mibps": 40,
        "nice": 5,
        "compression": "zstd",
        "encryption": {"mode": "aes256", "key": "secret:aerokeep/export"},
        "overlap_s": 60,
        "verify": "sizes",
        "tries": 5,
        "deadline_s": 7200,
        "runner_silence_s": 120,
        "silence_s": 900,
        "import_from": ["live", "archive"],
    },
    "kms_keys": ["arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d"],
}


def test_every_parameter_of_the_templates_is_a_cluster_configuration(synthesis: Synthesis) -> None:
    parameters = synthesis.resources("AerokeepTrigger", "AWS::SSM::Parameter").values()
    read = [ClusterConfig.model_validate_json(parameter["Properties"]["Value"]) for parameter in parameters]
    assert [f"/aerokeep/clusters/{config.name}" for config in read] == [p["Properties"]["Name"] for p in parameters]


def test_no_value_of_the_operator_is_lost_on_the_way() -> None:
    written = Cluster.model_validate(FULL).parameter("orders")
    read = ClusterConfig.model_validate_json(json.dumps(written))
    assert read.model_dump(mode="json") == written
    assert {key: written[key] for key in FULL if key != "schedule"} == {
        key: value for key, value in FULL.items() if key != "schedule"
    }


def test_both_sides_agree_on_what_is_said_when_nothing_is_said() -> None:
    tag = FULL["tag"]
    written = Cluster.model_validate({"tag": tag}).parameter("orders")
    assert ClusterConfig.model_validate({"name": "orders", "tag": tag}).model_dump(mode="json") == written


def test_the_synth_refuses_what_the_lambdas_would_refuse() -> None:
    for field, longest in (("lead_s", LONGEST_LEAD_S), ("lease_s", LONGEST_LEASE_S)):
        WriteStop.model_validate({"budget_s": 2, field: longest})
        with pytest.raises(ValidationError):
            WriteStop.model_validate({"budget_s": 2, field: longest + 1})


@pytest.mark.parametrize("field", ["lead_s", "lease_s", "budget_s"])
def test_no_write_stop_passes_the_synth_and_fails_the_run(field: str) -> None:
    rest = {"lead_s": 60, "lease_s": 60, "budget_s": 2}
    for seconds in range(130):
        wanted = {**rest, field: seconds}
        try:
            WriteStop.model_validate(wanted)
        except ValidationError:
            continue
        LambdasWriteStop.model_validate(wanted)


BOUNDED = [name for name, field in Export.model_fields.items() if field.annotation is int]


@pytest.mark.parametrize("field", BOUNDED)
def test_no_number_of_an_export_passes_the_synth_and_fails_the_run(field: str) -> None:
    bounds = [getattr(limit, "ge", getattr(limit, "le", 0)) for limit in Export.model_fields[field].metadata]
    passed = 0
    for number in {edge + step for edge in (*bounds, 0, 1 << 20) for step in (-1, 0, 1)}:
        try:
            Export.model_validate({field: number})
        except ValidationError:
            continue
        ExportPolicy.model_validate({field: number})
        passed += 1
    assert passed > 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("directory", "/mnt/large"),
        ("directory", "/mnt/a+b@c/d.e-f_g/h"),
        ("encryption", {"mode": "aes128", "key": "file:/etc/aerokeep/export.pem"}),
        (
            "encryption",
            {"mode": "aes256", "key": "secret:arn:aws:secretsmanager:eu-central-1:111122223333:secret:a-Xy1"},
        ),
    ],
)
def test_a_text_of_an_export_that_the_synth_takes_is_one_for_the_lambdas(field: str, value: object) -> None:
    told = {"compression": "none", field: value}
    assert Export.model_validate(told).model_dump(mode="json")[field] == value
    assert ExportPolicy.model_validate(told).model_dump(mode="json")[field] == value


def test_both_sides_know_the_same_fields_of_an_export() -> None:
    assert set(Export.model_fields) - {"schedule"} == set(ExportPolicy.model_fields)


@pytest.mark.parametrize("name", ["a", "orders-eu", "a" * 40])
def test_a_name_that_the_synth_takes_is_one_for_the_lambdas(name: str) -> None:
    assert TypeAdapter(ClusterName).validate_python(name) == name
