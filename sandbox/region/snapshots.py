"""EBS snapshots as AWS makes them: one instant per set, then pending with rising progress, then completed."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.region.changes import Change, Changes
from sandbox.region.faults import ApiError
from sandbox.region.pace import Pace
from sandbox.region.plane import Plane

MOST_EXCLUDED = 40
MOST_PENDING_PER_VOLUME = 5


@dataclass(frozen=True)
class Fact:
    """What the ledger knows of one snapshot."""

    volume_id: str
    cut_at: float
    """On the monotonic clock."""
    pending_s: float
    error: str | None = None


@dataclass(frozen=True)
class Exclusions:
    """What a CreateSnapshots request leaves out."""

    boot: bool
    data: Sequence[str]


def members(attached: Mapping[str, str], *, root_device: str, without: Exclusions) -> list[str]:
    """The volumes of a set: all of `attached` (device → volume id) but the excluded ones.

    Raises:
        ApiError: an excluded id is the root volume's, or none of the instance's, or there are too many.

    """
    root = attached.get(root_device)
    if len(without.data) > MOST_EXCLUDED:
        raise ApiError("InvalidParameterValue", f"ExcludeDataVolumeIds takes at most {MOST_EXCLUDED} volumes")
    for volume_id in without.data:
        if volume_id == root:
            raise ApiError("InvalidParameterValue", f"Volume {volume_id} is the root volume: use ExcludeBootVolume")
        if volume_id not in attached.values():
            raise ApiError("InvalidParameterValue", f"Volume {volume_id} is not attached to the instance")
    chosen = [v for d, v in attached.items() if v not in without.data and not (without.boot and d == root_device)]
    if not chosen:
        raise ApiError("InvalidParameterValue", "No volumes are left to take snapshots of")
    return chosen


class Ledger:
    """Times and states of all snapshots; moto keeps the rest."""

    def __init__(self, plane: Plane, pace: Pace, changes: Changes) -> None:
        self._plane, self._pace, self._changes = plane, pace, changes
        self._lock = threading.Lock()
        self._facts: dict[str, Fact] = {}
        self._last_cut: dict[str, float] = {}

    def reserve(self, volume_ids: Sequence[str]) -> None:
        """Count this request against each volume's rate.

        Raises:
            ApiError: one of them has been snapshotted too recently, or has too many pending snapshots.

        """
        with self._lock:
            now = time.monotonic()
            for volume_id in volume_ids:
                last = self._last_cut.get(volume_id)
                if last is not None and now - last < self._pace.per_volume_rate_s:
                    message = f"The maximum per volume CreateSnapshot request rate has been exceeded: {volume_id}"
                    raise ApiError("SnapshotCreationPerVolumeRateExceeded", message)
                pending = [
                    i for i, f in self._facts.items() if f.volume_id == volume_id and self._state(f) == "pending"
                ]
                if len(pending) >= MOST_PENDING_PER_VOLUME:
                    raise ApiError("ConcurrentSnapshotLimitExceeded", f"Too many pending snapshots of {volume_id}")
            self._last_cut.update(dict.fromkeys(volume_ids, now))

    def cut(self, instance_id: str, taken: Mapping[str, str]) -> None:
        """One instant for all of `taken` (volume id → snapshot id)."""
        self._plane.cut(instance_id, dict(taken))
        with self._lock:
            now = time.monotonic()
            for volume_id, snapshot_id in taken.items():
                self._facts[snapshot_id] = Fact(volume_id, now, self._pace.snapshot_pending_s)

    def cut_set(self, instance_id: str, taken: Mapping[str, str], *, powered: bool) -> None:
        """One instant for all of `taken`; nobody writes to the volumes of an instance that is off."""
        if powered:
            self.cut(instance_id, taken)
        else:
            for volume_id, snapshot_id in taken.items():
                self._cut_one(volume_id, snapshot_id)
        self._changes.tell(Change("snapshot-set", instance_id, "pending", {"volumes": dict(taken)}))

    def cut_one(self, volume_id: str, snapshot_id: str) -> None:
        """CreateSnapshot: one volume, attached or not."""
        self._cut_one(volume_id, snapshot_id)
        self._changes.tell(Change("snapshot", snapshot_id, "pending", {"volume": volume_id}))

    def _cut_one(self, volume_id: str, snapshot_id: str) -> None:
        self._plane.cut_volume(volume_id, snapshot_id)
        with self._lock:
            self._facts[snapshot_id] = Fact(volume_id, time.monotonic(), self._pace.snapshot_pending_s)

    def delete(self, snapshot_id: str) -> None:
        """Forget it, here and in the plane."""
        with self._lock:
            known = self._facts.pop(snapshot_id, None)
        if known:
            self._plane.delete_snapshot(snapshot_id)

    def fail(self, snapshot_id: str, message: str) -> None:
        """Put one into ``error``, as AWS does when, say, a key cannot be used (and then with it its whole set)."""
        with self._lock:
            self._facts[snapshot_id] = replace(self._facts[snapshot_id], error=message)
        self._changes.tell(Change("snapshot", snapshot_id, "error"))

    def hold(self, snapshot_id: str, pending_s: float) -> None:
        """Let one be pending for so long, counted from its cut."""
        with self._lock:
            self._facts[snapshot_id] = replace(self._facts[snapshot_id], pending_s=pending_s)
        self._changes.tell(Change("snapshot", snapshot_id, "pending"))

    def left_s(self, snapshot_id: str) -> float:
        """So long it will be ``pending`` yet, as things stand."""
        fact = self._facts.get(snapshot_id)
        if fact is None or fact.error:
            return 0.0
        return max(0.0, fact.cut_at + fact.pending_s - time.monotonic())

    def holds(self, snapshot_id: str) -> bool:
        """The plane has its bytes."""
        return snapshot_id in self._facts

    def state(self, snapshot_id: str) -> str:
        """``pending``, ``completed`` or ``error``; what was not cut here (an AMI's) is completed."""
        fact = self._facts.get(snapshot_id)
        return self._state(fact) if fact else "completed"

    def progress(self, snapshot_id: str) -> str:
        """A percentage, as a string."""
        fact = self._facts.get(snapshot_id)
        if not fact or self._state(fact) == "completed":
            return "100%"
        share = (time.monotonic() - fact.cut_at) / fact.pending_s if fact.pending_s else 1.0
        return f"{min(99, int(100 * share))}%"

    def message(self, snapshot_id: str) -> str | None:
        """Why it failed."""
        fact = self._facts.get(snapshot_id)
        return fact.error if fact else None

    @staticmethod
    def _state(fact: Fact) -> str:
        if fact.error:
            return "error"
        return "completed" if time.monotonic() - fact.cut_at >= fact.pending_s else "pending"
