"""How volumes that are made from snapshots get their blocks: at a rate, which can be provisioned and has a quota."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.region.faults import ApiError

if TYPE_CHECKING:
    from sandbox.region.ec2.compute import Compute

SLOWEST_MIBPS, FASTEST_MIBPS = 100, 300
DEFAULT_MIBPS = 130
"""What gp3 has been seen to do; AWS promises nothing."""
MIB_PER_GIB = 1024


@dataclass(frozen=True)
class Initialization:
    """One volume's."""

    began_at: float
    """On the monotonic clock."""
    takes_s: float
    provisioned_mibps: int | None

    @property
    def left_s(self) -> float:
        """What is still to come."""
        return max(0.0, self.began_at + self.takes_s - time.monotonic())

    @property
    def progress(self) -> int:
        """A percentage."""
        return int(100 * (1 - self.left_s / self.takes_s)) if self.left_s else 100


class Initializations:
    """All of them, also those that are done."""

    def __init__(self, compute: "Compute") -> None:
        self._compute = compute
        self._known: dict[str, Initialization] = {}

    def check(self, wanted: Iterable[tuple[int | str | None, str | None]]) -> None:
        """Look at the rates of one request: (rate in MiB/s, snapshot) of each volume.

        Raises:
            ApiError: a rate is out of range, comes without a snapshot, or is more than the Region has left.

        """
        asked = [(int(rate), snapshot_id) for rate, snapshot_id in wanted if rate is not None]
        for rate, snapshot_id in asked:
            if not SLOWEST_MIBPS <= rate <= FASTEST_MIBPS:
                message = f"VolumeInitializationRate must be between {SLOWEST_MIBPS} and {FASTEST_MIBPS} MiB/s"
                raise ApiError("InvalidParameterValue", message)
            if not snapshot_id:
                message = "VolumeInitializationRate can be used only for volumes created from snapshots"
                raise ApiError("InvalidParameterCombination", message)
        most = self._compute.pace.quotas.initialization_mibps
        used = sum(i.provisioned_mibps or 0 for i in self._known.values() if i.left_s)
        if asked and used + sum(rate for rate, _ in asked) > most:
            message = f"The volume initialization rates in this Region would exceed {most} MiB/s"
            raise ApiError("VolumeInitializationRateLimitExceeded", message)

    def begin(self, volume: Any, rate_mibps: int | None = None) -> None:  # noqa: ANN401  # moto has no types
        """Begin to fetch a volume's blocks; again, if a rate turns out to be provisioned."""
        size_mib = int(volume.size) * MIB_PER_GIB
        takes_s = size_mib / (rate_mibps or DEFAULT_MIBPS) * self._compute.pace.initialization_scale
        self._known[volume.id] = Initialization(time.monotonic(), takes_s, rate_mibps)
        volume.volume_initialization_rate = rate_mibps

    def is_going_on(self, volume_id: str) -> bool:
        """The volume has not all of its blocks yet."""
        known = self._known.get(volume_id)
        return known is not None and known.left_s > 0

    def left_s(self, volume_id: str) -> float:
        """What is still to come."""
        return self._known[volume_id].left_s

    def forget(self, volume_id: str) -> None:
        """The volume is gone; its rate is free."""
        self._known.pop(volume_id, None)

    def told(self, volume_id: str) -> dict[str, Any] | None:
        """As DescribeVolumeStatus spells it; None of volumes that were made empty."""
        known = self._known.get(volume_id)
        if known is None:
            return None
        if known.provisioned_mibps is None:
            return {"InitializationType": "default", "Progress": known.progress}
        left = {"EstimatedTimeToCompleteInSeconds": math.ceil(known.left_s)}
        return {"InitializationType": "provisioned-rate", "Progress": known.progress, **left}
