"""Alarms of clusters: each has its runbook entry, none starts a replacement, and all are told to the failures topic."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aerokeep.rules.ages import AGE, RANK
from aerokeep.rules.alarms import watched_by

from infra.build_products import BuildProducts
from infra.config import Config
from infra.stacks import build_app
from infra.watch import AGE as AGE_HERE
from infra.watch import RANK as RANK_HERE
from infra.watch import alarms_of
from tests.infra.synthesis import Synthesis

TRIGGER = "AerokeepTrigger"
CLUSTERS = {
    "clusters": {
        "orders": {
            "tag": {"key": "db", "value": "orders"},
            "schedule": {"expression": "rate(6 hours)"},
            "write_stop": {"budget_s": 7},
        },
        "by-hand": {"tag": {"key": "role", "value": "users"}},
    },
}


@pytest.fixture(scope="module")
def watched(products: BuildProducts, tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    outdir = tmp_path_factory.mktemp("aerokeep-cdk-out")
    build_app(Config.model_validate(CLUSTERS), products, context={}, outdir=outdir, nag=True).synth()
    return Synthesis(outdir)


def alarms(synthesis: Synthesis) -> dict[str, Any]:
    found = synthesis.resources(TRIGGER, "AWS::CloudWatch::Alarm").values()
    return {alarm["Properties"]["AlarmName"]: alarm["Properties"] for alarm in found}


def rules(synthesis: Synthesis) -> dict[str, Any]:
    found = synthesis.resources(TRIGGER, "AWS::Events::Rule").values()
    return {rule["Properties"].get("Description", ""): rule["Properties"] for rule in found}


def test_every_alarm_has_its_runbook_entry_and_every_entry_its_alarm(root: Path) -> None:
    cluster = Config.model_validate(CLUSTERS).clusters["orders"]
    runbook = (root / "docs" / "runbook.md").read_text(encoding="utf-8")
    entries = re.findall(r"^### Alarm `([a-z-]+)`$", runbook, re.MULTILINE)
    assert sorted(entries) == sorted(alarm.code for alarm in alarms_of("orders", cluster))


def test_no_alarm_of_a_cluster_starts_a_replacement(watched: Synthesis) -> None:
    follow = rules(watched)["Aerokeep: alarms of nodes"]["EventPattern"]["detail"]["alarmName"]
    prefixes = tuple(entry["prefix"] for entry in follow)
    for name in alarms(watched):
        assert not name.startswith(prefixes)
        assert watched_by(name) is None


def test_every_alarm_of_a_cluster_is_told_to_the_failures_topic(watched: Synthesis) -> None:
    rule = rules(watched)["Aerokeep: alarms of clusters"]
    (prefix,) = (entry["prefix"] for entry in rule["EventPattern"]["detail"]["alarmName"])
    assert all(name.startswith(prefix) for name in alarms(watched))
    assert rule["EventPattern"]["detail"]["state"] == {"value": ["ALARM"]}
    assert "Failures" in json.dumps(rule["Targets"])


def test_the_age_alarm_goes_by_the_schedule_and_silence_is_an_alarm(watched: Synthesis) -> None:
    age = alarms(watched)["aerokeep.orders.recovery-point-age"]
    assert (age["Threshold"], age["TreatMissingData"]) == (8 * 3600, "breaching")
    assert {d["Name"]: d["Value"] for d in age["Dimensions"]} == {"cluster": "orders", "label": "cluster"}
    assert age["MetricName"] == AGE == AGE_HERE
    assert RANK == RANK_HERE
    assert "aerokeep.by-hand.recovery-point-age" not in alarms(watched)


def test_the_write_stop_is_held_against_its_budget(watched: Synthesis) -> None:
    stop = alarms(watched)["aerokeep.orders.write-stop-over-budget"]
    assert (stop["Threshold"], stop["ExtendedStatistic"], stop["TreatMissingData"]) == (7, "p99", "notBreaching")


def test_there_is_one_dashboard_with_every_cluster_on_it(watched: Synthesis) -> None:
    (dashboard,) = watched.resources(TRIGGER, "AWS::CloudWatch::Dashboard").values()
    body = json.dumps(dashboard["Properties"]["DashboardBody"])
    assert all(name in body for name in ("orders", "by-hand", "NewestPointAgeSeconds", "WriteStopSeconds", "p50"))
