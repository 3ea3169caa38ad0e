"""An execution of one of our state machines, as far as a lock's holder matters."""

from enum import StrEnum

from aerokeep.model.wire import Wire


class Life(StrEnum):
    """Whether an execution can still act."""

    RUNNING = "running"
    ENDED = "ended"
    GONE = "gone"
    """Step Functions knows no execution of that name: its machine was deleted, or it ended over 90 days ago."""


class Execution(Wire):
    """What Step Functions says of one execution."""

    arn: str
    life: Life
    status: str
    """AWS's word, such as ``ABORTED``; ``gone`` where there is none."""
