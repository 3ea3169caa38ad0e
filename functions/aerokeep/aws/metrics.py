"""CloudWatch metrics that alarms watch: put directly, since one in a log line may come late."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self

from aerokeep.aws.clients import client
from aerokeep.aws.errors import translated
from aerokeep.model.metric import Datum

NAMESPACE = "Aerokeep"
MOST_DATA_PER_CALL = 500


class Measurements:
    """PutMetricData."""

    def __init__(self, cloudwatch: Any) -> None:  # noqa: ANN401 - boto3's own type, of which there are no stubs here
        self._cloudwatch = cloudwatch

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("cloudwatch"))

    def put(self, data: Iterable[Datum], *, at: datetime) -> None:
        """Record every datum at one instant."""
        told = [_told(datum, at) for datum in data]
        for start in range(0, len(told), MOST_DATA_PER_CALL):
            with translated("PutMetricData"):
                self._cloudwatch.put_metric_data(
                    Namespace=NAMESPACE, MetricData=told[start : start + MOST_DATA_PER_CALL]
                )


def _told(datum: Datum, at: datetime) -> Mapping[str, Any]:
    return {
        "MetricName": datum.name,
        "Value": datum.value,
        "Unit": "Seconds" if datum.name.endswith("Seconds") else "Count",
        "Timestamp": at,
        "Dimensions": [{"Name": name, "Value": value} for name, value in sorted(datum.dimensions.items())],
    }
