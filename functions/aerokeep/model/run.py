"""One run of a journey: who asked, under which lock, and what it makes."""

import json
from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from aerokeep.model.cluster import ClusterName
from aerokeep.model.consistency import Consistency, Shortfall
from aerokeep.model.wire import Instant, Wire

PointId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}-\d{8}T\d{6}Z$")]


class BackupRequest(Wire):
    """The execution input of ``backup``."""

    cluster: ClusterName
    scheduled_time: Instant | None = None
    """From the Scheduler: the same scheduled time twice makes one recovery point."""
    consistency: Consistency | None = None
    """Overrides the cluster's setting for this run."""
    shortfall: Shortfall | None = None
    """Overrides the cluster's setting for this run."""


class RunRef(Wire):
    """All that a state carries: the rest stands in the vault under ``runs/<run_id>/``."""

    cluster: ClusterName
    journey: str
    run_id: PointId
    epoch: int
    """The lock's fencing number, checked before every mutating call."""
    execution: str
    started_at: Instant

    @property
    def point_id(self) -> str:
        """A backup's run and the recovery point it makes have one name."""
        return self.run_id


class Failure(Wire):
    """The error that a state machine caught, as Step Functions spells it."""

    Error: str
    Cause: str = ""

    @property
    def message(self) -> str:
        """What went wrong, for people: without the JSON and the stack trace that Lambda puts around a message."""
        try:
            told = json.loads(self.Cause)
        except ValueError:
            told = None
        return str(told.get("errorMessage", self.Cause) if isinstance(told, dict) else self.Cause)

    @property
    def reason(self) -> str:
        """``error: message``."""
        return f"{self.Error}: {self.message}"


def point_id(cluster: str, at: datetime) -> str:
    """``<cluster>-<UTC yyyymmddThhmmssZ>``: sortable, and the same for the same scheduled time."""
    return f"{cluster}-{at:%Y%m%dT%H%M%SZ}"
