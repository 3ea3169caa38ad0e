"""One run of a journey: who asked, under which lock, and what it makes."""

import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from aerokeep.model.cluster import ClusterName
from aerokeep.model.consistency import Consistency, Shortfall
from aerokeep.model.wire import Instant, Wire

PointId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}-\d{8}T\d{6}Z$")]
RunId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,59}-\d{8}T\d{6}Z$")]
"""A backup's is that of its point; other journeys have their name in it: ``demo-restore-20261123T120000Z``."""


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
    run_id: RunId
    epoch: int
    """The lock's fencing number, checked before every mutating call."""
    execution: str
    started_at: Instant
    try_number: int = 1
    """Which try of the write stop and the cut this is."""

    @property
    def stop_id(self) -> str:
        """What hosts know this try by: they refuse a second write stop under one name."""
        return self.run_id if self.try_number == 1 else f"{self.run_id}-{self.try_number}"

    def on_try(self, number: int) -> "RunRef":
        """The same run in another try."""
        return self.model_copy(update={"try_number": number})

    def of_try(self, name: str) -> str:
        """The name of a run's object that each try has for itself."""
        return name if self.try_number == 1 else f"{name}-{self.try_number}"

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


class LockState(Wire):
    """A cluster's lock as it stands in the catalog."""

    run: RunRef
    state: Literal["held", "halted"]
    """``halted``: its execution is over and left the cluster half done; only the same request, or a person, goes on."""
    reason: str = ""
    busy_until: Instant | None = None
    """A Lambda of a stopped execution may be acting until then."""


def run_id(cluster: str, journey: str, at: datetime) -> str:
    """``<cluster>-<word>-<UTC yyyymmddThhmmssZ>``: what a run of any journey but backup is called."""
    return point_id(f"{cluster}-{journey.partition('-')[0]}", at)


def point_id(cluster: str, at: datetime) -> str:
    """``<cluster>-<UTC yyyymmddThhmmssZ>``: sortable, and the same for the same scheduled time."""
    return f"{cluster}-{at:%Y%m%dT%H%M%SZ}"
