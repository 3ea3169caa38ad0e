"""What becomes of an execution reaches the topics whose rules ask for it."""

import json
from typing import Any

from sandbox.region import Region
from sandbox.region.bus import transformed
from tests.workflow.region.shapes import a_machine, finished

FAILING = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "RejectedError", "Cause": 'no "such" cluster'}}}
PASSING = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}


def _rule(region: Region, name: str, machine: str, **target: Any) -> str:  # noqa: ANN401  # a target's own fields
    topic = region.client("sns").create_topic(Name=name)["TopicArn"]
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"], "stateMachineArn": [machine]},
    }
    events = region.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": topic, **target}])
    return str(topic)


def test_a_failed_execution_reaches_the_topic_and_a_passed_one_does_not(region: Region) -> None:
    failing, passing = a_machine(region, FAILING, name="failing"), a_machine(region, PASSING, name="passing")
    plain, other = _rule(region, "plain", failing), _rule(region, "other", passing)
    finished(region, passing, {})
    execution = finished(region, failing, {"cluster": "demo"})
    messages = [json.loads(text) for text in region.topic_messages(plain)]
    assert [message["detail"]["status"] for message in messages] == ["FAILED"]
    assert messages[0]["detail"]["executionArn"] == execution["executionArn"]
    assert messages[0]["detail"]["error"] == "RejectedError"
    assert messages[0]["detail"]["input"] == '{"cluster": "demo"}'
    assert region.topic_messages(other) == []
    assert region.bus.failures == []


def test_a_transformer_writes_the_message(region: Region) -> None:
    failing = a_machine(region, FAILING, name="failing")
    transformer = {
        "InputPathsMap": {"status": "$.detail.status", "cause": "$.detail.cause"},
        "InputTemplate": '"execution <status>: <cause>"',
    }
    topic = _rule(region, "told", failing, InputTransformer=transformer)
    finished(region, failing, {})
    assert region.topic_messages(topic) == ['"execution FAILED: no "such" cluster"']


def test_an_unquoted_placeholder_becomes_json() -> None:
    target = {
        "InputTransformer": {"InputPathsMap": {"d": "$.detail"}, "InputTemplate": '{"detail": <d>, "text": "<d>"}'}
    }
    text = transformed(target, {"detail": {"a": [1]}}, rule_arn="arn")
    assert text == '{"detail": {"a": [1]}, "text": "{\\"a\\": [1]}"}'


def test_a_rule_that_only_has_a_schedule_hears_nothing(region: Region) -> None:
    topic = region.client("sns").create_topic(Name="scheduled")["TopicArn"]
    events = region.client("events")
    events.put_rule(Name="scheduled", ScheduleExpression="rate(5 minutes)")
    events.put_targets(Rule="scheduled", Targets=[{"Id": "t", "Arn": topic}])
    finished(region, a_machine(region, FAILING), {})
    assert region.topic_messages(topic) == []
