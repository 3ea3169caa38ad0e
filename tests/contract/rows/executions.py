"""Step Functions: how executions begin, are seen, and end."""

import json
from typing import Any

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import described, ended, function, heard, machine, next_message, ran, started

PARSER = "moto.stepfunctions.parser."
ASL = f"{PARSER}asl."
RESPONSES = "moto.stepfunctions.responses:StepFunctionResponse."
START = f"{PARSER}models:StepFunctionsParserBackend.start_execution"
API = "Step Functions API reference"
GUIDE = "Step Functions developer guide"
LARGEST = 262_144
HOUR_S = 3600
PASS: dict[str, Any] = {"P": {"Type": "Pass", "End": True}}
FAIL: dict[str, Any] = {"F": {"Type": "Fail", "Error": "Broken", "Cause": "by the row"}}
WAIT: dict[str, Any] = {"W": {"Type": "Wait", "Seconds": HOUR_S, "End": True}}
REAL_TIME = Pace(wait_scale=1.0)


def _lambda(aws: Account, *lines: str, **fields: object) -> dict[str, Any]:
    arguments = {"FunctionName": function(aws, *lines), "Payload": "{% $states.input %}"}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments, **fields}


def _caught(error: str) -> list[dict[str, Any]]:
    return [{"ErrorEquals": [error], "Next": "Caught"}]


def _types(aws: Account, execution: str) -> list[str]:
    pages = aws.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
    return [event["type"] for page in pages for event in page["events"]]


@behaviour(
    "StartExecution with a name and an input that already run gives the same execution; any other use is refused.",
    source=f"{API}, StartExecution",
    calls=("states.DescribeExecution",),
    pace=REAL_TIME,
)
def _same_again(aws: Account) -> None:
    states, arn = aws.client("stepfunctions"), machine(aws, WAIT)
    request = {"stateMachineArn": arn, "name": "mine", "input": '{"a": 1}'}
    first = states.start_execution(**request)
    again = states.start_execution(**request)
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    assert aws.refused("stepfunctions", "start_execution", **{**request, "input": "{}"}) == "ExecutionAlreadyExists"
    states.stop_execution(executionArn=first["executionArn"])
    assert aws.refused("stepfunctions", "start_execution", **request) == "ExecutionAlreadyExists"


@behaviour(
    "Executions without a name get one each.",
    source=f"{API}, StartExecution",
    hooks=(START,),
)
def _nameless(aws: Account) -> None:
    states, arn = aws.client("stepfunctions"), machine(aws, PASS)
    assert len({states.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(2)}) == 2


@behaviour(
    "Names of executions have at most 80 characters, and none that is forbidden.",
    source=f"{API}, StartExecution, name",
    hooks=(START,),
)
def _names(aws: Account) -> None:
    arn = machine(aws, PASS)
    for name in ("a b", "a*b", "a#b", "a/b", "a" * 81):
        code = aws.refused("stepfunctions", "start_execution", stateMachineArn=arn, name=name)
        assert code in ("InvalidName", "ValidationException"), name
    aws.client("stepfunctions").start_execution(stateMachineArn=arn, name="a" * 80)


@behaviour(
    "An execution's input has at most 262,144 bytes and is JSON.",
    source=f"{API}, StartExecution, input; {GUIDE}, Service quotas",
    hooks=(START,),
)
def _inputs(aws: Account) -> None:
    arn = machine(aws, PASS)
    large = json.dumps("x" * (LARGEST - 1))
    assert aws.refused("stepfunctions", "start_execution", stateMachineArn=arn, input=large) == "ValidationException"
    assert aws.refused("stepfunctions", "start_execution", stateMachineArn=arn, input="{") == "InvalidExecutionInput"


@behaviour(
    "StopExecution ends an execution as ABORTED with its error and cause; no Catch runs, and a second stop is nothing.",
    source=f"{API}, StopExecution; {GUIDE}, Handling errors",
    hooks=(f"{RESPONSES}stop_execution",),
)
def _stopped(aws: Account) -> None:
    slow = _lambda(aws, "import time", "time.sleep(1)", Catch=_caught("States.ALL"), End=True)
    execution = started(aws, {"Slow": slow, "Caught": {"Type": "Pass", "End": True}})
    assert aws.eventually(lambda: "TaskScheduled" in _types(aws, execution))
    states = aws.client("stepfunctions")
    states.stop_execution(executionArn=execution, error="Operator", cause="enough")
    told = described(aws, execution)
    assert (told["status"], told["error"], told["cause"]) == ("ABORTED", "Operator", "enough")
    states.stop_execution(executionArn=execution, error="Operator", cause="again")
    assert described(aws, execution) == told
    assert "PassStateEntered" not in _types(aws, execution)


