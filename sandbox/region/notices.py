"""What EC2, EBS and Systems Manager tell EventBridge when something changes; best effort, as theirs."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.region.changes import Change

if TYPE_CHECKING:
    from sandbox.region.region import Region

VOLUME_EVENTS = {
    "available": ("createVolume", "available"),
    "error": ("createVolume", "failed"),
    "deleted": ("deleteVolume", "deleted"),
    "initialized": (" initializeVolume", "succeeded"),
}
"""State → event and result; the leading space is in AWS's own sample."""
LEAST_WAIT_S = 0.02


@dataclass(frozen=True)
class Watch:
    """Snapshots whose end is to be told."""

    taken: Mapping[str, str]
    """Volume id → snapshot id."""
    as_set: bool
    event: str
    began: float


class Notices:
    """Listens to the region's changes, and puts events on its bus."""

    def __init__(self, region: "Region") -> None:
        self._region = region
        self._lock = threading.Lock()
        self._watches: list[Watch] = []
        region.changes.listeners.append(self.hear)

    def hear(self, change: Change) -> None:
        """Tell of it, or watch what it begins."""
        match change.kind:
            case "instance":
                detail = {"instance-id": change.resource_id, "state": change.state}
                self._put("aws.ec2", "EC2 Instance State-change Notification", detail, self._arn(change))
            case "volume":
                self._volume(change)
            case "snapshot-set":
                self._watch(Watch(change.detail["volumes"], True, "createSnapshots", time.time()))  # a field
            case "snapshot":
                self._snapshot(change)
            case "command":
                self._put("aws.ssm", "EC2 Command Status-change Notification", _command(change), "")
            case "invocation":
                detail = {**_command(change), "instance-id": change.detail["instance"]}
                self._put("aws.ssm", "EC2 Command Invocation Status-change Notification", detail, self._arn(change))

    def _volume(self, change: Change) -> None:
        if found := VOLUME_EVENTS.get(change.state):
            event, result = found
            cause = str(change.detail.get("cause", ""))
            detail = {"event": event, "result": result, "cause": cause, "request-id": ""}
            self._put("aws.ec2", "EBS Volume Notification", detail, self._arn(change))

    # -- snapshots: told when they end, whole sets as one ----------------------------------------------------------

    def _snapshot(self, change: Change) -> None:
        if "volume" in change.detail:
            event = str(change.detail.get("event", "createSnapshot"))
            taken = {str(change.detail["volume"]): change.resource_id}
            self._watch(Watch(taken, False, event, time.time()))  # a field
            return
        with self._lock:
            concerned = [watch for watch in self._watches if change.resource_id in watch.taken.values()]
        for watch in concerned:
            self._look_later(watch)

    def _watch(self, watch: Watch) -> None:
        with self._lock:
            self._watches.append(watch)
        self._look_later(watch)

    def _look_later(self, watch: Watch) -> None:
        left_s = max(self._region.snapshots.left_s(snapshot_id) for snapshot_id in watch.taken.values())
        resource = next(iter(watch.taken.values()))
        self._region.ec2.clockwork.after(
            max(left_s, LEAST_WAIT_S), lambda: self._look(watch), resource=resource, state="told-of"
        )

    def _look(self, watch: Watch) -> None:
        ledger = self._region.snapshots
        states = {s: ledger.state(s) if ledger.holds(s) else "deleted" for s in watch.taken.values()}
        failed = "error" in states.values()
        if "pending" in states.values() and not failed:
            return  # held: whoever lets it go says so
        with self._lock:
            if watch not in self._watches:
                return
            self._watches.remove(watch)
        if "deleted" not in states.values():
            self._ended(watch, states, failed=failed)

    def _ended(self, watch: Watch, states: Mapping[str, str], *, failed: bool) -> None:
        place = f"arn:aws:ec2::{self._region.region}"
        detail: dict[str, Any] = {
            "event": watch.event,
            "result": "failed" if failed else "succeeded",
            "cause": next((m for s in states if (m := self._region.snapshots.message(s))), ""),
            "request-id": "",
            "startTime": _wire_time(watch.began),
            "endTime": _wire_time(time.time()),
        }
        members = [
            {
                "snapshot_id": f"{place}:snapshot/{snapshot}",
                "source": f"{place}:volume/{volume}",
                "status": "error" if states[snapshot] == "error" else "completed",
            }
            for volume, snapshot in watch.taken.items()
        ]
        if watch.as_set:
            kind, detail = "EBS Multi-Volume Snapshots Completion Status", {**detail, "snapshots": members}
        else:
            kind, detail = "EBS Snapshot Notification", {**detail, **members[0]}
            del detail["status"]
        self._put("aws.ec2", kind, detail, str(members[0]["snapshot_id"]))

    def _put(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        self._region.bus.put(source, detail_type, detail, [resource] if resource else [])

    def _arn(self, change: Change) -> str:
        kind = "volume" if change.kind == "volume" else "instance"
        name = change.detail["instance"] if change.kind == "invocation" else change.resource_id
        return f"arn:aws:ec2:{self._region.region}:{self._region.account}:{kind}/{name}"


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
