"""Strike a cluster's Lambdas and their calls: found by their event, and by the session that they call with."""

import json
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.faults.executions import LOOKS, NO_CHANGES
from sandbox.region import ApiCall, ApiError, LostResponseError, Region
from sandbox.region.lambdas.fleet import Work
from tests.crash.rows import OF_CALLS, How

PRESIGNED = "(presigned)"
"""Marks a call that a host makes under a signature of the Lambda's."""
INTERNAL: Mapping[str, str] = {
    "ec2": "InternalError",
    "s3": "InternalError",
    "sns": "InternalError",
    "ssm": "InternalServerError",
    "dynamodb": "InternalServerError",
    "monitoring": "InternalServiceFault",
}
REFUSED: Mapping[str, tuple[str, int]] = {
    "ec2": ("UnauthorizedOperation", 403),
    "s3": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
}


@dataclass
class Strike:
    """What is to happen once, at one handler's work for one cluster."""

    handler: str
    how: How
    action: str = ""
    """``service.Action`` of the one call that is struck."""
    struck: threading.Event = field(default_factory=threading.Event)
    work: Work | None = None
    """Whose calls fail from now on."""


@dataclass(frozen=True)
class Seen:
    """A call of a Lambda, or under its signature."""

    handler: str
    action: str

    @property
    def changes(self) -> bool:
        """It is not only a question."""
        return not self.action.partition(".")[2].startswith(LOOKS)


@dataclass
class Target:
    """A cluster whose journeys are watched."""

    execution: str
    strikes: list[Strike]
    seen: set[Seen] = field(default_factory=set)


class Strikes:
    """All strikes of a region that are still to come, by the cluster that they are meant for."""

    def __init__(self, region: Region, handlers: Mapping[str, str]) -> None:
        """Watch every call.

        Args:
            region: where.
            handlers: role → the handler of the one function that has it.

        """
        self._region, self._handlers = region, handlers
        self._lock = threading.Lock()
        self._targets: dict[str, Target] = {}
        region.faults.before(self._called)
        region.faults.after(self._happened)
        region.fleet.lose_answer = self._answered

    def arm(self, cluster: str, execution_arn: str, strikes: Sequence[Strike]) -> Target:
        """Let them happen, one after the other, while a cluster's journey runs as this execution."""
        with self._lock:
            self._targets[cluster] = Target(execution_arn, list(strikes))
            return self._targets[cluster]

    def disarm(self, cluster: str) -> None:
        """What has not happened never will."""
        with self._lock:
            self._targets.pop(cluster, None)

    # -- what the region asks

    def _called(self, call: ApiCall) -> None:
        found = self._watched(call)
        if found is None:
            return
        target, work, seen = found
        if (
            work is not None
            and (strike := self._due(target, work, seen, {How.STOPPED, How.KILLED, How.GONE})) is not None
        ):
            self._end(strike, target, work)
        elif (how := self._failing(target, work, seen)) is not None:
            raise _fault(call.service, how)

    def _end(self, strike: Strike, target: Target, work: Work) -> None:
        if strike.how in (How.STOPPED, How.GONE):
            states = self._region.client("stepfunctions")
            cause = "the crash matrix stopped it"
            states.stop_execution(executionArn=target.execution, error="Stopped", cause=cause)
        if strike.how in (How.KILLED, How.GONE):
            self._region.fleet.kill_one(work)
            raise LostResponseError

    def _happened(self, call: ApiCall) -> None:
        found = self._watched(call)
        if found is None or not found[2].changes:
            return
        target, work, seen = found
        if self._due(target, work, seen, {How.LOST}) is not None:
            raise LostResponseError
        if work is None or call.service in NO_CHANGES:
            return
        strike = self._due(target, work, seen, {How.KILLED_MIDWAY, How.TIMED_OUT})
        if strike is not None:
            end = self._region.fleet.kill_one if strike.how is How.KILLED_MIDWAY else self._region.fleet.time_out
            end(work)
            raise LostResponseError

    def _answered(self, work: Work) -> bool:
        target = self._target_of(work)
        done = Seen(work.function.handler, "")
        strike = None if target is None else self._due(target, work, done, {How.KILLED_LATE, How.TIMED_OUT})
        if strike is not None and strike.how is How.TIMED_OUT:
            self._region.fleet.time_out(work)
        return strike is not None

    # -- who it is

    def _watched(self, call: ApiCall) -> tuple[Target, Work | None, Seen] | None:
        """(whose, at which work, what) of a call that a watched cluster's Lambda makes or has signed."""
        if not self._targets:
            return None
        if not call.session:
            return self._signed(call)
        work = self._region.fleet.caller(call.session)
        target = None if work is None else self._target_of(work)
        if work is None or target is None:
            return None
        seen = Seen(work.function.handler, f"{call.service}.{call.action}")
        target.seen.add(seen)
        return target, work, seen

    def _signed(self, call: ApiCall) -> tuple[Target, None, Seen] | None:
        if call.service != "s3" or call.caller not in self._handlers:
            return None
        key = str(call.params.get("Key", ""))
        with self._lock:
            found = (t for name, t in self._targets.items() if f"/{name}/" in key or key.startswith(f"runs/{name}-"))
            target = next(found, None)
        if target is None:
            return None
        seen = Seen(self._handlers[call.caller], f"{call.service}.{call.action}{PRESIGNED}")
        target.seen.add(seen)
        return target, None, seen

    def _target_of(self, work: Work) -> Target | None:
        told = json.dumps(work.event, default=str)
        with self._lock:
            return next((target for name, target in self._targets.items() if f'"{name}"' in told), None)

    # -- whether it is time

    def _due(self, target: Target, work: Work | None, seen: Seen, hows: Collection[How]) -> Strike | None:
        """The strike that this has run into; it is then over."""
        with self._lock:
            strike = _next(target, work)
            if strike is None or strike.how not in hows or not _meant(strike, seen):
                return None
            strike.struck.set()
            return target.strikes.pop(0)

    def _failing(self, target: Target, work: Work | None, seen: Seen) -> How | None:
        """How the call is to fail: each one of the first work that made it, or the first that was made by a host."""
        with self._lock:
            strike = _next(target, work)
            if strike is None or strike.how not in OF_CALLS or not _meant(strike, seen):
                return None
            if strike.struck.is_set() and (work is None or strike.work is not work):
                return None
            strike.work = work
            strike.struck.set()
            return strike.how


def _next(target: Target, work: Work | None) -> Strike | None:
    """The strike that is to come; one of calls is over, where others follow, as soon as another Lambda is at work."""
    head = target.strikes[0] if target.strikes else None
    if head is not None and len(target.strikes) > 1 and head.work is not None and work not in (None, head.work):
        target.strikes.pop(0)
        head = target.strikes[0]
    return head


def _meant(strike: Strike, seen: Seen) -> bool:
    return strike.handler == seen.handler and strike.action in ("", seen.action)


def _fault(service: str, how: How) -> ApiError:
    if how is How.ERROR:
        return ApiError(INTERNAL.get(service, "InternalFailure"), "the crash matrix wants it", status=500)
    code, status = REFUSED.get(service, ("AccessDeniedException", 400))
    return ApiError(code, "the crash matrix wants it", status=status)
