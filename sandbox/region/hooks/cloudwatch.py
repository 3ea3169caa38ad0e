"""CloudWatch: alarms keep their state when they are put again, and changes of it are told."""

import time
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.exceptions import ValidationError

from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

BACKEND = "moto.cloudwatch.models:CloudWatchBackend."
STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")
Moto = Any


def _put(_region: "Region", old: Moto) -> Moto:
    def put_metric_alarm(self: Moto, *args: Any, **kwargs: Any) -> Moto:  # noqa: ANN401  # moto's own signature
        if kwargs.get("metric_data_queries"):
            raise ValidationError("the sandbox evaluates alarms of one metric, and no metric math")
        before = dict(self.alarms)
        alarm = old(self, *args, **kwargs)
        former = before.get(alarm.name)
        alarm.begun_at = getattr(former, "begun_at", time.time())
        if former is None:
            alarm.state_value = "INSUFFICIENT_DATA"
        else:
            for name in STATE:
                setattr(alarm, name, getattr(former, name))
        return alarm

    return put_metric_alarm


def _set_state(region: "Region", old: Moto) -> Moto:
    def set_alarm_state(self: Moto, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        alarm = self.alarms.get(alarm_name)
        former = None if alarm is None else {name: getattr(alarm, name) for name in STATE}
        old(self, alarm_name, reason, reason_data, state_value)  # its refusals
        if alarm is not None and former is not None:
            former["history"] = list(former["history"][:-1])
            for name, value in former.items():
                setattr(alarm, name, value)
            region.alarms.force(alarm)
            region.alarms.enter(alarm, state_value, reason, reason_data or "{}")

    return set_alarm_state


PUT_PARAMETERS = (
    "self", "name", "namespace", "metric_name", "comparison_operator", "evaluation_periods", "period", "threshold",
    "statistic", "description", "dimensions", "alarm_actions", "metric_data_queries", "datapoints_to_alarm",
    "extended_statistic", "ok_actions", "insufficient_data_actions", "unit", "actions_enabled", "treat_missing_data",
    "evaluate_low_sample_count_percentile", "threshold_metric_id", "rule", "tags",
)  # fmt: skip

HOOKS = (
    Hook(
        f"{BACKEND}put_metric_alarm",
        "moto's alarms begin as OK, and forget their state when they are put again.",
        _put,
        PUT_PARAMETERS,
    ),
    Hook(
        f"{BACKEND}set_alarm_state",
        "moto tells nobody that an alarm has changed.",
        _set_state,
        ("self", "alarm_name", "reason", "reason_data", "state_value"),
    ),
)
