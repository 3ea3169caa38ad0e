"""Lambda functions: how they are run, and what callers are told."""

import json

from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import function

MODELS = "moto.awslambda.models:LambdaFunction."
API = "Lambda API reference, Invoke"


@behaviour(
    "A function runs with its event, and its result comes back as JSON.",
    source=API,
    hooks_unseen=(
        (f"{MODELS}_invoke_lambda", "moto would ask Docker, which is not there, and leave open what it asked with"),
    ),
)
def _runs(aws: Account) -> None:
    arn = function(aws, "return {'got': event, 'name': context.function_name}")
    answer = aws.client("lambda").invoke(FunctionName=arn, Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"got": {"a": 1}, "name": arn.rpartition(":")[2]}


@behaviour(
    "An exception is told as Unhandled, with its class and message.",
    source=API,
    hooks=(f"{MODELS}invoke",),
)
def _raises(aws: Account) -> None:
    answer = aws.client("lambda").invoke(FunctionName=function(aws, "raise LookupError('nobody')"), Payload=b"{}")
    told = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert (told["errorType"], told["errorMessage"]) == ("LookupError", "nobody")


@behaviour(
    "A function over its time is ended, and told as an error.",
    source="Lambda developer guide, Configure timeout",
)
def _too_long(aws: Account) -> None:
    arn = function(aws, "import time", "time.sleep(30)", timeout_s=1)
    answer = aws.client("lambda").invoke(FunctionName=arn, Payload=b"{}")
    told = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in told["errorMessage"]


@behaviour(
    "A function logs to a group of its own name, unless it says otherwise.",
    source="Lambda API reference, LoggingConfig",
    hooks=(f"{MODELS}get_configuration",),
)
def _log_group(aws: Account) -> None:
    name = function(aws, "return 1").rpartition(":")[2]
    told = aws.client("lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]
    assert told == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}


@behaviour(
    "A function that was started asynchronously runs after the caller has been answered.",
    source="Lambda developer guide, Asynchronous invocation",
    sandbox_only="its log is read where the sandbox keeps it",
)
def _later(aws: Account) -> None:
    arn = function(aws, "print('it ran')")
    answer = aws.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=b"{}")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert aws.eventually(lambda: "it ran" in aws.region.logs(arn.rpartition(":")[2]))
