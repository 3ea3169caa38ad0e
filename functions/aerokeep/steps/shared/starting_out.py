"""What every journey begins with: an execution input that nobody has checked yet."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aerokeep.model.errors import RejectedError
from aerokeep.model.wire import Instant, Wire
from aerokeep.steps.step import describe

T = TypeVar("T", bound=BaseModel)


class Start(Wire):
    """What Step Functions knows at the start."""

    request: dict[str, Any]
    """The execution input, still unchecked."""
    execution: str
    started_at: Instant


def parse_request(kind: type[T], raw: dict[str, Any]) -> T:
    """The execution input.

    Raises:
        RejectedError: with each wrong field, and the fields that there are.

    """
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        known = ", ".join(kind.model_fields)
        raise RejectedError(f"bad_input: {describe(error)} (known fields: {known})") from error
