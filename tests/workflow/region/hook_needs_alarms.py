"""What the hooks of alarms are for: questions that moto alone answers wrongly."""

import time
from collections.abc import Callable

from sandbox.region import Region
from tests.workflow.region.shapes import eventually

Right = Callable[[Region], bool]


def _alarm(region: Region) -> str:
    name = f"a{time.monotonic_ns()}"
    region.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="N",
        MetricName="M",
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name


def _begins_unsure(region: Region) -> bool:
    found = region.client("cloudwatch").describe_alarms(AlarmNames=[_alarm(region)])["MetricAlarms"]
    return bool(found[0]["StateValue"] == "INSUFFICIENT_DATA")


def _alarm_is_told(region: Region) -> bool:
    topic = region.client("sns").create_topic(Name="told")["TopicArn"]
    events, name = region.client("events"), _alarm(region)
    events.put_rule(Name="told", EventPattern='{"source": ["aws.cloudwatch"]}')
    events.put_targets(Rule="told", Targets=[{"Id": "t", "Arn": topic}])
    region.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="r")
    return eventually(lambda: bool(region.topic_messages(topic)), within_s=0.3)


NEEDED: dict[str, Right] = {
    "moto.cloudwatch.models:CloudWatchBackend.put_metric_alarm": _begins_unsure,
    "moto.cloudwatch.models:CloudWatchBackend.set_alarm_state": _alarm_is_told,
}