@behaviour(
    "An execution over the machine's TimeoutSeconds ends as TIMED_OUT, and no Catch runs.",
    source=f"{GUIDE}, Handling errors",
)
def _timed_out(aws: Account) -> None:
    slow = _lambda(aws, "import time", "time.sleep(2)", Catch=_caught("States.ALL"), End=True)
    execution = started(aws, {"Slow": slow, "Caught": {"Type": "Pass", "End": True}}, TimeoutSeconds=1)
    assert ended(aws, execution)["status"] == "TIMED_OUT"
    assert "PassStateEntered" not in _types(aws, execution)


@behaviour(
    "A task over its TimeoutSeconds ends in States.Timeout, which can be caught.",
    source=f"{GUIDE}, Handling errors",
)
def _task_timed_out(aws: Account) -> None:
    slow = _lambda(aws, "import time", "time.sleep(2)", TimeoutSeconds=1, Catch=_caught("States.Timeout"), End=True)
    caught = {"Type": "Pass", "Output": "{% $states.input.Error %}", "End": True}
    assert json.loads(ran(aws, {"Slow": slow, "Caught": caught})["output"]) == "States.Timeout"


@behaviour(
    "A Lambda's exception ends its task under the exception's own name; what is not caught fails the execution.",
    source=f"{GUIDE}, Handling errors",
)
def _raised(aws: Account) -> None:
    told = ran(aws, {"T": _lambda(aws, "raise LookupError('nobody')", End=True)})
    assert (told["status"], told["error"]) == ("FAILED", "LookupError")
    assert json.loads(told["cause"])["errorMessage"] == "nobody"


@behaviour(
    "States.ALL does not catch States.DataLimitExceeded; its own name does.",
    source=f"{GUIDE}, Handling errors, Error names",
    hooks=(f"{ASL}component.common.error_name.error_equals_decl:ErrorEqualsDecl._eval_body",),
)
def _not_all(aws: Account) -> None:
    caught = {"Type": "Pass", "End": True}
    large = f"return 'x' * {LARGEST}"
    for name, status in (("States.DataLimitExceeded", "SUCCEEDED"), ("States.ALL", "FAILED")):
        told = ran(aws, {"Large": _lambda(aws, large, Catch=_caught(name), End=True), "Caught": caught})
        assert told["status"] == status, name
    assert told["error"] == "States.DataLimitExceeded"


def _inner(aws: Account) -> dict[str, Any]:
    slow = _lambda(aws, "import time", "time.sleep(2)", TimeoutSeconds=1, End=True)
    return {"StartAt": "Slow", "States": {"Slow": slow}}


@behaviour(
    "States.Timeout of a branch can be caught at its Parallel state.",
    source=f"{GUIDE}, Handling errors",
    hooks=(f"{ASL}component.state.exec.state_parallel.branches_decl:CustomErrorName",),
)
def _branch(aws: Account) -> None:
    both = {"Type": "Parallel", "Branches": [_inner(aws)], "Catch": _caught("States.Timeout"), "End": True}
    assert ran(aws, {"Both": both, "Caught": {"Type": "Pass", "End": True}})["status"] == "SUCCEEDED"


@behaviour(
    "States.Timeout of an iteration can be caught at its Map state.",
    source=f"{GUIDE}, Handling errors",
    hooks=(f"{ASL}component.state.exec.state_map.iteration.iteration_worker:CustomErrorName",),
)
def _iteration(aws: Account) -> None:
    inline = {**_inner(aws), "ProcessorConfig": {"Mode": "INLINE"}}
    each = {"Type": "Map", "Items": [1], "ItemProcessor": inline, "Catch": _caught("States.Timeout"), "End": True}
    assert ran(aws, {"Each": each, "Caught": {"Type": "Pass", "End": True}})["status"] == "SUCCEEDED"


@behaviour(
    "A state's output may not be larger than 256 KiB: States.DataLimitExceeded.",
    source=f"{GUIDE}, Service quotas",
)
def _large_output(aws: Account) -> None:
    expression = "{% $pad('', 262145, 'x') %}"
    told = ran(aws, {"P": {"Type": "Pass", "Output": expression, "End": True}})
    assert (told["status"], told["error"]) == ("FAILED", "States.DataLimitExceeded"), told


@behaviour(
    "A task's arguments may not be larger than 256 KiB: States.DataLimitExceeded.",
    source=f"{GUIDE}, Service quotas",
    hooks=(f"{ASL}component.state.exec.state_task.state_task:StateTask._eval_parameters",),
)
def _large_arguments(aws: Account) -> None:
    task = _lambda(aws, "return 1", End=True)
    task["Arguments"]["Payload"] = "{% $pad('', 262145, 'x') %}"
    told = ran(aws, {"T": task})
    assert (told["status"], told.get("error")) == ("FAILED", "States.DataLimitExceeded")


