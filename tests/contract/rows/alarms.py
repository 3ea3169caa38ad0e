"""CloudWatch: alarms that follow a metric, what silence means to them, and who hears of their states."""

import json
import time
from functools import partial
from typing import Any

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import a_name, heard, next_message, queue, received

BACKEND = "moto.cloudwatch.models:CloudWatchBackend."
GUIDE = "CloudWatch user guide, Using CloudWatch alarms"
API = "CloudWatch API reference"
QUICK = Pace(alarm_scale=0.005, alarm_tick_s=0.02)
"""A minute lasts 0.3 seconds."""
STILL = Pace(alarm_tick_s=60.0)
"""No alarm is evaluated."""
MINUTES = "it would take minutes"
BASE: dict[str, Any] = {
    "Namespace": "aerokeep-contract",
    "MetricName": "up",
    "Statistic": "Minimum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "LessThanThreshold",
}


def _alarm(aws: Account, **changes: object) -> str:
    cloudwatch, name = aws.client("cloudwatch"), a_name()
    cloudwatch.put_metric_alarm(AlarmName=name, **{**BASE, **changes})
    aws.later(lambda: cloudwatch.delete_alarms(AlarmNames=[name]))
    return name


def _state(aws: Account, name: str) -> str:
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found[0]["StateValue"])


def _beat(aws: Account, value: float) -> None:
    datum = {"MetricName": BASE["MetricName"], "Value": value}
    aws.client("cloudwatch").put_metric_data(Namespace=BASE["Namespace"], MetricData=[datum])


@behaviour(
    "An alarm begins with INSUFFICIENT_DATA, and keeps its state when it is put again.",
    source=f"{API}, PutMetricAlarm",
    calls=("monitoring.PutMetricAlarm",),
    hooks=(f"{BACKEND}put_metric_alarm",),
    pace=STILL,
)
def _begins(aws: Account) -> None:
    name, cloudwatch = _alarm(aws), aws.client("cloudwatch")
    assert _state(aws, name) == "INSUFFICIENT_DATA"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
    cloudwatch.put_metric_alarm(AlarmName=name, **{**BASE, "Threshold": 2})
    assert _state(aws, name) == "ALARM"


@behaviour(
    "SetAlarmState tells rules and topics, once, with the alarm's metric and dimensions.",
    source=f"{API}, SetAlarmState; CloudWatch user guide, Alarm events and EventBridge",
    hooks=(f"{BACKEND}set_alarm_state",),
    pace=STILL,
)
def _forced(aws: Account) -> None:
    url = heard(aws, {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]})
    dimensions = [{"Name": "InstanceId", "Value": "i-0123456789abcdef0"}]
    name, cloudwatch = _alarm(aws, Dimensions=dimensions), aws.client("cloudwatch")
    for _ in range(2):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
    detail = json.loads(next_message(aws, url)["Body"])["detail"]
    assert (detail["alarmName"], detail["state"]["value"], detail["state"]["reason"]) == (name, "ALARM", "a drill")
    assert detail["previousState"]["value"] == "INSUFFICIENT_DATA"
    metric = detail["configuration"]["metrics"][0]["metricStat"]["metric"]
    assert metric["dimensions"] == {"InstanceId": "i-0123456789abcdef0"}
    assert received(aws, url) == []


@behaviour(
    "An alarm's action tells its topic, unless actions are off.",
    source=f"{GUIDE}, Alarm actions",
    pace=STILL,
)
def _actions(aws: Account) -> None:
    sns, cloudwatch = aws.client("sns"), aws.client("cloudwatch")
    (url, arn), topic = queue(aws), sns.create_topic(Name=a_name())["TopicArn"]
    aws.later(lambda: sns.delete_topic(TopicArn=topic))
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    silent = _alarm(aws, AlarmActions=[topic], ActionsEnabled=False)
    loud = _alarm(aws, AlarmActions=[topic])
    for name in (silent, loud):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
    assert json.loads(json.loads(next_message(aws, url)["Body"])["Message"])["AlarmName"] == loud
    assert received(aws, url) == []


