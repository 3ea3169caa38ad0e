"""What the table of a journey says about one of its steps."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.compute_grants import ComputeGrants


@dataclass(frozen=True)
class Step:
    """One state that runs a Lambda."""

    state: str
    """Name of the state, of its substitution and of its construct; in snake_case its module."""
    grant: Callable[[ComputeGrants], None]
    timeout_s: int = 60
    memory_mb: int = 512
