"""Is the run that holds a cluster dead, and what has to become of a dead one?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from aerokeep.model.execution import Execution, Life
from aerokeep.model.run import LockState
from aerokeep.model.wire import Wire, iso

YOUNG_S = 60
"""DescribeExecution is eventually consistent: it may not know yet an execution that has just begun."""
LONGEST_WAIT_S = 300
"""A look that is due later than this is left to the guardian's schedule."""


class Condition(StrEnum):
    """How a lock stands."""

    ALIVE = "alive"
    WAITING = "waiting"
    """The execution has ended, but a Lambda of it may still be acting."""
    DEAD = "dead"
    HALTED = "halted"
    """Left for the same journey, continued, or for an operator."""


class Remedy(StrEnum):
    """What the guardian does about a dead run."""

    ABANDON = "abandon"
    """Resume writes, end jobs on hosts, give the half-made point or export up, release the lock."""
    RELEASE = "release"
    """It changed nothing that has to be undone: release the lock."""
    HALT = "halt"
    """Touch nothing: a half-restored cluster must not be opened to writes."""


class Verdict(Wire):
    """How a lock stands, and why."""

    condition: Condition
    reason: str
    wait_s: int | None = None
    """Seconds until another look is worth it; None: not worth waiting for."""


_REMEDIES: Mapping[str, Remedy] = {
    "backup": Remedy.ABANDON,
    "export": Remedy.ABANDON,
    "protect": Remedy.RELEASE,
    "health": Remedy.RELEASE,
}


def judge_lock(lock: LockState, execution: Execution, *, now: datetime) -> Verdict:
    """Judge whether the run that holds ``lock`` can still act."""
    if lock.state == "halted":
        return Verdict(condition=Condition.HALTED, reason=lock.reason or "halted")
    if execution.life is Life.RUNNING:
        return Verdict(condition=Condition.ALIVE, reason=f"its execution is {execution.status}")
    waits = [] if lock.busy_until is None else [("a Lambda of it may be acting", lock.busy_until)]
    if execution.life is Life.GONE:
        waits.append(("it may just have begun", lock.run.started_at + timedelta(seconds=YOUNG_S)))
    why, until = max(waits, key=lambda wait: wait[1], default=("", now))
    if now < until:
        left_s = int((until - now).total_seconds()) + 1
        return Verdict(
            condition=Condition.WAITING,
            reason=f"its execution is {execution.status}, but {why} until {iso(until)}",
            wait_s=left_s if left_s <= LONGEST_WAIT_S else None,
        )
    return Verdict(condition=Condition.DEAD, reason=f"its execution is {execution.status}")


def remedy(journey: str) -> Remedy:
    """What becomes of a dead run of a journey; of one that this rule does not know nothing is touched."""
    return _REMEDIES.get(journey, Remedy.HALT)
