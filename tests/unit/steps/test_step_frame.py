"""The frame around steps: wrong events are refused by field, collaborators made once, our errors keep their names."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Self

import pytest
from aerokeep.model.errors import ConflictError, RejectedError
from aerokeep.model.wire import Instant, Wire
from aerokeep.steps.step import step


class Question(Wire):
    """What the step of these tests is asked."""

    number: int
    at: Instant | None = None


class Answer(Wire):
    """What it answers."""

    doubled: int
    at: Instant | None


@dataclass
class Counter:
    """A collaborator that tells how often it was made."""

    made = 0

    @classmethod
    def from_environment(cls) -> Self:
        cls.made += 1
        return cls()


def double(request: Question, *, counter: Counter) -> Answer:
    assert isinstance(counter, Counter)
    if request.number < 0:
        raise ConflictError("negative: no")
    return Answer(doubled=2 * request.number, at=request.at)


CONTEXT: Any = SimpleNamespace(aws_request_id="r-1")


def test_an_event_becomes_a_request_and_the_answer_plain_json() -> None:
    answer = step(double)({"number": 2, "at": "2026-11-23T13:00:00+01:00"}, CONTEXT)
    assert answer == {"doubled": 4, "at": "2026-11-23T12:00:00Z"}


def test_collaborators_are_made_once_however_many_events_come() -> None:
    Counter.made = 0
    handler = step(double)
    assert Counter.made == 0, "importing a step must not reach for AWS"
    for number in range(3):
        handler({"number": number}, CONTEXT)
    assert Counter.made == 1


def test_every_mistake_of_an_event_is_told_with_its_field_in_one_line() -> None:
    with pytest.raises(RejectedError) as refused:
        step(double)({"number": "many", "at": "2026-11-23T12:00:00", "colour": 1}, CONTEXT)
    message = str(refused.value)
    assert refused.value.code == "bad_input"
    assert "\n" not in message
    for words in ("field number: ", "field at: ", "must carry a time zone", "field colour: Extra inputs"):
        assert words in message


def test_a_collaborator_is_not_made_for_an_event_that_is_refused() -> None:
    Counter.made = 0
    with pytest.raises(RejectedError):
        step(double)({}, CONTEXT)
    assert Counter.made == 0


def test_an_error_of_ours_leaves_the_step_as_it_is() -> None:
    with pytest.raises(ConflictError, match=r"^negative: no$"):
        step(double)({"number": -1}, CONTEXT)
