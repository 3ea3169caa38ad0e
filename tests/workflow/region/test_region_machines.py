"""State machines are executed as Step Functions does it."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.region import Region
from tests.workflow.region.shapes import a_function, a_machine, eventually, finished

MACHINE: dict[str, Any] = json.loads(Path(__file__).with_name("machine.asl.json").read_text())
STEP = """
class TransientError(Exception): pass
class CorruptError(Exception): pass
def handler(event, context):
    print(event)
    {body}
"""


def _deploy_journey(region: Region, **bodies: str) -> str:
    text = json.dumps(MACHINE)
    for name in ("AcquireLock", "CheckSnapshots", "AbandonPoint", "ReleaseLock"):
        arn = a_function(region, name, STEP.format(body=bodies.get(name, "return event")))
        text = text.replace("${" + name + "}", arn)
    return a_machine(region, json.loads(text), name="journey")


def test_a_journey_polls_with_waits_until_it_is_done(region: Region) -> None:
    machine = _deploy_journey(
        region,
        CheckSnapshots="handler.n = getattr(handler, 'n', 0) + 1; return {'done': handler.n > 2, 'wait_s': 5}",
        ReleaseLock="return event['request']['cluster']",
    )
    states = region.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine, input='{"cluster": "c \\"1\\""}')["executionArn"]
    told = [(event.state, event.kind) for event in region.follow(execution)]
    assert told.count(("WaitForSnapshots", "exited")) == 2
    assert told[0] == ("AcquireLock", "entered")
    assert told[-1] == ("ReleaseLock", "exited")
    assert states.describe_execution(executionArn=execution)["output"] == '"c \\"1\\""'


def test_a_failed_step_goes_through_the_release_and_keeps_its_error(region: Region) -> None:
    machine = _deploy_journey(region, CheckSnapshots="raise CorruptError('snapshot_failed: snap-1')")
    execution = finished(region, machine, {})
    assert execution["status"] == "FAILED"
    assert execution["error"] == "CorruptError"
    assert "snapshot_failed: snap-1" in execution["cause"]
    assert "snapshot_failed: snap-1" in region.logs("AbandonPoint")


def test_a_transient_error_is_retried_with_scaled_intervals(region: Region) -> None:
    body = (
        "handler.n = getattr(handler, 'n', 0) + 1\n"
        "    if handler.n < 3: raise TransientError('busy')\n"
        "    return {'done': True, 'wait_s': 5}"
    )
    began = time.monotonic()
    assert finished(region, _deploy_journey(region, CheckSnapshots=body), {})["status"] == "SUCCEEDED"
    assert region.logs("CheckSnapshots").count("TransientError: busy") == 2
    assert time.monotonic() - began < 10


def test_a_task_over_its_time_ends_in_states_timeout(region: Region) -> None:
    arn = a_function(region, "slow", "import time\ndef handler(event, context):\n    time.sleep(3)\n")
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 1, "End": True}
    machine = a_machine(
        region,
        {
            "QueryLanguage": "JSONata",
            "StartAt": "Slow",
            "States": {"Slow": {**task, "Arguments": {"FunctionName": arn, "Payload": {}}}},
        },
    )
    assert finished(region, machine, {})["error"] == "States.Timeout"


def _pass(**fields: object) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, **fields}}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$states.input.text", 'she said "no"\n\\'),
        ("$states.input.list[0]", 1),
        ("$states.input.empty", []),
        ("$states.input.nothing", None),
        ("$count($states.input.list) = 2", True),
        ("$hash('a', 'SHA-256')", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("$length($uuid())", 36),
        ("$partition($range(1, 3, 1), 2)", [[1, 2], [3]]),
        ("$substring($states.context.Execution.StartTime, -1)", "Z"),
    ],
)
def test_an_expression_gives_plain_json(region: Region, expression: str, value: object) -> None:
    given = {"text": 'she said "no"\n\\', "list": [1, 2], "empty": [], "nothing": None}
    machine = a_machine(region, _pass(Output="{% " + expression + " %}"))
    assert json.loads(finished(region, machine, given)["output"]) == value


def test_an_expression_without_a_value_fails_the_execution(region: Region) -> None:
    machine = a_machine(region, _pass(Output="{% $states.input.absent %}"))
    assert finished(region, machine, {})["error"] == "States.QueryEvaluationError"


def test_executions_without_a_name_get_one_each_and_a_taken_name_is_refused(region: Region) -> None:
    machine, states = a_machine(region, _pass()), region.client("stepfunctions")
    arns = {states.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(3)}
    assert len(arns) == 3
    states.start_execution(stateMachineArn=machine, name="mine", input='{"a": 1}')
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        states.start_execution(stateMachineArn=machine, name="mine", input='{"a": 2}')


def test_a_stopped_execution_is_aborted_at_once_though_its_task_runs_on(region: Region) -> None:
    arn = a_function(
        region, "work", "import time\ndef handler(event, context):\n    time.sleep(1)\n    print('done')\n"
    )
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    arguments = {"Arguments": {"FunctionName": arn, "Payload": {}}}
    machine = a_machine(region, {"QueryLanguage": "JSONata", "StartAt": "W", "States": {"W": {**task, **arguments}}})
    states = region.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    time.sleep(0.3)
    states.stop_execution(executionArn=execution, error="Operator", cause="enough")
    described = states.describe_execution(executionArn=execution)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Operator", "enough")
    assert eventually(lambda: "done" in region.logs("work"))
    assert states.describe_execution(executionArn=execution)["stopDate"] == described["stopDate"]
