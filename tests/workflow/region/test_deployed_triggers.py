"""What the deployed templates start by themselves: a backup by schedule, a replacement by alarm, word of failures."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from sandbox.light.launch import LightCluster
from tests.crash.field import CDK_OUT, PACE, Execution, Field
from tests.told import told_of_executions
from tests.workflow.region.shapes import eventually

CLUSTER = "demo"
BEFORE = timedelta(seconds=1)
PATIENCE_S = 60.0
BY_THE_CLOCK = replace(PACE, schedule_scale=1.0)


@pytest.fixture(scope="module")
def field() -> Iterator[Field]:
    """Everything deployed; schedules fire."""
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    made = Field.open(pace=BY_THE_CLOCK)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def configured() -> dict[str, Any]:
    """The cluster as clusters.yaml has it."""
    text = (CDK_OUT.parent / "clusters.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["clusters"][CLUSTER]
    return found


@pytest.fixture(scope="module")
def cluster(field: Field, configured: dict[str, Any]) -> LightCluster:
    """The cluster that the templates were deployed for; ``crash`` waits for no write stop, whose lead is a minute."""
    ssm, name = field.region.client("ssm"), f"/aerokeep/clusters/{CLUSTER}"
    parameter = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    light = json.dumps({**parameter, "consistency": "crash"})
    ssm.put_parameter(Name=name, Value=light, Type="String", Overwrite=True)
    tag = configured["tag"]
    return field.clusters.launch(CLUSTER, tag=(tag["key"], tag["value"]), timeline=f"{CLUSTER}/first")


def _next_night(configured: dict[str, Any]) -> datetime:
    """When the schedule of clusters.yaml falls due next."""
    minute, hour = configured["schedule"]["expression"].removeprefix("cron(").split()[:2]
    zone = ZoneInfo(configured["schedule"]["time_zone"])
    tomorrow = datetime.now(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(int(hour), int(minute)), zone).astimezone(UTC)


def _executions(field: Field, journey: str) -> list[dict[str, Any]]:
    states = field.region.client("stepfunctions")
    arn = field.arn_of(journey, "").replace(":execution:", ":stateMachine:").rstrip(":")
    listed: list[dict[str, Any]] = states.list_executions(stateMachineArn=arn)["executions"]
    return [states.describe_execution(executionArn=entry["executionArn"]) for entry in listed]


def _started_with(field: Field, journey: str, **given: object) -> list[Execution]:
    """The executions of a journey whose input is this, when they have ended."""
    found = [e for e in _executions(field, journey) if json.loads(e["input"]) == given]
    return [field.ended(str(entry["executionArn"])) for entry in found]


def test_a_backup_starts_by_itself_from_its_schedule_and_ends_with_a_committed_point(
    field: Field, cluster: LightCluster, configured: dict[str, Any]
) -> None:
    night = _next_night(configured)
    field.region.schedules.turn_to(night - BEFORE)
    scheduled = {"cluster": cluster.name, "scheduled_time": night.strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert eventually(lambda: bool(_executions(field, "backup")), within_s=PATIENCE_S)
    (run,) = _started_with(field, "backup", **scheduled)
    assert run.status == "SUCCEEDED", run.words
    assert field.manifest(cluster.name, str(run.output["point"]))["state"] == "committed"
    assert field.region.schedules.failures == []
    assert field.region.bus.failures == []


def test_an_alarm_of_a_node_that_is_forced_starts_its_replacement(field: Field, cluster: LightCluster) -> None:
    """The alarms are there because the templates' schedule has called the journey that puts them."""
    cloudwatch, node = field.region.client("cloudwatch"), cluster.members[0].instance_id

    def alarms_of_node() -> list[str]:
        found = cloudwatch.describe_alarms(AlarmNamePrefix=f"aerokeep-{cluster.name}-")["MetricAlarms"]
        return [alarm["AlarmName"] for alarm in found if {"Name": "InstanceId", "Value": node} in alarm["Dimensions"]]

    if not alarms_of_node():
        field.region.schedules.turn_to(field.region.schedules.now())  # hourly rates begin anew
    assert eventually(lambda: bool(alarms_of_node()), within_s=PATIENCE_S)
    alarm = alarms_of_node()[0]
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a drill")
    wanted = {"alarm": alarm, "instance": node}
    assert eventually(lambda: bool(_started_with(field, "replace-node", **wanted)), within_s=PATIENCE_S)
    (run,) = _started_with(field, "replace-node", **wanted)
    assert run.cause.startswith("node_alive"), run.words
    states = field.region.client("ec2").describe_instances(InstanceIds=[node])["Reservations"]
    assert states[0]["Instances"][0]["State"]["Name"] == "running"  # it was well, and was left alone


def test_a_failed_execution_reaches_the_topic(field: Field) -> None:
    topic = field.outputs["FailuresTopicArn"]
    run = field.run("backup", "nobody-knows", {"cluster": "nobody-knows"})
    assert run.status == "FAILED"

    def told() -> list[dict[str, Any]]:
        return [one for one in told_of_executions(field.region, topic) if one["executionArn"] == run.arn]

    assert eventually(lambda: bool(told()), within_s=PATIENCE_S)
    assert [(detail["status"], detail["error"]) for detail in told()] == [("FAILED", "RejectedError")]
