"""A run is dead when nothing of it can act any more, and only then."""

from datetime import datetime
from typing import Any

import pytest
from aerokeep.model.execution import Execution, Life
from aerokeep.model.run import LockState
from aerokeep.rules.dead_runs import LONGEST_WAIT_S, YOUNG_S, Condition, Remedy, judge_lock, remedy
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, a_run, at

LIVES = [*Life]


def a_lock(**changes: Any) -> LockState:  # noqa: ANN401 - any field
    return LockState(**{"run": a_run(started_at=NOON), "state": "held", **changes})


def an_execution(life: Life) -> Execution:
    return Execution(arn="arn", life=life, status={Life.RUNNING: "RUNNING", Life.ENDED: "ABORTED"}.get(life, "gone"))


@pytest.mark.parametrize(
    ("lock", "life", "now", "condition"),
    [
        (a_lock(), Life.RUNNING, at(86_400), Condition.ALIVE),
        (a_lock(busy_until=at(10)), Life.RUNNING, at(86_400), Condition.ALIVE),
        (a_lock(), Life.ENDED, at(1), Condition.DEAD),
        (a_lock(busy_until=at(10)), Life.ENDED, at(9.5), Condition.WAITING),
        (a_lock(busy_until=at(10)), Life.ENDED, at(10), Condition.DEAD),
        (a_lock(), Life.GONE, at(YOUNG_S - 1), Condition.WAITING),
        (a_lock(), Life.GONE, at(YOUNG_S), Condition.DEAD),
        (a_lock(busy_until=at(YOUNG_S + 5)), Life.GONE, at(YOUNG_S), Condition.WAITING),
        (a_lock(state="halted"), Life.ENDED, at(86_400), Condition.HALTED),
        (a_lock(state="halted"), Life.RUNNING, at(86_400), Condition.HALTED),
    ],
)
def test_a_lock_stands_as_its_execution_and_its_lambdas_do(
    lock: LockState, life: Life, now: datetime, condition: Condition
) -> None:
    assert judge_lock(lock, an_execution(life), now=now).condition is condition


def test_the_reason_says_what_aws_says_of_the_execution() -> None:
    assert judge_lock(a_lock(), an_execution(Life.ENDED), now=at(1)).reason == "its execution is ABORTED"
    waiting = judge_lock(a_lock(busy_until=at(10)), an_execution(Life.ENDED), now=at(1))
    assert waiting.reason == ("its execution is ABORTED, but a Lambda of it may be acting until 2026-11-23T12:00:10Z")


@given(st.floats(0.1, 10_000), st.sampled_from(LIVES))
def test_a_wait_lasts_until_the_lambda_is_done_and_is_stayed_for_only_if_it_is_short(left_s: float, life: Life) -> None:
    verdict = judge_lock(a_lock(busy_until=at(200 + left_s)), an_execution(life), now=at(200))
    if life is Life.RUNNING:
        assert verdict.condition is Condition.ALIVE
    elif left_s < LONGEST_WAIT_S - 1:
        assert verdict.wait_s is not None
        assert left_s < verdict.wait_s <= left_s + 1.001
    elif left_s > LONGEST_WAIT_S:
        assert verdict.wait_s is None


@pytest.mark.parametrize(
    ("journey", "expected"),
    [
        ("backup", Remedy.ABANDON),
        ("protect", Remedy.RELEASE),
        ("health", Remedy.RELEASE),
        ("restore", Remedy.HALT),
        ("replace-node", Remedy.HALT),
        ("import", Remedy.HALT),
        ("one-of-next-year", Remedy.HALT),
    ],
)
def test_only_what_can_be_undone_is_undone(journey: str, expected: Remedy) -> None:
    assert remedy(journey) is expected
