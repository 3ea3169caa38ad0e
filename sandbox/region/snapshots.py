"""EBS snapshots as AWS makes them: one instant per set, then pending with rising progress, then completed or failed."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sandbox.region.changes import Changes, Event
from sandbox.region.clockwork import Clockwork
from sandbox.region.faults import ApiError
from sandbox.region.pace import Pace
from sandbox.region.plane import Plane

HDD = ("st1", "sc1")


@dataclass(frozen=True)
class Fact:
    """What the ledger knows of one snapshot."""

    volume_id: str
    """The volume that its bytes come from, also if it is a copy."""
    source: str
    """What it was made of: a volume, or the snapshot that it is a copy of."""
    kin: tuple[str, ...]
    """All members of its set; they complete on their own, and fail together."""
    event: Event
    cut_at: float
    """On the monotonic clock."""
    started_at: datetime
    pending_s: float
    doom: str = ""
    """Why it is going to fail."""
    error: str | None = None


class Ledger:
    """Times and states of all snapshots; moto keeps the rest."""

    def __init__(self, plane: Plane, pace: Pace, *, clockwork: Clockwork, changes: Changes) -> None:
        self._plane, self._pace, self._clockwork, self._changes = plane, pace, clockwork, changes
        self._lock = threading.RLock()
        self._facts: dict[str, Fact] = {}
        self._last_cut: dict[str, float] = {}
        self._reserved: list[str] = []
        self._told: set[tuple[str, ...]] = set()

    @contextmanager
    def reserved(self, volumes: Mapping[str, str]) -> Iterator[None]:
        """Count a request for snapshots of `volumes` (volume id → type); within the block the snapshots are made.

        Raises:
            ApiError: one of them has been snapshotted too recently, or too many snapshots are pending, or exist.

        """
        with self._lock:
            self._check_quotas(volumes)
            self._last_cut.update(dict.fromkeys(volumes, time.monotonic()))
            self._reserved += volumes
        try:
            yield
        finally:
            with self._lock:
                for volume_id in volumes:
                    self._reserved.remove(volume_id)

    def _check_quotas(self, volumes: Mapping[str, str]) -> None:
        now, quotas = time.monotonic(), self._pace.quotas
        pending = [*self._reserved, *(f.source for f in self._facts.values() if self._state(f) == "pending")]
        for volume_id, volume_type in volumes.items():
            last = self._last_cut.get(volume_id)
            if last is not None and now - last < self._pace.per_volume_rate_s:
                message = f"The maximum per volume CreateSnapshot request rate has been exceeded: {volume_id}"
                raise ApiError("SnapshotCreationPerVolumeRateExceeded", message)
            if pending.count(volume_id) >= (
                quotas.pending_per_hdd if volume_type in HDD else quotas.pending_per_volume
            ):
                raise ApiError("ConcurrentSnapshotLimitExceeded", f"Too many pending snapshots of {volume_id}")
        if len(pending) + len(volumes) > quotas.pending_snapshots:
            message = f"The maximum of {quotas.pending_snapshots} pending snapshots has been reached"
            raise ApiError("PendingSnapshotLimitExceeded", message)
        if len(self._facts) + len(self._reserved) + len(volumes) > quotas.snapshots:
            raise ApiError("SnapshotLimitExceeded", f"The maximum of {quotas.snapshots} snapshots has been reached")

    def cut_set(
        self, instance_id: str, taken: Mapping[str, str], *, powered: bool, one_fate: bool = True, doom: str = ""
    ) -> None:
        """One instant for all of `taken` (volume id → snapshot id).

        Nobody writes to the volumes of an instance that is off, so that one after the other is one instant too.

        Args:
            instance_id: whose volumes they are.
            taken: all members.
            powered: the instance is on.
            one_fate: the members fail together.
            doom: why they are going to fail, if they are.

        """
        if powered:
            self._plane.cut(instance_id, dict(taken))
        else:
            for volume_id, snapshot_id in taken.items():
                self._plane.cut_volume(volume_id, snapshot_id)
        sources = {snapshot_id: volume_id for volume_id, snapshot_id in taken.items()}
        if one_fate:
            self._keep(sources, "createSnapshots", self._pace.snapshot_pending_s, doom)
        else:
            for snapshot_id, volume_id in sources.items():
                self._keep({snapshot_id: volume_id}, "createSnapshot", self._pace.snapshot_pending_s, doom)

    def cut_one(self, volume_id: str, snapshot_id: str, *, doom: str = "") -> None:
        """CreateSnapshot: one volume, attached or not."""
        self._plane.cut_volume(volume_id, snapshot_id)
        self._keep({snapshot_id: volume_id}, "createSnapshot", self._pace.snapshot_pending_s, doom)

    def copy(self, source: str, snapshot_id: str, *, doom: str = "") -> None:
        """CopySnapshot: the same bytes once more.

        Raises:
            ApiError: the source is not completed, or too many copies are being made.

        """
        with self._lock:
            self.check_completed(source)
            copying = [f for f in self._facts.values() if f.event == "copySnapshot" and self._state(f) == "pending"]
            if len(copying) >= self._pace.quotas.concurrent_copies:
                raise ApiError("ResourceLimitExceeded", f"{len(copying)} snapshots are being copied to this Region")
            if source in self._facts:  # a registered image's has no bytes
                self._plane.copy_snapshot(source, snapshot_id)
                self._keep({snapshot_id: source}, "copySnapshot", self._pace.snapshot_copy_s, doom)

    def check_completed(self, snapshot_id: str) -> None:
        """Nothing can be made of a snapshot before it is completed.

        Raises:
            ApiError: it is not.

        """
        if self.state(snapshot_id) != "completed":
            raise ApiError("IncorrectState", f"Snapshot {snapshot_id} is not completed")

    def _keep(self, sources: Mapping[str, str], event: Event, pending_s: float, doom: str) -> None:
        """Begin the life of snapshots (id → source) that belong together."""
        kin, now, started_at = tuple(sources), time.monotonic(), datetime.now(UTC)
        with self._lock:
            for snapshot_id, source in sources.items():
                origin = self._facts[source].volume_id if source in self._facts else source
                self._facts[snapshot_id] = Fact(origin, source, kin, event, now, started_at, pending_s, doom)
        if doom:
            delay_s = min(pending_s, self._pace.key_failure_s)
            self._clockwork.after(delay_s, lambda: self.fail(kin[0], doom), resource=kin[0], state="failing")
        else:
            self._clockwork.after(pending_s, lambda: self._settle(kin), resource=kin[0], state="pending")

    def _settle(self, kin: tuple[str, ...]) -> None:
        """Tell that a set is complete, once it is."""
        with self._lock:
            facts = {i: self._facts[i] for i in kin if i in self._facts}
            if not facts or kin in self._told or {self._state(f) for f in facts.values()} != {"completed"}:
                return
            self._told.add(kin)
        self._tell(facts, "succeeded", "")

    def _tell(self, facts: Mapping[str, Fact], result: str, cause: str) -> None:
        first = next(iter(facts.values()))
        sources = tuple(f.source for f in facts.values())
        self._changes.ended(first.event, result, *facts, sources=sources, cause=cause, started_at=first.started_at)

    def delete(self, snapshot_id: str) -> None:
        """Forget it, here and in the plane."""
        with self._lock:
            known = self._facts.pop(snapshot_id, None)
        if known:
            self._plane.delete_snapshot(snapshot_id)
            self._settle(known.kin)

    def fail(self, snapshot_id: str, message: str) -> None:
        """Put one into ``error``, as AWS does when, say, a key cannot be used, and with it its whole set."""
        with self._lock:
            if snapshot_id not in self._facts:
                return
            kin = self._facts[snapshot_id].kin
            facts = {i: self._facts[i] for i in kin if i in self._facts}
            for kindred, fact in facts.items():
                words = message if kindred == snapshot_id else f"{snapshot_id} of the same set failed: {message}"
                self._facts[kindred] = replace(fact, error=words)
            self._told.add(kin)
        self._tell(facts, "failed", message)

    def hold(self, snapshot_id: str, pending_s: float) -> None:
        """Let one be pending for so long, counted from its cut."""
        with self._lock:
            fact = self._facts[snapshot_id] = replace(self._facts[snapshot_id], pending_s=pending_s)
        left_s = max(0.0, fact.cut_at + pending_s - time.monotonic())
        self._clockwork.after(left_s, lambda: self._settle(fact.kin), resource=snapshot_id, state="pending")

    def holds(self, snapshot_id: str) -> bool:
        """The plane has its bytes."""
        return snapshot_id in self._facts

    def origin(self, snapshot_id: str) -> str:
        """The volume that its bytes come from, also through copies."""
        fact = self._facts.get(snapshot_id)
        return fact.volume_id if fact else ""

    def completed_at(self, snapshot_id: str) -> float | None:
        """When it has been (or will have been) completed, on the monotonic clock; None if it was not cut here."""
        fact = self._facts.get(snapshot_id)
        return fact.cut_at + fact.pending_s if fact else None

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

    def _state(self, fact: Fact) -> str:
        if fact.error is not None:
            return "error"
        stuck = fact.kin not in self._told and self._clockwork.is_stuck(fact.kin[0], "pending")
        held = fact.doom or stuck
        return "pending" if held or time.monotonic() - fact.cut_at < fact.pending_s else "completed"
