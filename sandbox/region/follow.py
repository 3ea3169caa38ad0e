"""Follow an execution state by state, as its history grows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

POLL_S = 0.05
LONGEST_PAGE = 1000
FINISHED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
_FAILURES = (
    "TaskFailed",
    "TaskTimedOut",
    "EvaluationFailed",
    "ExecutionFailed",
    "ExecutionTimedOut",
    "ExecutionAborted",
)


@dataclass(frozen=True)
class StateEvent:
    """Something happened to a state."""

    state: str
    kind: Literal["entered", "exited", "failed"]
    at: datetime
    detail: str
    """A failure's error and cause; what a state that was exited gives; else empty."""


def follow(states: Any, execution_arn: str, *, poll_s: float = POLL_S) -> Iterator[StateEvent]:  # noqa: ANN401  # a boto client
    """Yield what happens until the execution has finished.

    Args:
        states: a boto client for Step Functions.
        execution_arn: the execution.
        poll_s: seconds between looks.

    """
    seen, state = 0, ""
    while True:
        finished = states.describe_execution(executionArn=execution_arn)["status"] in FINISHED
        for event in _history(states, execution_arn)[seen:]:
            seen += 1
            if told := _told(event, state):
                state = told.state
                yield told
        if finished:
            return
        time.sleep(poll_s)


def _history(states: Any, execution_arn: str) -> list[dict[str, Any]]:  # noqa: ANN401  # a boto client
    pages = states.get_paginator("get_execution_history").paginate(executionArn=execution_arn, maxResults=LONGEST_PAGE)
    return [event for page in pages for event in page["events"]]


def _told(event: dict[str, Any], state: str) -> StateEvent | None:
    kind, at = event["type"], event["timestamp"]
    if kind.endswith("StateEntered"):
        return StateEvent(event["stateEnteredEventDetails"]["name"], "entered", at, "")
    if kind.endswith("StateExited"):
        details = event["stateExitedEventDetails"]
        return StateEvent(details["name"], "exited", at, details.get("output") or "")
    if kind not in _FAILURES:
        return None
    told: dict[str, Any] = next((v for k, v in event.items() if k.endswith("EventDetails")), {})
    words = [kind, told.get("error") or "", told.get("cause") or ""]
    return StateEvent(state, "failed", at, ": ".join(word for word in words if word))
