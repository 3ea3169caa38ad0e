"""Step Functions: expressions, waits, and in whose name tasks call."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import a_name, ended, function, machine, queue, ran, role, table, value

ASL = "moto.stepfunctions.parser.asl."
TASKS = f"{ASL}component.state.exec.state_task."
DECLARATIONS = "encode_jsonata_variable_declarations"
GUIDE = "Step Functions developer guide, Transforming data with JSONata"
HARD = 'she said "no"\n\\'
SECONDS = 5
QUICK = Pace(wait_scale=0.001)
OWN_PACE = "how fast the sandbox waits is its own affair"
PATIENCE_S = 3.0
"""Less than `SECONDS`, and much more than these take where they are scaled."""


@behaviour(
    "JSONata expressions give plain JSON.",
    source=GUIDE,
    hooks=(f"{ASL}jsonata.jsonata:_eval_jsonata",),
)
def _expressions(aws: Account) -> None:
    assert value(aws, "$states.input.list[0] + 1", {"list": [1]}) == 2
    assert value(aws, "$states.input.empty", {"empty": []}) == []


@behaviour(
    "Quotes, backslashes and line ends of inputs and variables come through expressions unchanged.",
    source=GUIDE,
    hooks=(f"{ASL}eval.variable_store:{DECLARATIONS}",),
)
def _hard_words(aws: Account) -> None:
    states = {
        "A": {"Type": "Pass", "Assign": {"v": "{% $states.input.text %}"}, "Next": "B"},
        "B": {"Type": "Pass", "Output": "{% $v %}", "End": True},
    }
    assert json.loads(ran(aws, states, {"text": HARD})["output"]) == HARD


@behaviour(
    "Step Functions adds $uuid, $hash, $partition, $range and $parse to JSONata.",
    source=f"{GUIDE}, Functions provided by Step Functions",
    hooks=(f"{ASL}component.common.string.string_expression:get_intrinsic_functions_declarations",),
)
def _functions(aws: Account) -> None:
    assert value(aws, "$length($uuid())") == 36
    assert str(value(aws, "$hash('a', 'SHA-256')")).startswith("ca978112")
    assert value(aws, "$partition($range(1, 3, 1), 2)") == [[1, 2], [3]]


@behaviour(
    "The context's StartTime is written in UTC with a Z.",
    source="Step Functions developer guide, Context object",
    hooks=("moto.stepfunctions.parser.backend.execution:Execution.get_start_execution_details",),
)
def _start_time(aws: Account) -> None:
    assert str(value(aws, "$states.context.Execution.StartTime")).endswith("Z")


@behaviour(
    "An expression that gives nothing ends in States.QueryEvaluationError.",
    source=f"{GUIDE}, Handling errors",
)
def _nothing(aws: Account) -> None:
    told = ran(aws, {"A": {"Type": "Pass", "Output": "{% $states.input.absent %}", "End": True}})
    assert told["error"] == "States.QueryEvaluationError"


@behaviour(
    "A Wait lasts as long as the region's pace makes of its seconds.",
    source="Step Functions developer guide, Wait state",
    hooks=(f"{ASL}component.state.wait.wait_function.wait_function:WaitFunction._wait_interval",),
    sandbox_only=OWN_PACE,
    pace=QUICK,
)
def _waits(aws: Account) -> None:
    aws.patience_s = PATIENCE_S
    assert ran(aws, {"W": {"Type": "Wait", "Seconds": SECONDS, "End": True}})["status"] == "SUCCEEDED"


@behaviour(
    "A Retry's interval lasts as long as the region's pace makes of its seconds, and its last failure is final.",
    source="Step Functions developer guide, Handling errors, Retry",
    hooks=(f"{ASL}component.common.retry.retrier_decl:time",),
    sandbox_only=OWN_PACE,
    pace=QUICK,
)
def _retries(aws: Account) -> None:
    aws.patience_s = PATIENCE_S
    retry = {"ErrorEquals": ["LookupError"], "IntervalSeconds": SECONDS, "MaxAttempts": 1, "BackoffRate": 1.0}
    arguments = {"FunctionName": function(aws, "raise LookupError('nobody')"), "Payload": {}}
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments, "End": True}
    told = ran(aws, {"T": {**task, "Retry": [retry]}})
    assert (told["status"], told["error"]) == ("FAILED", "LookupError")


@behaviour(
    "A task's timeout is real however quick waits are.",
    source="Step Functions developer guide, Task state, TimeoutSeconds",
    sandbox_only=OWN_PACE,
    pace=QUICK,
)
def _real_timeout(aws: Account) -> None:
    arguments = {"FunctionName": function(aws, "import time", "time.sleep(0.3)", "return 1"), "Payload": {}}
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments, "End": True}
    assert ran(aws, {"T": {**task, "TimeoutSeconds": 60}})["status"] == "SUCCEEDED"


# --- in whose name ---------------------------------------------------------------------------------------------------

Arguments = Callable[[Account], dict[str, Any]]


def _to_topic(aws: Account) -> dict[str, Any]:
    return {"TopicArn": aws.client("sns").create_topic(Name=a_name())["TopicArn"], "Message": "hello"}


def _to_bus(_aws: Account) -> dict[str, Any]:
    return {"Entries": [{"Source": "row", "DetailType": "row", "Detail": {}}]}


CALLS: tuple[tuple[str, str, Arguments, str, str], ...] = (
    (
        "lambda:invoke",
        "lambda_eval_utils",
        lambda aws: {"FunctionName": function(aws, "return 1"), "Payload": {}},
        "lambda",
        "Invoke",
    ),
    (
        "aws-sdk:sqs:sendMessage",
        "service.state_task_service_aws_sdk",
        lambda aws: {"QueueUrl": queue(aws)[0], "MessageBody": "hello"},
        "sqs",
        "SendMessage",
    ),
    ("sns:publish", "service.state_task_service_sns", _to_topic, "sns", "Publish"),
    ("events:putEvents", "service.state_task_service_events", _to_bus, "events", "PutEvents"),
    (
        "dynamodb:getItem",
        "service.state_task_service_dynamodb",
        lambda aws: {"TableName": table(aws), "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}},
        "dynamodb",
        "GetItem",
    ),
)


def _in_whose_name(resource: str, arguments: Arguments, service: str, action: str, aws: Account) -> None:
    states = {
        "T": {
            "Type": "Task",
            "Resource": f"arn:aws:states:::{resource}",
            "Arguments": arguments(aws),
            "Output": "done",
            "End": True,
        }
    }
    own, client = role(aws), aws.client("stepfunctions")
    arn = machine(aws, states)
    client.update_state_machine(stateMachineArn=arn, roleArn=own)
    with aws.region.recorder.recording() as record:
        execution = client.start_execution(stateMachineArn=arn)["executionArn"]
        told = ended(aws, execution)
    assert told["status"] == "SUCCEEDED", told
    callers = {call.caller for call in record.calls if (call.service, call.action) == (service, action)}
    assert own.rpartition("/")[2] in callers


for _resource, _module, _arguments, _service, _action in CALLS:
    behaviour(
        f"A task of {_resource} calls in the name of its machine's role.",
        source="Step Functions developer guide, IAM policies for integrated services",
        hooks=(f"{TASKS}{_module}:boto_client_for",),
        sandbox_only="only the sandbox tells who called",
    )(partial(_in_whose_name, _resource, _arguments, _service, _action))
