"""EventBridge's default bus: what happens in the region becomes events, and rules carry them to their targets."""

import json
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.region.pace import Pace
from sandbox.region.targets import KNOWN, Carrier, Client, Event, Later, Parcel, transformed

Act = Callable[[], object]
ALARM_EVENT = "CloudWatch Alarm State Change"
"""The one kind of event that AWS guarantees to deliver; all others are best effort."""


@dataclass(frozen=True)
class Fate:
    """What becomes of an event on its way to the bus."""

    copies: int = 1
    late_s: float = 0.0


DELIVERED, LOST, TWICE = Fate(), Fate(copies=0), Fate(copies=2)


def late(seconds: float) -> Fate:
    """It comes so much later; others overtake it."""
    return Fate(late_s=seconds)


class Bus:
    """Puts events in order, in the background (EventBridge is asynchronous), and delivers them."""

    def __init__(self, client: Client, *, pace: Pace, later: Later, heard: Callable[[str], bool]) -> None:
        self._client, self._pace, self._later, self._heard = client, pace, later, heard
        self._carrier = Carrier(client, later, pace)
        self._acts: queue.Queue[tuple[str, Act] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="aerokeep-bus", daemon=True)
        self.failures = self._carrier.failures
        """Deliveries that went wrong, a line each."""
        self.fate: Callable[[str, str, Mapping[str, Any]], Fate] = lambda _source, _type, _detail: DELIVERED
        """Asked for each event of a service: (source, detail-type, detail) → its fate. An alarm's is never lost."""

    def start(self) -> None:
        """Deliver from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is left, then end."""
        self._acts.put(None)
        if self._thread.is_alive():
            self._thread.join(5)

    def drain(self) -> None:
        """Wait until everything put so far has been delivered; what is late, or tried again, is not waited for."""
        self._acts.join()

    def execution_changed(self, execution: Mapping[str, Any]) -> None:
        """A ``Step Functions Execution Status Change``, out of what DescribeExecution says."""
        detail = {key: _plain(value) for key, value in execution.items()}
        defaults = {"stopDate": None, "output": None, "error": None, "cause": None}
        self.put("aws.states", "Step Functions Execution Status Change", defaults | detail, [execution["executionArn"]])

    def put(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: list[str]) -> None:
        """Put one event of a service, as its fate will have it."""
        fate = self.fate(source, detail_type, detail)
        copies = max(fate.copies, 1) if detail_type == ALARM_EVENT else fate.copies
        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": resources}

        def act() -> None:
            if self._heard(source):
                self._client("events").put_events(Entries=[entry])

        for _ in range(copies):
            if late_s := fate.late_s + self._pace.event_delivery_s:
                self._later(late_s, lambda: self._acts.put((detail_type, act)))
            else:
                self._acts.put((detail_type, act))

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

    def deliver(
        self, target: Mapping[str, Any], event: Event, *, rule_arn: str, origin: Mapping[str, str] | None = None
    ) -> bool:
        """Carry an event to a target; False if the sandbox does not know this kind of target.

        Args:
            target: as PutTargets or a schedule has it, with its RetryPolicy and DeadLetterConfig.
            event: the whole event.
            rule_arn: the rule's or schedule's.
            origin: what a dead-letter queue is told of it; of a rule, by default.

        """
        if str(target["Arn"]).split(":")[2] not in KNOWN:
            return False
        text = transformed(target, event, rule_arn=rule_arn)
        self._carrier.carry(Parcel(target, text, origin or {"RULE_ARN": rule_arn}))
        return True


def _plain(value: object) -> object:
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else value
