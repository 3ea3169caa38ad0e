"""Step Functions: JSONata, executions that start, stop and report as AWS's, and machines made by CloudFormation."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.responses import get_backend

from sandbox.region import expressions
from sandbox.region.hooks.hook import Hook
from sandbox.region.hooks.stepfunctions_limits import check_input

if TYPE_CHECKING:
    from sandbox.region.region import Region

RESPONSES = "moto.stepfunctions.responses:StepFunctionResponse."
PARSER = "moto.stepfunctions.parser."
ASL = PARSER + "asl."
TASKS = ASL + "component.state.exec.state_task."
FINISHED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
BEGIN_S, BEGIN_POLL_S = 5.0, 0.01
Moto = Any


def _wire_time(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _evaluator(_region: "Region", _old: Moto) -> Moto:
    return staticmethod(expressions.evaluate).__func__


def _declarations(_region: "Region", _old: Moto) -> Moto:
    def encode_jsonata_variable_declarations(bindings: dict[str, Any]) -> str:
        return expressions.declare(bindings)

    return encode_jsonata_variable_declarations


def _no_declarations(_region: "Region", _old: Moto) -> Moto:
    def get_intrinsic_functions_declarations(variable_references: set[str]) -> str:  # noqa: ARG001  # moto's own signature
        return ""

    return get_intrinsic_functions_declarations


def _clients(region: "Region", _old: Moto) -> Moto:
    cached: dict[tuple[str, str], Moto] = {}
    lock = threading.Lock()

    def boto_client_for(region: str, service: str, state_credentials: Moto = None) -> Moto:  # noqa: ARG001  # moto's own signature
        role = str(getattr(state_credentials, "role_arn", "") or (state_credentials or {}).get("role_arn", ""))
        key = (service, role.rpartition("/")[2] or "states")
        with lock:
            if key not in cached:
                cached[key] = make(service, caller=key[1])
            return cached[key]

    def make(service: str, *, caller: str) -> Moto:
        return region.client(service, caller=caller, attempts=1, read_timeout_s=86_400, validate=False)

    return boto_client_for


def _wait(region: "Region", _old: Moto) -> Moto:
    def _wait_interval(self: Moto, env: Moto, wait_seconds: float) -> None:  # noqa: ARG001  # moto's own signature
        deadline = time.monotonic() + wait_seconds * region.pace.wait_scale
        while (left := deadline - time.monotonic()) > 0 and env.is_running():
            env.program_state_event.wait(left)

    return _wait_interval


def _retry_time(region: "Region", _old: Moto) -> Moto:
    return SimpleNamespace(sleep=lambda seconds: time.sleep(seconds * region.pace.wait_scale))


def _transition(region: "Region", old: Moto) -> Moto:
    def _set_next(self: Moto, env: Moto) -> None:
        if seconds := region.pace.transition_s:
            time.sleep(seconds)
        old(self, env)

    return _set_next


def _start(region: "Region", old: Moto) -> Moto:
    one_at_a_time = threading.Lock()
    begun = ("executionArn", "stateMachineArn", "name", "startDate", "input", "inputDetails")

    def start_execution(
        self: Moto,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        trace_header: Moto = None,
    ) -> Moto:
        if name:
            self._validate_name(name)
        check_input(execution_input)
        with one_at_a_time:
            former = {id(execution) for execution in self.describe_state_machine(state_machine_arn).executions}
            execution = old(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)
        if id(execution) not in former:
            told = {key: value for key, value in _description(execution).items() if key in begun}
            region.bus.execution_changed({**told, "status": "RUNNING"})  # it may have ended meanwhile
        return execution

    return start_execution


def _stop(region: "Region", _old: Moto) -> Moto:

    def stop_execution(self: Moto) -> Moto:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        error, cause = self._get_param("error"), self._get_param("cause")
        if execution.status not in FINISHED:
            _finish(execution, "ABORTED", error=error, cause=cause)
            execution.stop(stop_date=execution.stop_date, error=error, cause=cause)
            region.bus.execution_changed(_description(execution))
        return ActionResult({"stopDate": execution.stop_date})

    return stop_execution


def _finish(execution: Moto, status: str, *, error: str | None = None, cause: str | None = None) -> None:

    execution.error, execution.cause = error, cause
    execution.stop_date = datetime.now(UTC)
    execution.exec_status = ExecutionStatus(status)


def _reflect(region: "Region", old: Moto) -> Moto:
    def _reflect_execution_status(self: Moto) -> None:
        if self.execution.status in FINISHED:
            return  # stopped while a task was running: the task's end does not change that
        old(self)
        region.bus.execution_changed(_description(self.execution))

    return _reflect_execution_status


def _describe(_region: "Region", _old: Moto) -> Moto:

    def describe_execution(self: Moto) -> Moto:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        return ActionResult(_description(execution))

    return describe_execution


def _description(execution: Moto) -> dict[str, Any]:
    held = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.start_date,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "error": execution.error,
        "cause": execution.cause,
    }
    if execution.status in FINISHED:
        held["stopDate"] = execution.stop_date
    if execution.status == "SUCCEEDED":
        held |= {"output": json.dumps(execution.output, default=str), "outputDetails": {"included": True}}
    return {key: value for key, value in held.items() if value is not None}


def abort_executions(region: "Region") -> None:
    """End what still runs: its threads would call a region that is no more."""
    for machine in get_backend(region.account, region.region).state_machines:
        for execution in machine.executions:
            if execution.status not in FINISHED and _has_begun(execution):
                _finish(execution, "ABORTED")
                execution.stop(stop_date=execution.stop_date, error=None, cause=None)


def _has_begun(execution: Moto) -> bool:
    """Moto starts an execution in a thread of its own, and can't stop one whose thread has not come so far."""
    give_up = time.monotonic() + BEGIN_S
    while execution.exec_worker is None or execution.exec_worker.env is None:
        if time.monotonic() > give_up:
            return False
        time.sleep(BEGIN_POLL_S)
    return True


