"""Alarms follow their metrics, and changes of their state start executions and reach topics."""

import json
from typing import Any

import pytest

from sandbox.region import Pace, Region
from sandbox.region.verdicts import Rule, judge
from tests.workflow.region.shapes import a_machine, eventually

STATUS: dict[str, Any] = {
    "Namespace": "AWS/EC2",
    "MetricName": "StatusCheckFailed",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 2,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


@pytest.fixture
def pace() -> Pace:
    return Pace(alarm_scale=0.003, alarm_tick_s=0.03)


def _status_alarm(region: Region, instance_id: str, **changes: Any) -> None:  # noqa: ANN401  # an alarm's own fields
    dimensions = [{"Name": "InstanceId", "Value": instance_id}]
    alarm = {"AlarmName": "status", **STATUS, "Dimensions": dimensions, **changes}
    region.client("cloudwatch").put_metric_alarm(**alarm)


def _state(region: Region, name: str) -> str:
    alarms = region.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarms[0]["StateValue"])


def _rule(region: Region, target: dict[str, Any]) -> None:
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"state": {"value": ["ALARM"]}},
    }
    events = region.client("events")
    events.put_rule(Name="alarms", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="alarms", Targets=[{"Id": "t", **target}])


def test_a_power_loss_fires_the_alarm_and_starts_the_execution_with_the_instance(region: Region) -> None:
    instance_id = region.launch_node("n", "10.77.0.11").instance_id
    machine = a_machine(region, {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    transformer = {
        "InputPathsMap": {"instance": "$.detail.configuration.metrics[0].metricStat.metric.dimensions.InstanceId"},
        "InputTemplate": '{"instance": <instance>}',
    }
    _rule(region, {"Arn": machine, "RoleArn": "arn:aws:iam::111122223333:role/r", "InputTransformer": transformer})
    _status_alarm(region, instance_id)
    assert eventually(lambda: _state(region, "status") == "OK")
    region.power_loss(instance_id)
    assert eventually(lambda: _state(region, "status") == "ALARM")
    states = region.client("stepfunctions")
    assert eventually(lambda: bool(states.list_executions(stateMachineArn=machine)["executions"]))
    execution = states.list_executions(stateMachineArn=machine)["executions"][0]
    given = json.loads(states.describe_execution(executionArn=execution["executionArn"])["input"])
    assert given == {"instance": instance_id}
    assert region.bus.failures == []


def test_an_alarm_that_is_put_again_keeps_its_state(region: Region) -> None:
    instance_id = region.launch_node("n", "10.77.0.11").instance_id
    _status_alarm(region, instance_id)
    assert eventually(lambda: _state(region, "status") == "OK")
    _status_alarm(region, instance_id, Period=6000)
    assert _state(region, "status") == "OK"


def test_silence_goes_on_to_count_when_an_alarm_is_put_again(region: Region) -> None:
    alarm = {
        "AlarmName": "silent",
        "Namespace": "Aerokeep",
        "MetricName": "asd_up",
        "Dimensions": [{"Name": "node", "Value": "A1"}],
        "Statistic": "Minimum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 3,
        "Threshold": 1,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
    }

    def put() -> bool:
        region.client("cloudwatch").put_metric_alarm(**alarm)
        return _state(region, "silent") == "ALARM"

    assert eventually(put)


def test_an_alarm_of_ours_starts_the_machine_and_a_strangers_does_not(region: Region) -> None:
    machine = a_machine(region, {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {
            "alarmName": [{"prefix": "aerokeep-"}],
            "state": {"value": ["ALARM"]},
            "previousState": {"value": [{"anything-but": "ALARM"}]},
        },
    }
    paths = {
        "alarm": "$.detail.alarmName",
        "instance": "$.detail.configuration.metrics[0].metricStat.metric.dimensions.InstanceId",
    }
    transformer = {"InputPathsMap": paths, "InputTemplate": '{"alarm": "<alarm>", "instance": "<instance>"}'}
    events = region.client("events")
    events.put_rule(Name="ours", EventPattern=json.dumps(pattern))
    target = {"Id": "m", "Arn": machine, "RoleArn": "arn:aws:iam::111122223333:role/r"}
    events.put_targets(Rule="ours", Targets=[{**target, "InputTransformer": transformer}])
    for name in ("aerokeep-demo-a1-status", "someone-elses"):
        _status_alarm(region, "i-0123456789abcdef0", AlarmName=name, Period=6000)
        for value in ("OK", "ALARM", "ALARM"):
            region.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=value, StateReason="a drill")
    region.bus.drain()
    states = region.client("stepfunctions")
    (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
    given = json.loads(states.describe_execution(executionArn=execution["executionArn"])["input"])
    assert given == {"alarm": "aerokeep-demo-a1-status", "instance": "i-0123456789abcdef0"}


def test_alarms_are_found_by_prefix_put_twice_and_deleted(region: Region) -> None:
    cloudwatch = region.client("cloudwatch")
    for name in ("aerokeep-a", "aerokeep-a", "aerokeep-b", "other"):
        tags = [{"Key": "aerokeep:cluster", "Value": "demo"}]
        _status_alarm(region, "i-0123456789abcdef0", AlarmName=name, TreatMissingData="breaching", Tags=tags)

    def found() -> list[dict[str, Any]]:
        pages = cloudwatch.get_paginator("describe_alarms")
        wanted = {"AlarmNamePrefix": "aerokeep-", "AlarmTypes": ["MetricAlarm"]}
        return [alarm for page in pages.paginate(**wanted) for alarm in page["MetricAlarms"]]

    assert [alarm["AlarmName"] for alarm in found()] == ["aerokeep-a", "aerokeep-b"]
    assert {alarm["TreatMissingData"] for alarm in found()} == {"breaching"}
    cloudwatch.delete_alarms(AlarmNames=["aerokeep-a", "aerokeep-never-was"])
    assert [alarm["AlarmName"] for alarm in found()] == ["aerokeep-b"]


def test_silence_breaches_when_the_alarm_says_so_and_a_heartbeat_heals_it(region: Region) -> None:
    cloudwatch = region.client("cloudwatch")
    dimensions = [{"Name": "node", "Value": "A1"}]
    topic = region.client("sns").create_topic(Name="pages")["TopicArn"]
    cloudwatch.put_metric_alarm(
        AlarmName="silent",
        Namespace="Aerokeep",
        MetricName="asd_up",
        Dimensions=dimensions,
        Statistic="Minimum",
        Period=60,
        EvaluationPeriods=2,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
        AlarmActions=[topic],
    )

    def beat_until(state: str) -> bool:
        datum = {"MetricName": "asd_up", "Dimensions": dimensions, "Value": 1.0}
        cloudwatch.put_metric_data(Namespace="Aerokeep", MetricData=[datum])
        return _state(region, "silent") == state

    assert eventually(lambda: beat_until("OK"))
    assert region.topic_messages(topic) == []
    assert eventually(lambda: _state(region, "silent") == "ALARM")
    assert eventually(lambda: bool(region.topic_messages(topic)))
    assert json.loads(region.topic_messages(topic)[0])["AlarmName"] == "silent"
    assert eventually(lambda: beat_until("OK"))


def test_a_state_can_be_forced_and_is_told_once(region: Region) -> None:
    topic = region.client("sns").create_topic(Name="t")["TopicArn"]
    _rule(region, {"Arn": topic})
    _status_alarm(region, "i-0123456789abcdef0", Period=6000)
    force = {"AlarmName": "status", "StateValue": "ALARM", "StateReason": "a drill"}
    region.client("cloudwatch").set_alarm_state(**force)
    region.client("cloudwatch").set_alarm_state(**force)
    told = [json.loads(text) for text in region.topic_messages(topic)]
    assert [entry["detail"]["state"]["reason"] for entry in told] == ["a drill"]
    assert told[0]["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert told[0]["resources"] == ["arn:aws:cloudwatch:eu-central-1:111122223333:alarm:status"]


@pytest.mark.parametrize(
    ("points", "missing", "young", "state"),
    [
        ([1.0, 1.0], "missing", False, "ALARM"),
        ([1.0, 0.0], "missing", False, "OK"),
        ([1.0, None], "breaching", False, "ALARM"),
        ([1.0, None], "breaching", True, "OK"),
        ([None, None], "breaching", True, None),
        ([None, None], "breaching", False, "ALARM"),
        ([None, None], "notBreaching", False, "OK"),
        ([None, None], "missing", False, "INSUFFICIENT_DATA"),
        ([0.0, None], "ignore", False, None),
    ],
)
def test_missing_datapoints_count_as_the_alarm_says(
    points: list[float | None],
    missing: str,
    young: bool,  # noqa: FBT001  # a row of a table
    state: str | None,
) -> None:
    rule = Rule(comparison="GreaterThanOrEqualToThreshold", threshold=1.0, enough=2, missing=missing, young=young)
    assert judge(points, rule)[0] == state
