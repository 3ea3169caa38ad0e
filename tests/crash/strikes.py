"""Strike executions at one state's Lambda, found by the event that it works at and the session that it calls with."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.region import ApiCall, LostResponseError, Region
from sandbox.region.lambdas.fleet import Work
from tests.crash.rows import How

LOOKS = ("Get", "Describe", "List", "Head")
NO_CHANGES = ("s3",)
"""What a run writes down for itself changes neither the estate nor a lock."""


@dataclass
class Strike:
    """What is to happen once, in one execution, at one handler."""

    handler: str
    how: How
    struck: threading.Event = field(default_factory=threading.Event)


class Strikes:
    """All strikes of a region that are still to come."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._lock = threading.Lock()
        self._armed: dict[str, list[Strike]] = {}
        region.faults.before(self._called)
        region.faults.after(self._changed)
        region.fleet.lose_answer = self._answered

    def arm(self, execution_arn: str, strikes: Sequence[Strike]) -> None:
        """Let them happen, one after the other."""
        with self._lock:
            self._armed[execution_arn] = list(strikes)

    def disarm(self, execution_arn: str) -> None:
        """What has not happened never will."""
        with self._lock:
            self._armed.pop(execution_arn, None)

    def _caller(self, call: ApiCall) -> Work | None:
        if not call.session or not self._armed:
            return None
        return next((work for work in self._region.fleet.at_work() if work.session == call.session), None)

    def _changed(self, call: ApiCall) -> None:
        if call.service in NO_CHANGES or call.action.startswith(LOOKS):
            return
        if (work := self._caller(call)) and self._due(work, {How.KILLED_MIDWAY}):
            self._region.fleet.kill_one(work)
            raise LostResponseError

    def _called(self, call: ApiCall) -> None:
        work = self._caller(call)
        strike = work and self._due(work, {How.STOPPED, How.KILLED})
        if not work or not strike:
            return
        arn, how = strike
        if how is How.KILLED:
            self._region.fleet.kill_one(work)
            raise LostResponseError
        states = self._region.client("stepfunctions")
        states.stop_execution(executionArn=arn, error="Stopped", cause="the crash matrix stopped it")

    def _answered(self, work: Work) -> bool:
        return self._due(work, {How.KILLED_LATE}) is not None

    def _due(self, work: Work, hows: set[How]) -> tuple[str, How] | None:
        """The strike that this work has run into; it is then over."""
        told = json.dumps(work.event, default=str)
        with self._lock:
            for arn, strikes in self._armed.items():
                if strikes and strikes[0].handler == work.function.handler and strikes[0].how in hows and arn in told:
                    strike = strikes.pop(0)
                    strike.struck.set()
                    return arn, strike.how
        return None
