"""CloudWatch alarms that are evaluated, and whose state changes become events and messages."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import MetricDatum, Statistics, cloudwatch_backends

from sandbox.region.ec2.checks import Check
from sandbox.region.verdicts import Rule, judge

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any
EC2 = "AWS/EC2"
CHECKS: dict[str, tuple[Check, ...]] = {
    "StatusCheckFailed": ("instance", "system", "ebs"),
    "StatusCheckFailed_Instance": ("instance",),
    "StatusCheckFailed_System": ("system",),
    "StatusCheckFailed_AttachedEBS": ("ebs",),
}
MINUTE_S = 60
SAMPLES_PER_MINUTE = 10
MOST_SAMPLES = 1000


class Alarms:
    """Looks at every alarm again and again, in a thread of its own."""

    def __init__(self, region: "Region") -> None:
        self._region = region
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="aerokeep-alarms", daemon=True)
        self._samples: dict[tuple[str, str], deque[tuple[float, float]]] = defaultdict(
            lambda: deque(maxlen=MOST_SAMPLES)
        )
        self._sampled_at = 0.0
        self._forced_until: dict[str, float] = {}

    def start(self) -> None:
        """Evaluate from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Evaluate no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(5)

    @property
    def _backend(self) -> Moto:
        return cloudwatch_backends[self._region.account][self._region.region]

    def _work(self) -> None:
        while not self._stopped.wait(self._region.pace.alarm_tick_s):
            alarms = [
                alarm for alarm in list(self._backend.alarms.values()) if alarm.rule is None and alarm.metric_name
            ]
            if alarms:
                self._sample()
            for alarm in alarms:
                self._evaluate(alarm)

    def _sample(self) -> None:
        """Status checks become metrics, of running instances only."""
        now = time.time()
        if now - self._sampled_at < MINUTE_S * self._region.pace.alarm_scale / SAMPLES_PER_MINUTE:
            return
        self._sampled_at = now
        checks = self._region.ec2.instances.checks
        for instance in self._region.ec2.all_instances():
            if instance.state == "running":
                for name, which in CHECKS.items():
                    failed = any(checks.failed(instance.id, check) for check in which)
                    self._samples[instance.id, name].append((now, float(failed)))

    def _values(self, alarm: Moto) -> Iterator[tuple[float, Moto]]:
        """(when, datum) of an alarm's metric."""
        if alarm.namespace == EC2 and alarm.metric_name in CHECKS:
            instance_id = next((d.value for d in alarm.dimensions if d.name == "InstanceId"), "")
            for at, value in tuple(self._samples[instance_id, alarm.metric_name]):
                yield at, MetricDatum(EC2, alarm.metric_name, value, [], datetime.fromtimestamp(at, UTC))
            return
        wanted = {(d.name, d.value) for d in alarm.dimensions}
        for datum in tuple(self._backend.metric_data):
            same = (datum.namespace, datum.name) == (alarm.namespace, alarm.metric_name)
            if same and {(d.name, d.value) for d in datum.dimensions} == wanted:
                yield _seconds(datum.timestamp), datum

    def _evaluate(self, alarm: Moto) -> None:
        now, period_s = time.time(), float(alarm.period) * self._region.pace.alarm_scale
        if now < self._forced_until.get(alarm.name, 0.0):
            return
        values = list(self._values(alarm))
        windows = [
            [datum for at, datum in values if now - (number + 1) * period_s <= at < now - number * period_s]
            for number in range(int(alarm.evaluation_periods))
        ]
        points = [_statistic(alarm.statistic, data) for data in windows]
        age_s = now - getattr(
            alarm, "begun_at", now
        )  # one that is put again does not forget how long nothing was heard
        rule = Rule(
            comparison=alarm.comparison_operator,
            threshold=float(alarm.threshold),
            enough=int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
            missing=alarm.treat_missing_data or "missing",
            young=age_s < len(points) * period_s,
        )
        state, reason = judge(points, rule)
        if state and state != alarm.state_value and self._backend.alarms.get(alarm.name) is alarm:
            self.enter(alarm, state, reason, "{}")

    # -- state changes ---------------------------------------------------------------------------------------------

    def force(self, alarm: Moto) -> None:
        """SetAlarmState: it lasts until the next evaluation, a period later."""
        period_s = float(alarm.period or MINUTE_S) * self._region.pace.alarm_scale
        self._forced_until[alarm.name] = time.time() + period_s

    def enter(self, alarm: Moto, state: str, reason: str, reason_data: str) -> None:
        """Go into a state, and tell who wants to know, if it is another."""
        before = _state(alarm)
        alarm.update_state(reason, reason_data, state)
        if before["value"] == state:
            return
        metric = {
            "namespace": alarm.namespace,
            "name": alarm.metric_name,
            "dimensions": {d.name: d.value for d in alarm.dimensions},
        }
        stat = {"metric": metric, "period": alarm.period, "stat": alarm.statistic}
        detail = {
            "alarmName": alarm.name,
            "configuration": {
                "description": alarm.description or "",
                "metrics": [{"id": "m1", "metricStat": stat, "returnData": True}],
            },
            "previousState": before,
            "state": _state(alarm),
        }
        bus = self._region.bus
        bus.put("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.alarm_arn])
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(state, alarm.insufficient_data_actions)
        for arn in actions if alarm.actions_enabled else ():
            bus.notify(arn, {"AlarmName": alarm.name, "NewStateValue": state, "NewStateReason": reason})


def _statistic(name: str | None, data: list[Moto]) -> float | None:
    if not data:
        return None
    statistics = Statistics([name or "Average"], datetime.now(UTC))
    statistics.metric_data = data
    value = statistics.get_statistics_for_type(name or "Average")
    return None if value is None else float(value)


def _seconds(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _state(alarm: Moto) -> dict[str, str]:
    at = datetime.fromtimestamp(_seconds(alarm.state_updated_timestamp), UTC)
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "reasonData": alarm.state_reason_data or "{}",
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}+0000",
    }
