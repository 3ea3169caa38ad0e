"""Step Functions' limits: what no Catch may swallow, how long a history may be and is read, how large data may be."""

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.stepfunctions.exceptions import InvalidExecutionInput, InvalidToken, ValidationException
from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

ASL = "moto.stepfunctions.parser.asl."
STATES_ALL, TASK_FAILED = "States.ALL", "States.TaskFailed"
DATA_LIMIT, RUNTIME, TIMEOUT = "States.DataLimitExceeded", "States.Runtime", "States.Timeout"
ENDS = ("ExecutionFailed", "ExecutionSucceeded", "ExecutionAborted", "ExecutionTimedOut")
USUAL_PAGE, LONGEST_PAGE = 100, 1000
LARGEST_BYTES = 262_144
Moto = Any


def _matching(_region: "Region", _old: Moto) -> Moto:
    def _eval_body(self: Moto, env: Moto) -> None:
        error = env.stack.pop()
        told, wanted = error.error_name, {name.error_name for name in self.error_names}
        if told == RUNTIME:
            matches = False
        elif told in wanted:
            matches = True
        elif STATES_ALL in wanted:
            matches = told != DATA_LIMIT
        else:
            matches = TASK_FAILED in wanted and not isinstance(error, StatesErrorName)
        env.stack.append(matches)

    return _eval_body


def _add_event(region: "Region", old: Moto) -> Moto:
    def add_event(
        self: Moto,
        context: Moto,
        event_type: Moto,
        event_details: Moto = None,
        timestamp: Moto = None,
        update_source_event_id: bool = True,  # noqa: FBT001, FBT002  # moto's own signature
    ) -> Moto:
        most = region.pace.history_events
        if len(self._history_event_list) >= most - 1 and HistoryEventType(event_type).value not in ENDS:
            raise FailureEventException(_full(context, most))
        return old(self, context, event_type, event_details, timestamp, update_source_event_id)

    return add_event


def _full(context: Moto, most: int) -> Moto:
    details = ExecutionFailedEventDetails(
        error=RUNTIME, cause=f"The execution reached the maximum number of history events ({most})."
    )
    return FailureEvent(
        env=SimpleNamespace(next_state_name="", event_history_context=context),
        error_name=StatesErrorName(typ=StatesErrorNameType.StatesRuntime),
        event_type=HistoryEventType.ExecutionFailed,
        event_details=EventDetails(executionFailedEventDetails=details),
    )


def _history(_region: "Region", _old: Moto) -> Moto:
    def get_execution_history(self: Moto) -> Moto:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        asked, token = self._get_param("maxResults"), str(self._get_param("nextToken") or "0")
        if asked is not None and not 0 <= int(asked) <= LONGEST_PAGE:
            raise ValidationException(f"Value '{asked}' at 'maxResults' must be 0 to {LONGEST_PAGE}")
        env = execution.exec_worker.env if execution.exec_worker else None
        events = list(env.event_manager._history_event_list) if env else []
        if not token.isdigit() or int(token) > len(events):
            raise InvalidToken(f"'{token}'")
        if self._get_param("reverseOrder"):
            events.reverse()
        start = int(token)
        end = start + int(asked or USUAL_PAGE)
        page: dict[str, Any] = {"events": events[start:end]}
        return ActionResult({**page, "nextToken": str(end)} if end < len(events) else page)

    return get_execution_history


def _parameters(_region: "Region", old: Moto) -> Moto:
    def _eval_parameters(self: Moto, env: Moto) -> Moto:
        parameters = old(self, env)
        self._verify_size_quota(env=env, value=parameters)
        return parameters

    return _eval_parameters


def _error_name(_region: "Region", old: Moto) -> Moto:
    def named(error_name: str | None) -> Moto:
        if error_name and error_name.startswith("States."):
            return StatesErrorName(typ=StatesErrorNameType.from_name(error_name))
        return old(error_name)

    return named


def check_input(text: str | None) -> None:
    """Refuse an execution's input that is too large, or no JSON.

    Raises:
        ValidationException: it is too large.
        InvalidExecutionInput: it is no JSON.

    """
    if text is None:
        return
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error
    if len(text.encode()) > LARGEST_BYTES:
        raise ValidationException(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {LARGEST_BYTES}"
        )


HOOKS = (
    Hook(
        f"{ASL}component.common.error_name.error_equals_decl:ErrorEqualsDecl._eval_body",
        "moto lets States.ALL catch States.DataLimitExceeded and States.Runtime.",
        _matching,
        ("self", "env"),
    ),
    Hook(
        f"{ASL}eval.event.event_manager:EventManager.add_event",
        "moto's histories have no end.",
        _add_event,
        ("self", "context", "event_type", "event_details", "timestamp", "update_source_event_id"),
    ),
    Hook(
        "moto.stepfunctions.responses:StepFunctionResponse.get_execution_history",
        "moto gives a whole history at once, and never backwards.",
        _history,
        ("self",),
    ),
    Hook(
        f"{ASL}component.state.exec.state_parallel.branches_decl:CustomErrorName",
        "moto breaks down where a branch ends with one of Step Functions' own errors.",
        _error_name,
    ),
    Hook(
        f"{ASL}component.state.exec.state_map.iteration.iteration_worker:CustomErrorName",
        "moto breaks down where an iteration ends with one of Step Functions' own errors.",
        _error_name,
    ),
    Hook(
        f"{ASL}component.state.exec.state_task.state_task:StateTask._eval_parameters",
        "moto lets a task have arguments of any size.",
        _parameters,
        ("self", "env"),
    ),
)
