"""Carry an event to a target: what the target gets, how often it is tried, and where what can't be delivered ends."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.region.pace import Pace

Client = Callable[[str], Any]
Later = Callable[[float, Callable[[], None]], None]
Event = Mapping[str, Any]
_STEP = re.compile(r"\.([\w-]+)|\[['\"]([^'\"]+)['\"]\]|\[(\d+)\]")
_PLACE = re.compile(r"<([\w.-]+)>")
KNOWN = ("sns", "sqs", "states", "lambda")
MOST_ATTEMPTS, OLDEST_S = 185, 86_400
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
SERVER_ERROR = 500
PASSING = (
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "ExecutionLimitExceeded",
    "RequestLimitExceeded",
)
"""Refusals that are worth another try; others are final, as that a target does not exist."""


@dataclass(frozen=True)
class Parcel:
    """An event on its way to one target."""

    target: Mapping[str, Any]
    text: str
    attributes: Mapping[str, str]
    """What a dead-letter queue is told of where it comes from."""
    attempts: int = 0
    waited_s: float = 0.0
    """In AWS's seconds."""

    @property
    def arn(self) -> str:
        """The target's."""
        return str(self.target["Arn"])


@dataclass
class Carrier:
    """Delivers parcels, again and again where that may help."""

    client: Client
    later: Later
    pace: Pace
    failures: list[str] = field(default_factory=list)
    """What was given up, a line each."""

    def carry(self, parcel: Parcel) -> None:
        """Deliver it now, or later, or to its dead-letter queue, or not at all."""
        try:
            self._hand_over(parcel)
        except (ClientError, BotoCoreError) as error:
            self._failed(parcel, error)

    def _hand_over(self, parcel: Parcel) -> None:
        arn, text = parcel.arn, parcel.text
        match arn.split(":")[2]:
            case "sns":
                self.client("sns").publish(TopicArn=arn, Message=text)
            case "sqs":
                self._send(arn, text)
            case "states":
                self.client("stepfunctions").start_execution(stateMachineArn=arn, input=text)
            case _:
                self.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=text)

    def _send(self, arn: str, text: str, attributes: Mapping[str, str] | None = None) -> None:
        sqs = self.client("sqs")
        told = {name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()}
        url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=told)

    def _failed(self, parcel: Parcel, error: Exception) -> None:
        policy = parcel.target.get("RetryPolicy") or {}
        pause_s = min(FIRST_PAUSE_S * 2.0**parcel.attempts, LONGEST_PAUSE_S)
        exhausted = ""
        if parcel.attempts >= int(policy.get("MaximumRetryAttempts", MOST_ATTEMPTS)):
            exhausted = "MaximumRetryAttempts"
        elif parcel.waited_s + pause_s > int(policy.get("MaximumEventAgeInSeconds", OLDEST_S)):
            exhausted = "MaximumEventAgeInSeconds"
        if _may_pass(error) and not exhausted:
            again = Parcel(
                parcel.target, parcel.text, parcel.attributes, parcel.attempts + 1, parcel.waited_s + pause_s
            )
            self.later(pause_s * self.pace.retry_scale, lambda: self.carry(again))
        else:
            self._give_up(parcel, error, exhausted)

    def _give_up(self, parcel: Parcel, error: Exception, exhausted: str) -> None:
        self.failures.append(f"{parcel.arn}: {error}")
        queue = (parcel.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        code, message = _told(error)
        attributes = {
            **parcel.attributes,
            "TARGET_ARN": parcel.arn,
            "ERROR_CODE": code,
            "ERROR_MESSAGE": message,
            "RETRY_ATTEMPTS": str(parcel.attempts),
        }
        if exhausted:
            attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
        try:
            self._send(str(queue), parcel.text, attributes)
        except (ClientError, BotoCoreError) as lost:
            self.failures.append(f"{queue}: {lost}")


def _may_pass(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return True
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return status >= SERVER_ERROR or _told(error)[0] in PASSING


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        return str(told.get("Code", "")), str(told.get("Message", "")) or str(error)
    return type(error).__name__, str(error)


def transformed(target: Mapping[str, Any], event: Event, *, rule_arn: str) -> str:
    """What the target gets: its Input, its InputPath of the event, its InputTransformer's text, or the whole event."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(_look_up(event, target["InputPath"]))
    if not (transformer := target.get("InputTransformer")):
        return json.dumps(event)
    values = {name: _look_up(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
    values |= {"aws.events.rule-arn": rule_arn, "aws.events.event": event, "aws.events.event.json": event}
    template = str(transformer["InputTemplate"])

    def fill(place: re.Match[str]) -> str:
        if place[1] not in values:
            return place[0]
        value = values[place[1]]
        if template[: place.start()].count('"') % 2:  # inside a JSON string: its text, escaped
            return value if isinstance(value, str) else json.dumps(value).replace('"', '\\"')
        return json.dumps(value)

    return _PLACE.sub(fill, template)


def _look_up(event: Any, path: str) -> Any:  # noqa: ANN401  # any JSON
    for name, quoted, index in _STEP.findall(path.removeprefix("$")):
        if index:
            event = event[int(index)]
        elif isinstance(event, Mapping):
            event = event.get(name or quoted)
        else:
            return None
    return event
