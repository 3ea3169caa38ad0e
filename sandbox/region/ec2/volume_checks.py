"""Status checks of volumes: whether I/O is possible, and as fast as it should be."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.region.ec2.compute import Compute

PROVISIONED = ("io1", "io2")
EVENT = "potential-data-inconsistency"
Moto = Any


class VolumeChecks:
    """What DescribeVolumeStatus says."""

    def __init__(self, compute: "Compute") -> None:
        self._compute = compute
        self._impaired: dict[str, datetime] = {}

    def impair(self, volume_id: str) -> None:
        """Let the check of a volume fail."""
        self._impaired[volume_id] = datetime.now(UTC)

    def heal(self, volume_id: str) -> None:
        """Let it pass."""
        self._impaired.pop(volume_id, None)

    def status(self, volume: Moto) -> dict[str, Any]:
        """One volume as the API spells it; what state the volume is in is another matter."""
        started = self._compute.initializations.is_going_on(volume.id)
        enabled, performance, overall = "passed", "not-applicable", "ok"
        if self._compute.volumes.status(volume) == "creating":
            enabled, overall = "insufficient-data", "insufficient-data"
        elif volume.id in self._impaired:
            enabled, overall = "failed", "impaired"
        elif volume.volume_type in PROVISIONED:
            performance, overall = ("severely-degraded", "warning") if started else ("normal", "ok")
        details = [{"Name": "io-enabled", "Status": enabled}, {"Name": "io-performance", "Status": performance}]
        told = {
            "VolumeId": volume.id,
            "AvailabilityZone": volume.availability_zone,
            "VolumeStatus": {"Status": overall, "Details": details},
            "Events": self._events(volume),
            "Actions": self._actions(volume),
        }
        progress = self._compute.initializations.told(volume.id)
        if progress is not None:
            told["InitializationStatusDetails"] = progress
            details.append({"Name": "initialization-state", "Status": "initializing" if started else "completed"})
        return told

    def _events(self, volume: Moto) -> list[dict[str, Any]]:
        since = self._impaired.get(volume.id)
        return [{"EventType": EVENT, "EventId": f"evol-{volume.id[-8:]}", "NotBefore": since}] if since else []

    def _actions(self, volume: Moto) -> list[dict[str, Any]]:
        impaired = volume.id in self._impaired
        return [{"Code": "enable-volume-io", "EventType": EVENT, "EventId": f"evol-{volume.id[-8:]}"}] * impaired
