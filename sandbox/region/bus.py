"""EventBridge's default bus: what happens in the region becomes events, and rules carry them to their targets."""

import json
import queue
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Client = Callable[[str], Any]
Event = Mapping[str, Any]
_STEP = re.compile(r"\.([\w-]+)|\[['\"]([^'\"]+)['\"]\]|\[(\d+)\]")
_PLACE = re.compile(r"<([\w.-]+)>")


@dataclass(frozen=True)
class Fate:
    """What becomes of an event that has been put."""

    copies: int = 1
    """How often it is delivered; none: it is lost."""
    late_s: float = 0.0


AS_IT_SHOULD = Fate()


class Bus:
    """Puts events in order, in the background (EventBridge is asynchronous), and delivers them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._acts: queue.Queue[tuple[str, Callable[[], object]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="aerokeep-bus", daemon=True)
        self._late: list[threading.Timer] = []
        self.fate: Callable[[str, str, Mapping[str, Any]], Fate] = lambda _source, _detail_type, _detail: AS_IT_SHOULD
        """Asked with source, detail-type and detail of each event."""
        self.failures: list[str] = []
        """Deliveries that went wrong, a line each."""

    def start(self) -> None:
        """Deliver from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is left and not late, then end."""
        for timer in self._late:
            timer.cancel()
        self._acts.put(None)
        if self._thread.is_alive():
            self._thread.join(5)

    def drain(self) -> None:
        """Wait until everything put so far has been delivered."""
        self._acts.join()

    def execution_changed(self, execution: Mapping[str, Any]) -> None:
        """A ``Step Functions Execution Status Change``, out of what DescribeExecution says."""
        detail = {key: _plain(value) for key, value in execution.items()}
        defaults = {"stopDate": None, "output": None, "error": None, "cause": None}
        self.put("aws.states", "Step Functions Execution Status Change", defaults | detail, [execution["executionArn"]])

    def put(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: list[str]) -> None:
        """Put one event."""
        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": resources}
        fate = self.fate(source, detail_type, detail)
        for _ in range(fate.copies):
            act = (detail_type, lambda: self._client("events").put_events(Entries=[entry]))
            self._acts.put(act) if fate.late_s <= 0 else self._put_later(act, fate.late_s)

    def _put_later(self, act: "tuple[str, Callable[[], object]]", late_s: float) -> None:
        timer = threading.Timer(late_s, self._acts.put, (act,))
        timer.daemon = True
        self._late.append(timer)
        timer.start()

    def notify(self, topic_arn: str, message: Mapping[str, Any]) -> None:
        """Publish an alarm's message; the sandbox knows no other alarm actions than topics."""
        text = json.dumps(message)
        self._acts.put((topic_arn, lambda: self._client("sns").publish(TopicArn=topic_arn, Message=text)))

    def _work(self) -> None:
        while (given := self._acts.get()) is not None:
            what, act = given
            try:
                act()
            except Exception as error:  # noqa: BLE001  # best effort, as the real one; kept to be looked at
                self.failures.append(f"{what}: {error}")
            finally:
                self._acts.task_done()
        self._acts.task_done()

    def deliver(self, target: Mapping[str, Any], event: Event, *, rule_arn: str) -> bool:
        """Carry an event to a target; False if the sandbox does not know this kind of target."""
        arn, text = str(target["Arn"]), transformed(target, event, rule_arn=rule_arn)
        try:
            match arn.split(":")[2]:
                case "sns":
                    self._client("sns").publish(TopicArn=arn, Message=text)
                case "sqs":
                    url = self._client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
                    self._client("sqs").send_message(QueueUrl=url, MessageBody=text)
                case "states":
                    self._client("stepfunctions").start_execution(stateMachineArn=arn, input=text)
                case "lambda":
                    self._client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=text)
                case _:
                    return False
        except Exception as error:  # noqa: BLE001  # best effort, as the real one; kept to be looked at
            self.failures.append(f"{arn}: {error}")
        return True


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


def _plain(value: object) -> object:
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else value
