"""What EC2, EBS and Systems Manager tell EventBridge when something changes; best effort, as theirs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.region.changes import Change, End

if TYPE_CHECKING:
    from sandbox.region.region import Region

INITIALIZED = "initializeVolume"
"""In AWS's own sample its event has a leading space."""


class Notices:
    """Listens to the region's changes, and puts events on its bus."""

    def __init__(self, region: "Region") -> None:
        self._region = region
        region.changes.listeners.append(self.hear)

    def hear(self, change: Change | End) -> None:
        """Tell of it."""
        if isinstance(change, End):
            self._storage(change)
            return
        match change.kind:
            case "instance":
                detail = {"instance-id": change.resource_id, "state": change.state}
                self._put("aws.ec2", "EC2 Instance State-change Notification", detail, self._arn(change))
            case "command":
                self._put("aws.ssm", "EC2 Command Status-change Notification", _command(change), "")
            case "invocation":
                detail = {**_command(change), "instance-id": change.detail["instance"]}
                self._put("aws.ssm", "EC2 Command Invocation Status-change Notification", detail, self._arn(change))

    def _storage(self, end: End) -> None:
        if not end.sources:
            event = f" {end.event}" if end.event == INITIALIZED else end.event
            told = {"event": event, "result": end.result, "cause": end.cause, "request-id": ""}
            place = f"arn:aws:ec2:{self._region.region}:{self._region.account}"
            self._put("aws.ec2", "EBS Volume Notification", told, f"{place}:volume/{end.resources[0]}")
            return
        detail: dict[str, Any] = {
            "event": end.event,
            "result": end.result,
            "cause": end.cause,
            "request-id": "",
            "startTime": _wire_time(end.started_at.timestamp()),
            "endTime": _wire_time(end.ended_at.timestamp()),
        }
        status = "error" if end.result == "failed" else "completed"
        members = [
            {"snapshot_id": self._place(snapshot), "source": self._place(source), "status": status}
            for snapshot, source in zip(end.resources, end.sources, strict=True)
        ]
        if end.event == "createSnapshots":
            kind, detail = "EBS Multi-Volume Snapshots Completion Status", {**detail, "snapshots": members}
        else:
            kind, detail = "EBS Snapshot Notification", {**detail, **members[0]}
            del detail["status"]
        self._put("aws.ec2", kind, detail, members[0]["snapshot_id"])

    def _place(self, resource_id: str) -> str:
        kind = "volume" if resource_id.startswith("vol-") else "snapshot"
        return f"arn:aws:ec2::{self._region.region}:{kind}/{resource_id}"

    def _put(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        self._region.bus.put(source, detail_type, detail, [resource] if resource else [])

    def _arn(self, change: Change) -> str:
        name = change.detail["instance"] if change.kind == "invocation" else change.resource_id
        return f"arn:aws:ec2:{self._region.region}:{self._region.account}:instance/{name}"


def _command(change: Change) -> dict[str, Any]:
    told = change.detail
    detail = {
        "command-id": change.resource_id,
        "document-name": told["document"],
        "requested-date-time": _wire_time(told["requested_at"]),
        "status": change.state,
    }
    if "expires_at" in told:
        detail |= {"expire-after": _wire_time(told["expires_at"]), "parameters": dict(told["parameters"])}
    return detail


def _wire_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
