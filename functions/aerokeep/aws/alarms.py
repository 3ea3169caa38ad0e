"""CloudWatch alarms: put, found by the beginning of their names, deleted."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from aerokeep.aws.clients import client
from aerokeep.aws.errors import translated
from aerokeep.aws.tags import tag_list
from aerokeep.model.alarm import Alarm

MOST_NAMES_PER_CALL = 100


class Alarms:
    """The alarms that follow the nodes."""

    def __init__(self, cloudwatch: Any) -> None:  # noqa: ANN401 - boto3's own type, of which there are no stubs here
        self._cloudwatch = cloudwatch

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("cloudwatch"))

    def with_prefix(self, prefix: str) -> dict[str, Alarm]:
        """Every metric alarm whose name begins so, by name."""
        with translated("DescribeAlarms"):
            pages = self._cloudwatch.get_paginator("describe_alarms").paginate(
                AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
            )
            return {str(raw["AlarmName"]): _alarm(raw) for page in pages for raw in page["MetricAlarms"]}

    def put(self, alarm: Alarm, *, tags: Mapping[str, str]) -> None:
        """Create or change one; its state stays."""
        with translated("PutMetricAlarm"):
            self._cloudwatch.put_metric_alarm(
                AlarmName=alarm.name,
                AlarmDescription=alarm.description,
                ActionsEnabled=False,
                Namespace=alarm.namespace,
                MetricName=alarm.metric,
                Dimensions=[{"Name": name, "Value": value} for name, value in sorted(alarm.dimensions.items())],
                Statistic=alarm.statistic,
                ComparisonOperator=alarm.comparison,
                Threshold=alarm.threshold,
                Period=alarm.period_s,
                EvaluationPeriods=alarm.periods,
                DatapointsToAlarm=alarm.periods,
                TreatMissingData=alarm.missing,
                Tags=tag_list(tags),
            )

    def delete(self, names: Iterable[str]) -> None:
        """Delete those that exist."""
        doomed = sorted(names)
        for start in range(0, len(doomed), MOST_NAMES_PER_CALL):
            with translated("DeleteAlarms"):
                self._cloudwatch.delete_alarms(AlarmNames=doomed[start : start + MOST_NAMES_PER_CALL])


def _alarm(raw: Mapping[str, Any]) -> Alarm:
    return Alarm(
        name=str(raw["AlarmName"]),
        description=str(raw.get("AlarmDescription", "")),
        namespace=str(raw.get("Namespace", "")),
        metric=str(raw.get("MetricName", "")),
        dimensions={str(d["Name"]): str(d["Value"]) for d in raw.get("Dimensions", [])},
        statistic=str(raw.get("Statistic", "")),
        comparison=str(raw.get("ComparisonOperator", "")),
        threshold=float(raw.get("Threshold", 0)),
        period_s=int(raw.get("Period", 0)),
        periods=int(raw.get("EvaluationPeriods", 0)),
        missing=str(raw.get("TreatMissingData", "missing")),
    )
