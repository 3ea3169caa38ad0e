"""What the table of a journey says about one of its steps."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.grants import StepGrants


@dataclass(frozen=True)
class Step:
    """One state that runs a Lambda."""

    state: str
    """Name of the state, of its substitution and of its construct; in snake_case its module."""
    grant: Callable[[StepGrants], None]
    timeout_s: int = 60
    memory_mb: int = 512
