"""Status checks of instances: initializing, passed, or impaired since when."""

import time
from datetime import UTC, datetime
from typing import Any, Literal

from sandbox.region.pace import Pace

Check = Literal["instance", "system", "ebs"]
Moto = Any


class Checks:
    """What DescribeInstanceStatus and the StatusCheckFailed metrics say."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._booted: dict[str, float] = {}
        self._failed: dict[tuple[str, Check], float] = {}

    def booted(self, instance_id: str) -> None:
        """A new boot, maybe on another host: checks start anew."""
        self._booted[instance_id] = time.time()
        self.heal(instance_id)

    def impair(self, instance_id: str, *checks: Check) -> None:
        """Let checks fail."""
        self._failed.update({(instance_id, check): time.time() for check in checks})

    def heal(self, instance_id: str) -> None:
        """Let all checks pass."""
        self._failed = {key: since for key, since in self._failed.items() if key[0] != instance_id}

    def failed(self, instance_id: str, check: Check) -> bool:
        """A check has found out that something is wrong."""
        since = self._failed.get((instance_id, check))
        return since is not None and time.time() - since >= self._pace.status_impaired_s

    def status(self, instance: Moto, check: Check) -> dict[str, Any]:
        """One check as DescribeInstanceStatus spells it."""
        if instance.state != "running":
            return {"Status": "not-applicable"}
        if self.failed(instance.id, check):
            since = datetime.fromtimestamp(self._failed[instance.id, check], UTC)
            return {
                "Details": [{"Name": "reachability", "Status": "failed", "ImpairedSince": since}],
                "Status": "impaired",
            }
        if time.time() - self._booted.get(instance.id, 0.0) < self._pace.status_checks_s:
            return {"Details": [{"Name": "reachability", "Status": "initializing"}], "Status": "initializing"}
        return {"Details": [{"Name": "reachability", "Status": "passed"}], "Status": "ok"}
