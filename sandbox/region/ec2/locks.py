"""Snapshot locks: governance can be lifted, compliance only while it cools off, and both end by themselves."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.region.faults import ApiError

if TYPE_CHECKING:
    from sandbox.region.region import Region

HOURS_PER_DAY = 24


@dataclass(frozen=True)
class Lock:
    """One snapshot's lock; times are seconds since 1970."""

    mode: str
    days: int
    created_at: float
    starts_at: float
    """When its duration begins: a pending snapshot's lock waits for its completion."""
    expires_at: float
    cool_off_hours: int | None
    cools_until: float | None

    @property
    def state(self) -> str:
        """As the API spells it."""
        now = time.time()
        if now >= self.expires_at:
            return "expired"
        return "compliance-cooloff" if self.cools_until is not None and now < self.cools_until else self.mode


class Locks:
    """All locks of a region; a day lasts as long as the pace says."""

    def __init__(self, region: "Region") -> None:
        self._region = region
        self._locks: dict[str, Lock] = {}

    def lock(self, snapshot_id: str, request: dict[str, Any]) -> None:
        """Lock a snapshot, or change its lock.

        Raises:
            ApiError: what is asked for makes no sense, or would shorten what cannot be shortened.

        """
        mode, days = request.get("LockMode"), request.get("LockDuration")
        until, hours = request.get("ExpirationDate"), request.get("CoolOffPeriod")
        if (days is None) == (until is None):
            message = "Exactly one of LockDuration and ExpirationDate must be specified"
            raise ApiError("InvalidParameterCombination", message)
        if hours is not None and mode != "compliance":
            raise ApiError("InvalidParameterCombination", "CoolOffPeriod goes with the compliance mode only")
        now, before = time.time(), self._of(snapshot_id)
        starts_at = self._starts_at(snapshot_id, now)
        new = Lock(
            mode=str(mode),
            days=int(days) if days is not None else max(1, (_aware(until) - datetime.now(UTC)).days),
            created_at=before.created_at if before else now,
            starts_at=starts_at,
            expires_at=starts_at + int(days) * self._day_s if days is not None else _aware(until).timestamp(),
            cool_off_hours=int(hours) if hours is not None else None,
            cools_until=now + int(hours) * self._day_s / HOURS_PER_DAY if hours is not None else None,
        )
        if before and before.state == "compliance":
            if mode != "compliance" or new.expires_at < before.expires_at:
                raise _refused(snapshot_id, "is locked in compliance mode: its lock can only be extended")
            new = replace(new, cool_off_hours=before.cool_off_hours, cools_until=before.cools_until)
        self._locks[snapshot_id] = new

    @property
    def _day_s(self) -> float:
        return self._region.pace.lock_day_s

    def _of(self, snapshot_id: str) -> Lock | None:
        found = self._locks.get(snapshot_id)
        return found if found and found.state != "expired" else None

    def _starts_at(self, snapshot_id: str, now: float) -> float:
        completed_at = self._region.snapshots.completed_at(snapshot_id)
        return now + max(0.0, completed_at - time.monotonic()) if completed_at is not None else now

    def unlock(self, snapshot_id: str) -> None:
        """Take a lock away.

        Raises:
            ApiError: there is none, or it has cooled off.

        """
        found = self._of(snapshot_id)
        if found is None:
            raise ApiError("IncorrectState", f"Snapshot {snapshot_id} is not locked")
        if found.state == "compliance":
            raise _refused(snapshot_id, "is locked in compliance mode")
        del self._locks[snapshot_id]

    def check_delete(self, snapshot_id: str) -> None:
        """A locked snapshot cannot be deleted, whatever the mode.

        Raises:
            ApiError: it is locked.

        """
        if self._of(snapshot_id):
            raise _refused(snapshot_id, "is locked and cannot be deleted")

    def forget(self, snapshot_id: str) -> None:
        """The snapshot is gone."""
        self._locks.pop(snapshot_id, None)

    def known(self) -> list[str]:
        """The ids of all snapshots that have (had) a lock."""
        return list(self._locks)

    def told(self, snapshot_id: str) -> dict[str, Any]:
        """A lock as the API spells it."""
        lock = self._locks[snapshot_id]
        told = {
            "SnapshotId": snapshot_id,
            "LockState": lock.state,
            "LockDuration": lock.days,
            "CoolOffPeriod": lock.cool_off_hours,
            "CoolOffPeriodExpiresOn": _date(lock.cools_until),
            "LockCreatedOn": _date(lock.created_at),
            "LockDurationStartTime": _date(lock.starts_at),
            "LockExpiresOn": _date(lock.expires_at),
        }
        return {name: value for name, value in told.items() if value is not None}


def _refused(snapshot_id: str, words: str) -> ApiError:
    return ApiError("OperationNotPermitted", f"Snapshot {snapshot_id} {words}")


def _date(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _aware(value: Any) -> datetime:  # noqa: ANN401  # moto parses it, or does not
    parsed = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