@behaviour(
    "An alarm follows what PutMetricData puts, and goes back when it is well again.",
    source=GUIDE,
    calls=("monitoring.PutMetricData", "monitoring.PutMetricAlarm"),
    sandbox_only=MINUTES,
    pace=QUICK,
)
def _follows(aws: Account) -> None:
    name = _alarm(aws, TreatMissingData="ignore")

    def becomes(state: str, value: float) -> bool:
        _beat(aws, value)
        return _state(aws, name) == state

    assert aws.eventually(lambda: becomes("OK", 1.0))
    assert aws.eventually(lambda: becomes("ALARM", 0.0))
    assert aws.eventually(lambda: becomes("OK", 1.0))


def _silence(missing: str, after: str, aws: Account) -> None:
    name = _alarm(aws, TreatMissingData=missing)

    def beats() -> bool:
        _beat(aws, 0.0)
        return _state(aws, name) == "ALARM"

    assert aws.eventually(beats)
    if missing == "ignore":
        time.sleep(1.0)  # longer than all that the alarm looks at: that nothing happens can't be waited for
        assert _state(aws, name) == after
    else:
        _watch(aws, name, after)


def _watch(aws: Account, name: str, after: str) -> None:
    assert aws.eventually(lambda: _state(aws, name) == after)


for _missing, _after in (("missing", "INSUFFICIENT_DATA"), ("ignore", "ALARM"), ("notBreaching", "OK")):
    behaviour(
        f"After an alarm's metric has fallen silent, TreatMissingData {_missing} makes it {_after}.",
        source=f"{GUIDE}, Configuring how CloudWatch alarms treat missing data",
        sandbox_only=MINUTES,
        pace=QUICK,
    )(partial(_silence, _missing, _after))


@behaviour(
    "After an alarm's metric has fallen silent, TreatMissingData breaching makes it ALARM.",
    source=f"{GUIDE}, Configuring how CloudWatch alarms treat missing data",
    sandbox_only=MINUTES,
    pace=QUICK,
)
def _breaching(aws: Account) -> None:
    name = _alarm(aws, TreatMissingData="breaching")

    def beats() -> bool:
        _beat(aws, 1.0)
        return _state(aws, name) == "OK"

    assert aws.eventually(beats)
    _watch(aws, name, "ALARM")


@behaviour(
    "An alarm of M out of N fires with M breaching datapoints, and not with fewer.",
    source=f"{GUIDE}, Evaluating an alarm",
    sandbox_only=MINUTES,
    pace=QUICK,
)
def _m_of_n(aws: Account) -> None:
    changes = {"EvaluationPeriods": 3, "TreatMissingData": "notBreaching"}
    two, three = _alarm(aws, DatapointsToAlarm=2, **changes), _alarm(aws, DatapointsToAlarm=3, **changes)
    period_s = 60 * QUICK.alarm_scale
    now = time.time()
    for back in (1, 2):
        stamp = {"MetricName": "up", "Value": 0.0, "Timestamp": now - back * period_s + period_s / 2}
        aws.client("cloudwatch").put_metric_data(Namespace=BASE["Namespace"], MetricData=[stamp])
    assert aws.eventually(lambda: _state(aws, two) == "ALARM")
    assert _state(aws, three) in ("OK", "INSUFFICIENT_DATA")


@behaviour(
    "Alarms are found by the beginning of their names, in pages; deleting one that never was is refused by nobody.",
    source=f"{API}, DescribeAlarms and DeleteAlarms",
    calls=("monitoring.DescribeAlarms", "monitoring.DeleteAlarms"),
    pace=STILL,
)
def _found(aws: Account) -> None:
    cloudwatch, prefix = aws.client("cloudwatch"), a_name()
    names = [f"{prefix}-{number}" for number in range(3)]
    for name in names:
        cloudwatch.put_metric_alarm(AlarmName=name, **BASE, Tags=[{"Key": "row", "Value": "yes"}])
    pages = cloudwatch.get_paginator("describe_alarms")
    wanted = {"AlarmNamePrefix": prefix, "AlarmTypes": ["MetricAlarm"]}
    found = [alarm["AlarmName"] for page in pages.paginate(**wanted) for alarm in page["MetricAlarms"]]
    assert sorted(found) == names
    cloudwatch.delete_alarms(AlarmNames=[*names, f"{prefix}-never"])
    assert cloudwatch.describe_alarms(**wanted)["MetricAlarms"] == []
