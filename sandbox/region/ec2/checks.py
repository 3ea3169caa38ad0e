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
        self._passed_from: dict[str, float] = {}
        self._failed: dict[tuple[str, Check], tuple[float, float]] = {}
        """Since when, and from when on it shows."""

    def booted(self, instance_id: str) -> None:
        """A new boot, maybe on another host: checks start anew."""
        self._passed_from[instance_id] = time.time() + self._pace.status_checks_s
        self.heal(instance_id)

    def impair(self, instance_id: str, *checks: Check) -> None:
        """Let checks fail."""
        since = time.time()
        shown = since + self._pace.status_impaired_s
        self._failed.update({(instance_id, check): (since, shown) for check in checks})

    def heal(self, instance_id: str) -> None:
        """Let all checks pass."""
        self._failed = {key: times for key, times in self._failed.items() if key[0] != instance_id}

    def failed(self, instance_id: str, check: Check) -> bool:
        """A check has found out that something is wrong."""
        times = self._failed.get((instance_id, check))
        return times is not None and time.time() >= times[1]

    def status(self, instance: Moto, check: Check) -> dict[str, Any]:
        """One check as DescribeInstanceStatus spells it."""
        if instance.state != "running":
            return {"Status": "not-applicable"}
        if self.failed(instance.id, check):
            since = datetime.fromtimestamp(self._failed[instance.id, check][0], UTC)
            return {
                "Details": [{"Name": "reachability", "Status": "failed", "ImpairedSince": since}],
                "Status": "impaired",
            }
        if time.time() < self._passed_from.get(instance.id, 0.0):
            return {"Details": [{"Name": "reachability", "Status": "initializing"}], "Status": "initializing"}
        return {"Details": [{"Name": "reachability", "Status": "passed"}], "Status": "ok"}
