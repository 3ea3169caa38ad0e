"""The execution input of ``guardian``: nothing, a cluster, or an order by hand."""

from typing import Literal, Self

from pydantic import model_validator

from aerokeep.model.cluster import ClusterName
from aerokeep.model.run import RunId
from aerokeep.model.wire import Wire


class GuardianRequest(Wire):
    """All fields; a round by schedule or by event has none."""

    cluster: ClusterName | None = None
    """Look at one cluster only."""
    resume: Literal["all", "everything"] | None = None
    """Break-glass: resume writes on every node of the cluster, whatever run stopped them; ``everything``: also lift
    guards that were set at run time by nobody that is known."""
    halted: RunId | None = None
    """The run that holds the cluster halted, named so that nobody opens a half-restored cluster by accident."""

    orphans: Literal["report", "delete"] | None = None
    """Look for what dead runs have left in AWS: tell of it, or also delete what nobody can need."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.resume is not None and self.cluster is None:
            raise ValueError("field 'resume' needs field 'cluster': writes are resumed on one cluster at a time")
        if self.halted is not None and self.resume is None:
            raise ValueError("field 'halted' goes with field 'resume'")
        if self.orphans is not None and self.resume is not None:
            raise ValueError("fields 'orphans' and 'resume' are two orders: start two executions")
        return self