def _start_time(_region: "Region", old: Moto) -> Moto:
    def get_start_execution_details(self: Moto) -> Moto:
        details = old(self)
        details.start_time = _wire_time(details.start_time)
        return details

    return get_start_execution_details


def _everywhere(
    modules: tuple[str, ...], name: str, reason: str, build: Callable[..., Moto], takes: tuple[str, ...]
) -> tuple[Hook, ...]:
    return tuple(Hook(f"{module}:{name}", reason, build, takes) for module in modules)


HOOKS = (
    Hook(
        f"{ASL}jsonata.jsonata:_eval_jsonata",
        "moto has JSONata only where LocalStack's Java bridge is, so every expression is a TypeError.",
        _evaluator,
    ),
    Hook(
        f"{ASL}eval.variable_store:encode_jsonata_variable_declarations",
        "moto puts strings into expressions without escaping quotes, backslashes and line ends.",
        _declarations,
        ("bindings",),
    ),
    Hook(
        f"{ASL}component.common.string.string_expression:get_intrinsic_functions_declarations",
        "moto writes $uuid and $hash into expressions as functions that say they are not supported.",
        _no_declarations,
        ("variable_references",),
    ),
    *_everywhere(
        (
            f"{TASKS}lambda_eval_utils",
            f"{TASKS}service.state_task_service_aws_sdk",
            f"{TASKS}service.state_task_service_sns",
            f"{TASKS}service.state_task_service_events",
            f"{TASKS}service.state_task_service_dynamodb",
        ),
        "boto_client_for",
        "moto makes a boto client for each task, which takes longer than the task, and signs as nobody.",
        _clients,
        ("region", "service", "state_credentials"),
    ),
    Hook(
        f"{ASL}component.state.wait.wait_function.wait_function:WaitFunction._wait_interval",
        "moto waits for real; the region's pace scales waits.",
        _wait,
        ("self", "env", "wait_seconds"),
    ),
    Hook(
        f"{ASL}component.common.retry.retrier_decl:time",
        "moto sleeps retry intervals for real; the region's pace scales them.",
        _retry_time,
    ),
    Hook(
        f"{ASL}component.state.state:CommonStateField._set_next",
        "moto goes from state to state in no time; the region's pace says how long it takes.",
        _transition,
        ("self", "env"),
    ),
    Hook(
        f"{PARSER}models:StepFunctionsParserBackend.start_execution",
        "moto names every nameless execution None, takes any name and any amount of input, and tells nobody.",
        _start,
        ("self", "state_machine_arn", "name", "execution_input", "trace_header"),
    ),
    Hook(
        f"{RESPONSES}stop_execution",
        "moto forgets error and cause, and leaves the execution RUNNING until its task has ended.",
        _stop,
        ("self",),
    ),
    Hook(
        f"{PARSER}backend.execution:BaseExecutionWorkerCommunication._reflect_execution_status",
        "moto emits no event when an execution ends, and lets a late task's end undo ABORTED.",
        _reflect,
        ("self",),
    ),
    Hook(
        f"{PARSER}backend.execution:Execution.get_start_execution_details",
        "moto leaves StartTime a datetime, so expressions see +00:00 and microseconds instead of ...Z.",
        _start_time,
        ("self",),
    ),
    Hook(
        f"{RESPONSES}describe_execution",
        "moto gives string outputs without JSON quotes, and no stopDate for TIMED_OUT.",
        _describe,
        ("self",),
    ),
)
