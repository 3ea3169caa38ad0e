"""Schedules that fire: those of EventBridge Scheduler, and rules with a schedule expression."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.events.models import events_backends
from moto.scheduler.models import scheduler_backends

from sandbox.region.timetable import due_after

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any
TICK_S = 0.05
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"


@dataclass(frozen=True)
class Entry:
    """A schedule as it stands right now."""

    arn: str
    expression: str
    zone: str
    targets: tuple[dict[str, Any], ...]
    at_once: bool
    """A rate of the Scheduler's is due when it is made, one of a rule only after its first period."""


@dataclass
class _Waiting:
    entry: Entry
    began: datetime
    due: datetime | None


class Schedules:
    """Looks at every schedule again and again, in a thread of its own, while the region's pace has a scale for them."""

    def __init__(self, region: "Region") -> None:
        self._region = region
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="aerokeep-schedules", daemon=True)
        self._waiting: dict[str, _Waiting] = {}
        self._began = datetime.now(UTC)
        self._began_monotonic = time.monotonic()
        self.fired: list[tuple[str, datetime]] = []
        """Schedule's ARN and scheduled time, oldest first."""
        self.failures: list[str] = []
        """What could not be understood, a line each."""

    def start(self) -> None:
        """Fire from now on, if at all."""
        self._began, self._began_monotonic = datetime.now(UTC), time.monotonic()
        if self._region.pace.schedule_scale is not None:
            self._thread.start()

    def stop(self) -> None:
        """Fire no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def now(self) -> datetime:
        """The schedules' own clock: it was right when the region started, and runs as fast as the pace says."""
        gone_s = time.monotonic() - self._began_monotonic
        return self._began + timedelta(seconds=gone_s / (self._region.pace.schedule_scale or 1.0))

    def _work(self) -> None:
        while not self._stopped.wait(TICK_S):
            now = self.now()
            entries = {entry.arn: entry for entry in self._entries()}
            self._waiting = {arn: waiting for arn, waiting in self._waiting.items() if arn in entries}
            for entry in entries.values():
                self._look(entry, now)

    def _entries(self) -> Iterator[Entry]:
        account, region = self._region.account, self._region.region
        for group in list(scheduler_backends[account][region].schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                if schedule.state != "DISABLED":  # moto forgets the state of one that is updated without saying it
                    yield _of_scheduler(schedule)
        for bus in list(events_backends[account][region].event_buses.values()):
            for rule in list(bus.rules.values()):
                if rule.scheduled_expression and rule.state == "ENABLED":
                    yield Entry(rule.arn, rule.scheduled_expression, "UTC", tuple(rule.targets), at_once=False)

    def _look(self, entry: Entry, now: datetime) -> None:
        """Fire what is due, one at a time: what a slow machine has missed comes with the next looks."""
        waiting = self._waiting.get(entry.arn)
        try:
            if waiting is None or (waiting.entry.expression, waiting.entry.zone) != (entry.expression, entry.zone):
                rate = entry.expression.startswith("rate")
                due = now if rate and entry.at_once else due_after(entry.expression, now, began=now, zone=entry.zone)
                waiting = self._waiting[entry.arn] = _Waiting(entry, now, due)
            if waiting.due is None or waiting.due > now:
                return
            at = waiting.due
            waiting.due = due_after(entry.expression, at, began=waiting.began, zone=entry.zone)
        except (ValueError, LookupError) as error:
            self.failures.append(f"{entry.arn}: {error}")
            self._waiting[entry.arn] = _Waiting(entry, now, None)
            return
        self.fired.append((entry.arn, at))
        for target in entry.targets:
            self._fire(entry, target, at)

    def _fire(self, entry: Entry, target: dict[str, Any], at: datetime) -> None:
        scheduled = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        given = dict(target)
        if "Input" in given:
            given["Input"] = str(given["Input"]).replace(SCHEDULED_TIME, scheduled)
        event = {
            "version": "0",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self._region.account,
            "time": scheduled,
            "region": self._region.region,
            "resources": [entry.arn],
            "detail": {},
        }
        if not self._region.bus.deliver(given, event, rule_arn=entry.arn):
            self.failures.append(f"{entry.arn}: the sandbox does not know targets such as {target['Arn']}")


def _of_scheduler(schedule: Moto) -> Entry:
    return Entry(
        schedule.arn,
        schedule.schedule_expression,
        schedule.schedule_expression_timezone,
        ({"Input": "{}", **schedule.target},),
        at_once=True,
    )
