"""Schedules and scheduled rules fire when their expression falls due, by a clock that may run faster."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.region import Pace, Region
from sandbox.region.timetable import due_after
from tests.workflow.region.shapes import a_machine, eventually

PASSING = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
ROLE = "arn:aws:iam::111122223333:role/r"


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "due"),
    [
        ("rate(5 minutes)", "UTC", "2026-11-23 12:00", "2026-11-23 12:05"),
        ("rate(1 hour)", "UTC", "2026-11-23 12:00", "2026-11-23 13:00"),
        ("cron(0 3 * * ? *)", "UTC", "2026-11-23 12:00", "2026-11-24 03:00"),
        ("cron(0 3 * * ? *)", "UTC", "2026-11-23 03:00", "2026-11-24 03:00"),
        ("cron(0 3 * * ? *)", "Europe/Berlin", "2026-11-23 12:00", "2026-11-24 02:00"),
        ("cron(0 3 * * ? *)", "Europe/Berlin", "2026-07-01 12:00", "2026-07-02 01:00"),
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28 12:00", "2026-03-30 00:30"),
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24 12:00", "2026-10-25 00:30"),
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-25 00:30", "2026-10-26 01:30"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-11-23 12:16", "2026-11-23 12:30"),
        ("cron(10,50 8-10 ? * MON-FRI *)", "UTC", "2026-11-27 10:50", "2026-11-30 08:10"),
        ("cron(0 0 ? * 1 *)", "UTC", "2026-11-23 12:00", "2026-11-29 00:00"),
        ("cron(0 0 ? * FRI#2 *)", "UTC", "2026-11-23 12:00", "2026-12-11 00:00"),
        ("cron(0 0 ? * 6L *)", "UTC", "2026-11-01 12:00", "2026-11-27 00:00"),
        ("cron(0 0 L * ? *)", "UTC", "2027-02-01 00:00", "2027-02-28 00:00"),
        ("cron(0 0 LW * ? *)", "UTC", "2027-02-01 00:00", "2027-02-26 00:00"),
        ("cron(0 0 1W * ? *)", "UTC", "2027-04-30 12:00", "2027-05-03 00:00"),
        ("cron(0 0 29 FEB ? *)", "UTC", "2026-11-23 12:00", "2028-02-29 00:00"),
        ("cron(0 0 1 1 ? 2020)", "UTC", "2026-11-23 12:00", None),
        ("at(2026-11-24T03:00:00)", "Europe/Berlin", "2026-11-23 12:00", "2026-11-24 02:00"),
        ("at(2026-11-24T03:00:00)", "UTC", "2026-11-24 03:00", None),
    ],
)
def test_an_expression_falls_due_when_eventbridge_says(expression: str, zone: str, after: str, due: str | None) -> None:
    began = _utc("2026-11-23 12:00")
    assert due_after(expression, _utc(after), began=began, zone=zone) == (due and _utc(due))


@given(st.integers(0, 10_000_000), st.integers(1, 500))
def test_a_rate_is_counted_from_its_begin_whenever_it_is_looked_at(gone_s: int, minutes: int) -> None:
    began = _utc("2026-11-23 12:00")
    now = began + timedelta(seconds=gone_s)
    due = due_after(f"rate({minutes} minutes)", now, began=began)
    assert due is not None
    assert timedelta() < due - now <= timedelta(minutes=minutes)
    assert (due - began) % timedelta(minutes=minutes) == timedelta()


def test_what_is_no_schedule_is_said_so() -> None:
    with pytest.raises(ValueError, match="neither rate"):
        due_after("every Monday", _utc("2026-11-23 12:00"), began=_utc("2026-11-23 12:00"))


def _scheduled(region: Region, name: str, expression: str, target: dict[str, Any], **changes: Any) -> None:  # noqa: ANN401  # a schedule's own fields
    request = {"FlexibleTimeWindow": {"Mode": "OFF"}, "ScheduleExpression": expression, "Target": target, **changes}
    region.client("scheduler").create_schedule(Name=name, **request)


def _inputs(region: Region, machine: str) -> list[dict[str, Any]]:
    """What the machine's executions were started with, oldest first."""
    states = region.client("stepfunctions")
    listed = states.list_executions(stateMachineArn=machine)["executions"]
    told = [states.describe_execution(executionArn=execution["executionArn"]) for execution in listed]
    return [json.loads(one["input"]) for one in sorted(told, key=lambda one: one["startDate"])]


