"""EventBridge Scheduler: when schedules start their targets, how often they try, and what becomes of the rest."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.region import ApiCall, Pace
from sandbox.region.faults import ApiError
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import a_name, machine, next_message, queue, received, role

GUIDE = "EventBridge Scheduler user guide"
API = "EventBridge Scheduler API reference, CreateSchedule"
QUICK = Pace(schedule_scale=0.002, retry_scale=0.0005)
"""A minute lasts an eighth of a second."""
MINUTES = "it would take minutes"
PASS = {"P": {"Type": "Pass", "End": True}}
AT = '{"at": "<aws.scheduler.scheduled-time>"}'
SOON = timedelta(minutes=15)
"""Long enough that a busy machine has made the schedule before."""


def _scheduled(aws: Account, expression: str, target: dict[str, Any], **changes: object) -> str:
    scheduler, name = aws.client("scheduler"), a_name()
    window = {"FlexibleTimeWindow": {"Mode": "OFF"}}
    request = {"ScheduleExpression": expression, "Target": {"RoleArn": role(aws), **target}, **window, **changes}
    scheduler.create_schedule(Name=name, **request)
    return name


def _starts(aws: Account, arn: str) -> list[datetime]:
    """The scheduled times with which a machine was started, oldest first."""
    states = aws.client("stepfunctions")
    listed = states.list_executions(stateMachineArn=arn)["executions"]
    told = [states.describe_execution(executionArn=entry["executionArn"]) for entry in listed]
    return sorted(datetime.fromisoformat(json.loads(one["input"])["at"]) for one in told)


def _soon(aws: Account) -> datetime:
    return aws.region.schedules.now() + SOON


@behaviour(
    "A schedule fires some time after it is due, and tells the time at which it was.",
    source="assumed: commonly told to be within a minute",
    sandbox_only="how long it takes is the latency model's choice",
    pace=Pace(schedule_scale=0.002, schedule_jitter_s=0.5),
)
def _late(aws: Account) -> None:
    arn, due = machine(aws, PASS), _soon(aws).replace(microsecond=0)
    _scheduled(aws, due.strftime("at(%Y-%m-%dT%H:%M:%S)"), {"Arn": arn, "Input": AT})
    assert aws.eventually(lambda: _starts(aws, arn) == [due])
    assert aws.region.schedules.now() - due >= timedelta(seconds=0.5 / 0.002)


@behaviour(
    "A rate begins at once, goes on with its period, and puts the scheduled time into its input.",
    source=f"{GUIDE}, Schedule types and Adding context attributes",
    sandbox_only=MINUTES,
    pace=QUICK,
)
def _rates(aws: Account) -> None:
    arn = machine(aws, PASS)
    _scheduled(aws, "rate(1 minute)", {"Arn": arn, "Input": AT})
    assert aws.eventually(lambda: len(_starts(aws, arn)) >= 3)
    first, second, third = _starts(aws, arn)[:3]
    assert third - second == second - first == timedelta(minutes=1)


@behaviour(
    "A cron is due by the wall clock of its time zone.",
    source=f"{GUIDE}, Schedule types, Time zones",
    sandbox_only=MINUTES,
    pace=QUICK,
)
def _zones(aws: Account) -> None:
    arn = machine(aws, PASS)
    zone = {"ScheduleExpressionTimezone": "Asia/Kolkata"}  # half an hour beside UTC's
    _scheduled(aws, "cron(0 * * * ? *)", {"Arn": arn, "Input": AT}, **zone)
    aws.patience_s = 20.0
    assert aws.eventually(lambda: bool(_starts(aws, arn)))
    assert {at.minute for at in _starts(aws, arn)} == {30}


@behaviour(
    "A one-time schedule fires once, and is deleted if it says so.",
    source=f"{GUIDE}, Schedule types; {API}, ActionAfterCompletion",
    sandbox_only=MINUTES,
    pace=QUICK,
)
def _once(aws: Account) -> None:
    arn, scheduler = machine(aws, PASS), aws.client("scheduler")
    at = _soon(aws).strftime("at(%Y-%m-%dT%H:%M:%S)")
    name = _scheduled(aws, at, {"Arn": arn, "Input": AT}, ActionAfterCompletion="DELETE")
    assert scheduler.get_schedule(Name=name)["ActionAfterCompletion"] == "DELETE"
    assert aws.eventually(lambda: bool(_starts(aws, arn)))
    assert aws.eventually(lambda: aws.refused("scheduler", "get_schedule", Name=name) == "ResourceNotFoundException")
    assert [start.strftime("at(%Y-%m-%dT%H:%M:%S)") for start in _starts(aws, arn)] == [at]


@behaviour(
    "A recurring schedule fires from its StartDate until its EndDate.",
    source=f"{API}, StartDate and EndDate",
    sandbox_only=MINUTES,
    pace=QUICK,
)
def _dates(aws: Account) -> None:
    arn = machine(aws, PASS)
    begin = _soon(aws).replace(microsecond=0)
    end = begin + timedelta(minutes=2)
    changes = {"StartDate": begin, "EndDate": end, "ActionAfterCompletion": "DELETE"}
    name = _scheduled(aws, "rate(1 minute)", {"Arn": arn, "Input": AT}, **changes)
    assert aws.eventually(lambda: aws.refused("scheduler", "get_schedule", Name=name) == "ResourceNotFoundException")
    assert _starts(aws, arn) == [begin + timedelta(minutes=minute) for minute in range(3)]


@behaviour(
    "What a schedule can't start goes into its dead-letter queue, with the reason and the scheduled time.",
    source=f"{GUIDE}, Configuring a dead-letter queue",
    sandbox_only=MINUTES,
    pace=QUICK,
)
def _dead_letter(aws: Account) -> None:
    url, arn = queue(aws)
    missing = machine(aws, PASS) + "-not"
    target = {"Arn": missing, "Input": AT, "DeadLetterConfig": {"Arn": arn}}
    at = _soon(aws).strftime("at(%Y-%m-%dT%H:%M:%S)")
    name = _scheduled(aws, at, target)
    told = _attributes(next_message(aws, url))
    assert (told["TARGET_ARN"], told["ERROR_CODE"]) == (missing, "StateMachineDoesNotExist")
    assert told["SCHEDULE_ARN"].endswith(f":schedule/default/{name}")
    assert datetime.fromisoformat(told["SCHEDULED_TIME"]).tzinfo == UTC
    assert told["RETRY_ATTEMPTS"] == "0"
    assert "EXHAUSTED_RETRY_CONDITION" not in told


def _attributes(message: dict[str, Any]) -> dict[str, str]:
    return {key: str(value["StringValue"]) for key, value in message["MessageAttributes"].items()}


@behaviour(
    "A start that is throttled is tried again; after the last attempt it goes into the dead-letter queue.",
    source=f"{GUIDE}, RetryPolicy and Configuring a dead-letter queue",
    sandbox_only="the row has to throttle the target",
    pace=QUICK,
)
def _tried_again(aws: Account) -> None:
    (url, arn), target = queue(aws), machine(aws, PASS)
    wanted, seen = 3, list[str]()

    def throttle(call: ApiCall) -> None:
        if call.action == "StartExecution" and call.caller == "events":
            seen.append(call.action)
            raise ApiError("ThrottlingException", "Rate exceeded")

    policy = {"RetryPolicy": {"MaximumRetryAttempts": wanted, "MaximumEventAgeInSeconds": 3600}}
    at = _soon(aws).strftime("at(%Y-%m-%dT%H:%M:%S)")
    with aws.region.faults.during(before=throttle):
        _scheduled(aws, at, {"Arn": target, "Input": AT, "DeadLetterConfig": {"Arn": arn}, **policy})
        told = _attributes(next_message(aws, url))
    assert len(seen) == wanted + 1
    assert (told["RETRY_ATTEMPTS"], told["EXHAUSTED_RETRY_CONDITION"]) == (str(wanted), "MaximumRetryAttempts")
    assert _starts(aws, target) == []
    assert received(aws, url) == []


@behaviour(
    "A start that has become too old goes into the dead-letter queue before its attempts are used up.",
    source=f"{GUIDE}, RetryPolicy, MaximumEventAgeInSeconds",
    sandbox_only="the row has to throttle the target",
    pace=QUICK,
)
def _too_old(aws: Account) -> None:
    (url, arn), target = queue(aws), machine(aws, PASS)

    def throttle(call: ApiCall) -> None:
        if call.action == "StartExecution" and call.caller == "events":
            raise ApiError("ThrottlingException", "Rate exceeded")

    policy = {"RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 60}}
    at = _soon(aws).strftime("at(%Y-%m-%dT%H:%M:%S)")
    with aws.region.faults.during(before=throttle):
        _scheduled(aws, at, {"Arn": target, "Input": AT, "DeadLetterConfig": {"Arn": arn}, **policy})
        told = _attributes(next_message(aws, url))
    assert told["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"


@behaviour(
    "A disabled schedule does not fire.",
    source=f"{API}, State",
    sandbox_only=MINUTES,
    pace=QUICK,
)
def _disabled(aws: Account) -> None:
    on, off = machine(aws, PASS), machine(aws, PASS)
    _scheduled(aws, "rate(1 minute)", {"Arn": off, "Input": AT}, State="DISABLED")
    _scheduled(aws, "rate(1 minute)", {"Arn": on, "Input": AT})
    assert aws.eventually(lambda: len(_starts(aws, on)) >= 2)
    assert _starts(aws, off) == []
