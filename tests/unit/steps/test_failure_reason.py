"""What a state machine caught is kept as people read it."""

import json

import pytest
from aerokeep.model.run import Failure


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (json.dumps({"errorMessage": "a: b", "errorType": "X", "stackTrace": ["…"]}), "CorruptError: a: b"),
        ("The function timed out", "CorruptError: The function timed out"),
        (json.dumps(["not", "Lambda's"]), 'CorruptError: ["not", "Lambda\'s"]'),
        ("{}", "CorruptError: {}"),
        ("", "CorruptError: "),
    ],
)
def test_the_reason_is_the_message_without_what_lambda_puts_around_it(cause: str, reason: str) -> None:
    assert Failure(Error="CorruptError", Cause=cause).reason == reason
