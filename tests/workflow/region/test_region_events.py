"""What becomes of an execution reaches the topics whose rules ask for it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.region import Region
from sandbox.region.targets import transformed
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


@pytest.mark.parametrize("end", ["ABORTED", "TIMED_OUT"])
def test_an_execution_that_does_not_end_by_itself_is_told_too(region: Region, end: str) -> None:
    waiting = {"Type": "Wait", "Seconds": 6000, "End": True}
    timeout = {"TimeoutSeconds": 1} if end == "TIMED_OUT" else {}
    machine = a_machine(region, {"StartAt": "W", "States": {"W": waiting}, **timeout})
    other = a_machine(region, PASSING, name="other")
    topic = _rule(region, "told", machine)
    states = region.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine, input='{"cluster": "demo"}')["executionArn"]
    finished(region, other, {})
    if end == "ABORTED":
        states.stop_execution(executionArn=arn, error="Operator", cause="enough")
        states.stop_execution(executionArn=arn, error="Operator", cause="again")
    for _ in region.follow(arn):
        pass
    details = [json.loads(text)["detail"] for text in region.topic_messages(topic)]
    assert [(detail["executionArn"], detail["status"]) for detail in details] == [(arn, end)]
    assert details[0]["input"] == '{"cluster": "demo"}'
    assert details[0]["stopDate"] is not None
    ended = states.list_executions(stateMachineArn=machine, statusFilter=end)["executions"]
    assert [execution["executionArn"] for execution in ended] == [arn]
    assert states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"] == []


@pytest.mark.parametrize("action", ["describe_execution", "stop_execution"])
def test_an_execution_that_never_was_is_refused(region: Region, action: str) -> None:
    machine = a_machine(region, PASSING)
    arn = machine.replace(":stateMachine:", ":execution:") + ":nobody"
    with pytest.raises(ClientError) as caught:
        getattr(region.client("stepfunctions"), action)(executionArn=arn)
    assert caught.value.response["Error"]["Code"] == "ExecutionDoesNotExist"


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
