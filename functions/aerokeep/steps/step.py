"""The frame around every step: validated input, collaborators built once per container, log keys, error names."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from inspect import Parameter, signature
from typing import Any, get_type_hints

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

from aerokeep.model.errors import AerokeepError, RejectedError

logger = Logger()
Event = dict[str, Any]


class Clock:
    """The controller's clock: a collaborator, so that a test can say what time it is."""

    @classmethod
    def from_environment(cls) -> "Clock":
        """The real one."""
        return cls()

    def __call__(self) -> datetime:
        """Now, aware, in UTC."""
        return datetime.now(UTC)


class Meter:
    """The few metrics, each a promise; written to the log in CloudWatch's embedded format."""

    @classmethod
    def from_environment(cls) -> "Meter":
        """The namespace comes from the environment."""
        return cls()

    def record(self, cluster: str, **values: float) -> None:
        """Record ``name=value`` for one cluster; the unit is read off the name's end (``…Seconds``, else a count)."""
        metrics = Metrics(service="aerokeep")
        metrics.add_dimension(name="cluster", value=cluster)
        for name, value in values.items():
            metrics.add_metric(name=name, unit="Seconds" if name.endswith("Seconds") else "Count", value=value)
        metrics.flush_metrics()


def step(run: Callable[..., BaseModel]) -> Callable[[Event, LambdaContext], Event]:
    """Make a Lambda handler of ``run(request, *, …collaborators)``.

    The type of ``request`` validates the event; each keyword-only argument names a class with ``from_environment``.
    """
    hints = get_type_hints(run)
    parameters = signature(run).parameters.values()
    request_type: type[BaseModel] = hints[next(iter(parameters)).name]

    @cache
    def collaborators() -> dict[str, Any]:
        keyword_only = [p.name for p in parameters if p.kind is Parameter.KEYWORD_ONLY]
        return {name: hints[name].from_environment() for name in keyword_only}

    def handler(event: Event, context: LambdaContext) -> Event:
        logger.set_correlation_id(_execution_of(event))
        logger.append_keys(state=run.__module__.rpartition(".")[2], request_id=context.aws_request_id)
        try:
            output = run(_validated(request_type, event), **collaborators())
        except AerokeepError as error:
            logger.warning("step refused", error=type(error).__name__, reason=str(error))
            raise
        logger.info("step done")
        return output.model_dump(mode="json")

    return handler


def _execution_of(event: Event) -> str:
    run = event.get("run")
    inner = run if isinstance(run, dict) else {}
    return str(event.get("execution") or inner.get("execution") or "unknown")


def _validated(kind: type[BaseModel], event: Event) -> BaseModel:
    try:
        return kind.model_validate(event)
    except ValidationError as error:
        raise RejectedError(f"bad_input: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """Every mistake in one line: the field and what is wrong with it."""
    return "; ".join(
        f"field {'.'.join(str(part) for part in mistake['loc']) or '(input)'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False)
    )