class TestFiring:
    """A minute lasts an eighth of a second."""

    @pytest.fixture
    def pace(self) -> Pace:
        return Pace(schedule_scale=0.002)

    def test_a_schedule_starts_executions_with_its_scheduled_time(self, region: Region) -> None:
        machine = a_machine(region, PASSING)
        given = '{"cluster": "demo", "scheduled_time": "<aws.scheduler.scheduled-time>"}'
        _scheduled(region, "often", "rate(1 minute)", {"Arn": machine, "RoleArn": ROLE, "Input": given})
        assert eventually(lambda: len(_inputs(region, machine)) >= 3)
        inputs = _inputs(region, machine)
        times = [datetime.fromisoformat(one["scheduled_time"]) for one in inputs]
        assert {later - earlier for earlier, later in itertools.pairwise(times)} == {timedelta(minutes=1)}
        assert {one["cluster"] for one in inputs} == {"demo"}
        assert region.schedules.fired[0][0].endswith(":schedule/default/often")
        assert region.schedules.failures == region.bus.failures == []

    def test_a_cron_fires_on_the_minute_and_a_disabled_schedule_never(self, region: Region) -> None:
        machine, other = a_machine(region, PASSING), a_machine(region, PASSING, name="other")
        target = {"RoleArn": ROLE, "Input": '{"at": "<aws.scheduler.scheduled-time>"}'}
        _scheduled(region, "off", "rate(1 minute)", {"Arn": other, **target}, State="DISABLED")
        zone = {"ScheduleExpressionTimezone": "Europe/Berlin"}
        _scheduled(region, "cron", "cron(* * * * ? *)", {"Arn": machine, **target}, **zone)
        assert eventually(lambda: len(_inputs(region, machine)) >= 2)
        assert all(one["at"].endswith(":00Z") for one in _inputs(region, machine))
        assert _inputs(region, other) == []

    def test_a_scheduled_rule_delivers_its_input_or_a_scheduled_event(self, region: Region) -> None:
        machine = a_machine(region, PASSING)
        topic = region.client("sns").create_topic(Name="told")["TopicArn"]
        events = region.client("events")
        events.put_rule(Name="often", ScheduleExpression="rate(1 minute)")
        targets = [{"Id": "m", "Arn": machine, "RoleArn": ROLE, "Input": "{}"}, {"Id": "t", "Arn": topic}]
        events.put_targets(Rule="often", Targets=targets)
        assert eventually(lambda: bool(_inputs(region, machine)) and bool(region.topic_messages(topic)))
        assert _inputs(region, machine)[0] == {}
        told = json.loads(region.topic_messages(topic)[0])
        assert (told["detail-type"], told["resources"][0].endswith(":rule/often")) == ("Scheduled Event", True)
        events.disable_rule(Name="often")
        fired = len(region.schedules.fired)
        assert not eventually(lambda: len(region.schedules.fired) > fired + 1, within_s=0.5)

    def test_an_expression_that_is_changed_is_counted_anew(self, region: Region) -> None:
        machine = a_machine(region, PASSING)
        target = {"Arn": machine, "RoleArn": ROLE, "Input": "{}"}
        _scheduled(region, "rare", "cron(0 0 1 1 ? 2199)", target)
        assert not eventually(lambda: bool(_inputs(region, machine)), within_s=0.3)
        request = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
        region.client("scheduler").update_schedule(Name="rare", ScheduleExpression="rate(1 minute)", **request)
        assert eventually(lambda: bool(_inputs(region, machine)))


def test_no_schedule_fires_unless_the_pace_says_so(region: Region) -> None:
    machine = a_machine(region, PASSING)
    _scheduled(region, "often", "rate(1 minute)", {"Arn": machine, "RoleArn": ROLE, "Input": "{}"})
    assert not eventually(lambda: bool(region.schedules.fired), within_s=0.3)
