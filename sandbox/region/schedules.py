"""Schedules that fire: those of EventBridge Scheduler, and rules with a schedule expression."""

import functools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
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
CONTEXT = "<aws.scheduler.{}>"


@dataclass(frozen=True)
class Entry:
    """A schedule as it stands right now."""

    arn: str
    expression: str
    zone: str
    targets: tuple[dict[str, Any], ...]
    at_once: bool
    """A rate of the Scheduler's is due when it is made, one of a rule only after its first period."""
    starts: datetime | None = None
    ends: datetime | None = None
    when_done: Callable[[], object] | None = None
    """ActionAfterCompletion."""

    def same(self, other: "Entry") -> bool:
        """It falls due at the same times."""
        mine = (self.expression, self.zone, self.starts, self.ends)
        return mine == (other.expression, other.zone, other.starts, other.ends)

    def first(self, now: datetime, *, before: datetime) -> tuple[datetime, datetime | None]:
        """From when its rate is counted, and when it falls due first; `before` is when it was not there yet."""
        began = max(now, self.starts) if self.starts else now
        if self.expression.startswith("rate"):
            if self.at_once:
                return began, self._within(began)
            return began, self._within(due_after(self.expression, began, began=began))
        since = before if self.expression.startswith("at") else now
        since = max(since, self.starts - timedelta(seconds=1)) if self.starts else since
        return began, self._within(due_after(self.expression, since, began=began, zone=self.zone))

    def next(self, at: datetime, *, began: datetime) -> datetime | None:
        """When it falls due after it has fallen due."""
        return self._within(due_after(self.expression, at, began=began, zone=self.zone))

    def _within(self, due: datetime | None) -> datetime | None:
        return None if due is None or (self.ends is not None and due > self.ends) else due


@dataclass
class _Waiting:
    entry: Entry
    began: datetime
    due: datetime | None
    late: timedelta = timedelta()
    """How much later than due it fires this time, on the schedules' own clock."""


class Schedules:
    """Looks at every schedule again and again, in a thread of its own, while the region's pace has a scale for them."""

    def __init__(self, region: "Region") -> None:
        self._region = region
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="aerokeep-schedules", daemon=True)
        self._turning = threading.RLock()
        self._waiting: dict[str, _Waiting] = {}
        self._began = datetime.now(UTC)
        self._began_monotonic = time.monotonic()
        self._looked_at = self._began
        self.fired: list[tuple[str, datetime]] = []
        """Schedule's ARN and scheduled time, oldest first."""
        self.failures: list[str] = []
        """What could not be understood, a line each."""

    def start(self) -> None:
        """Fire from now on, if at all."""
        self._began, self._began_monotonic = datetime.now(UTC), time.monotonic()
        self._looked_at = self._began
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

    def turn_to(self, instant: datetime) -> None:
        """Set the schedules' own clock; everything is counted from then on anew."""
        with self._turning:
            self._began, self._began_monotonic = instant, time.monotonic()
            self._looked_at = instant
            self._waiting.clear()

    def _work(self) -> None:
        while not self._stopped.wait(TICK_S):
            with self._turning:
                now = self.now()
                entries = {entry.arn: entry for entry in self._entries()}
                self._waiting = {arn: waiting for arn, waiting in self._waiting.items() if arn in entries}
                for entry in entries.values():
                    self._look(entry, now)
                self._looked_at = now

    def _entries(self) -> Iterator[Entry]:
        account, region = self._region.account, self._region.region
        for group in list(scheduler_backends[account][region].schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                if schedule.state != "DISABLED":  # moto forgets the state of one that is updated without saying it
                    yield _of_scheduler(schedule, functools.partial(group.schedules.pop, schedule.name, None))
        for bus in list(events_backends[account][region].event_buses.values()):
            for rule in list(bus.rules.values()):
                if rule.scheduled_expression and rule.state == "ENABLED":
                    yield Entry(rule.arn, rule.scheduled_expression, "UTC", tuple(rule.targets), at_once=False)

    def _look(self, entry: Entry, now: datetime) -> None:
        """Fire what is due, one at a time: what a slow machine has missed comes with the next looks."""
        waiting = self._waiting.get(entry.arn)
        try:
            if waiting is None or not waiting.entry.same(entry):
                waiting = self._waiting[entry.arn] = _Waiting(entry, *entry.first(now, before=self._looked_at))
                waiting.late = self._lateness(entry)
            at = waiting.due
            if at is None or at + waiting.late > now:
                return
            waiting.due, waiting.late = entry.next(at, began=waiting.began), self._lateness(entry)
        except (ValueError, LookupError) as error:
            self.failures.append(f"{entry.arn}: {error}")
            self._waiting[entry.arn] = _Waiting(entry, now, None)
            return
        self.fired.append((entry.arn, at))
        for target in entry.targets:
            self._fire(entry, target, at)
        if waiting.due is None and entry.when_done:
            entry.when_done()

    def _lateness(self, entry: Entry) -> timedelta:
        """The Scheduler is right to a minute; a rule's schedule is taken to be exact."""
        pace = self._region.pace
        seconds = pace.schedule_jitter_s / (pace.schedule_scale or 1.0) if entry.at_once else 0.0
        return timedelta(seconds=seconds)

    def _fire(self, entry: Entry, target: dict[str, Any], at: datetime) -> None:
        scheduled = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        given = dict(target)
        told = {
            "schedule-arn": entry.arn,
            "scheduled-time": scheduled,
            "execution-id": uuid.uuid4().hex[:16],
            "attempt-number": "1",
        }
        for name, value in told.items() if "Input" in given else ():
            given["Input"] = str(given["Input"]).replace(CONTEXT.format(name), value)
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
        if not self._region.bus.deliver(given, event, rule_arn=entry.arn, origin=_origin(entry, told)):
            self.failures.append(f"{entry.arn}: the sandbox does not know targets such as {target['Arn']}")


def _origin(entry: Entry, told: Mapping[str, str]) -> Mapping[str, str]:
    """What the dead-letter queue of a schedule or a scheduled rule is told."""
    if not entry.at_once:
        return {"RULE_ARN": entry.arn}
    return {
        "SCHEDULE_ARN": entry.arn,
        "SCHEDULED_TIME": told["scheduled-time"],
        "EXECUTION_ID": told["execution-id"],
        "IS_PAYLOAD_TRUNCATED": "false",
    }


def _of_scheduler(schedule: Moto, delete: Callable[[], object]) -> Entry:
    return Entry(
        schedule.arn,
        schedule.schedule_expression,
        schedule.schedule_expression_timezone,
        ({"Input": "{}", **schedule.target},),
        at_once=True,
        starts=_instant(schedule.start_date),
        ends=_instant(schedule.end_date),
        when_done=delete if schedule.action_after_completion == "DELETE" else None,
    )


def _instant(told: Moto) -> datetime | None:
    return None if told is None else datetime.fromtimestamp(float(told), UTC)