@behaviour(
    "An execution whose history is full fails, unless the last event is its success; nothing can catch that.",
    source=f"{GUIDE}, Avoid reaching the history quota; assumed: the error's name is States.Runtime",
    hooks=(f"{ASL}eval.event.event_manager:EventManager.add_event",),
    sandbox_only="25,000 events take minutes; here there is room for 21",
    pace=Pace(history_events=21),
)
def _full(aws: Account) -> None:
    passes = {f"P{n}": {"Type": "Pass", "Next": f"P{n + 1}"} for n in range(9)}
    enough = {"P8": {"Type": "Pass", "End": True}}
    fits = ran(aws, {**{name: passes[name] for name in list(passes)[:8]}, **enough})
    assert fits["status"] == "SUCCEEDED"
    inner = {"StartAt": "P0", "States": {**passes, "P9": {"Type": "Pass", "End": True}}}
    both = {"Type": "Parallel", "Branches": [inner], "Catch": _caught("States.ALL"), "End": True}
    execution = started(aws, {"Both": both, "Caught": {"Type": "Pass", "End": True}})
    told = ended(aws, execution)
    assert (told["status"], told["error"]) == ("FAILED", "States.Runtime")
    assert "maximum number of history events (21)" in told["cause"]
    assert len(_types(aws, execution)) == 21


@behaviour(
    "GetExecutionHistory comes in pages, and backwards if asked.",
    source=f"{API}, GetExecutionHistory",
    hooks=(f"{RESPONSES}get_execution_history",),
)
def _history(aws: Account) -> None:
    execution, states = started(aws, PASS), aws.client("stepfunctions")
    ended(aws, execution)
    page = states.get_execution_history(executionArn=execution, maxResults=3)
    rest = states.get_execution_history(executionArn=execution, maxResults=3, nextToken=page["nextToken"])
    assert [event["id"] for event in [*page["events"], *rest["events"]]] == [1, 2, 3, 4]
    assert "nextToken" not in rest
    last = states.get_execution_history(executionArn=execution, maxResults=1, reverseOrder=True)["events"]
    assert [event["type"] for event in last] == ["ExecutionSucceeded"]
    code = aws.refused("stepfunctions", "get_execution_history", executionArn=execution, nextToken="none")
    assert code == "InvalidToken"


@behaviour(
    "DescribeExecution gives output as JSON text, and when it stopped, also after a timeout.",
    source=f"{API}, DescribeExecution",
    calls=("states.DescribeExecution",),
    hooks=(f"{RESPONSES}describe_execution",),
    pace=REAL_TIME,
)
def _described(aws: Account) -> None:
    told = ran(aws, {"P": {"Type": "Pass", "Output": "{% 'text' %}", "End": True}})
    assert told["output"] == '"text"'
    late = ran(aws, WAIT, TimeoutSeconds=1)
    assert (late["status"], late["stopDate"] > late["startDate"]) == ("TIMED_OUT", True)
    nobody = told["executionArn"] + "-nobody"
    assert aws.refused("stepfunctions", "describe_execution", executionArn=nobody) == "ExecutionDoesNotExist"


@behaviour(
    "ListExecutions gives the newest first, by status if asked, in pages.",
    source=f"{API}, ListExecutions",
)
def _executions(aws: Account) -> None:
    states, arn = aws.client("stepfunctions"), machine(aws, PASS)
    made = [states.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(3)]
    assert all(ended(aws, execution)["status"] == "SUCCEEDED" for execution in made)
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=arn, PaginationConfig={"PageSize": 2})
    found = [entry["executionArn"] for page in pages for entry in page["executions"]]
    assert found == list(reversed(made))
    assert states.list_executions(stateMachineArn=arn, statusFilter="FAILED")["executions"] == []


@behaviour(
    "An execution's begin and its end each become an event of aws.states, with input, error and cause.",
    source=f"{GUIDE}, Step Functions event types in EventBridge",
    hooks=(f"{PARSER}backend.execution:BaseExecutionWorkerCommunication._reflect_execution_status",),
)
def _told(aws: Account) -> None:
    pattern = {"source": ["aws.states"], "detail": {"status": ["RUNNING", "FAILED"]}}
    url = heard(aws, pattern, InputPath="$.detail")
    execution = started(aws, FAIL, {"for": "the row"})
    told = [json.loads(next_message(aws, url)["Body"]) for _ in range(2)]
    told.sort(key=lambda detail: str(detail["status"]), reverse=True)
    assert [(detail["executionArn"], detail["status"]) for detail in told] == [
        (execution, "RUNNING"),
        (execution, "FAILED"),
    ]
    assert (told[1]["error"], told[1]["cause"], json.loads(told[1]["input"])) == (
        "Broken",
        "by the row",
        {"for": "the row"},
    )
