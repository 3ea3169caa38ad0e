"""AWS's request quotas: a token bucket per API, as documented; whoever calls too often is refused."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.region.credentials import OPERATOR
from sandbox.region.faults import ApiCall, ApiError
from sandbox.region.pace import Pace

UNAVAILABLE = 503


@dataclass(frozen=True)
class Bucket:
    """So many at once, and so many more a second."""

    capacity: float
    refill_per_s: float


WIDE, WIDE_TAGS, LAUNCH = Bucket(100, 5), Bucket(100, 10), Bucket(5, 2)
EC2: Mapping[str, Bucket] = {
    **dict.fromkeys(
        (
            "CreateSnapshots",
            "CreateSnapshot",
            "DeleteSnapshot",
            "ModifySnapshotAttribute",
            "CreateVolume",
            "DeleteVolume",
            "ModifyNetworkInterfaceAttribute",
            "CreateNetworkInterface",
            "CreateLaunchTemplateVersion",
            "TerminateInstances",
        ),
        WIDE,
    ),
    "CreateTags": WIDE_TAGS,
    "RunInstances": LAUNCH,
    "StartInstances": LAUNCH,
}
"""EC2 API request throttling (EC2 developer guide): actions with a bucket of their own."""
CHANGES, READS, WHOLE_READS = Bucket(50, 5), Bucket(100, 20), Bucket(50, 10)
"""The buckets that an account's other changes, its reads, and reads without filter or page share."""
PAGED = (
    "DescribeVolumes",
    "DescribeSnapshots",
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeNetworkInterfaces",
)
LIMITING = ("Filters", "MaxResults", "InstanceIds", "VolumeIds", "SnapshotIds", "NetworkInterfaceIds")
RESOURCES: Mapping[str, tuple[str, Bucket]] = {
    "StartInstances": ("InstanceIds", Bucket(1000, 2)),
    "StopInstances": ("InstanceIds", Bucket(1000, 20)),
    "TerminateInstances": ("InstanceIds", Bucket(1000, 20)),
}
"""Besides the request each instance takes a token; RunInstances is counted by MaxCount."""
LAUNCHED = Bucket(1000, 2)
STATES: Mapping[str, Bucket] = {
    "StartExecution": Bucket(800, 150),
    "StopExecution": Bucket(500, 25),
    "DescribeExecution": Bucket(250, 10),
    "ListExecutions": Bucket(100, 2),
    **dict.fromkeys(("SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"), Bucket(1500, 300)),
}
"""Step Functions service quotas, for Regions other than the three large ones."""


class Throttles:
    """All buckets of the account. The operator's own hands (a test that builds its scene) are not counted."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def ask(self, call: ApiCall) -> None:
        """Take the call's tokens.

        Raises:
            ApiError: there are none: ``RequestLimitExceeded`` of EC2, ``ThrottlingException`` of Step Functions.

        """
        if call.caller == OPERATOR or call.service not in ("ec2", "states"):
            return
        if call.service == "states":
            if call.action in STATES and not self._take(f"states.{call.action}", STATES[call.action]):
                raise ApiError("ThrottlingException", "Rate exceeded")
            return
        if not all(self._take(name, bucket, tokens) for name, bucket, tokens in _of_ec2(call)):
            raise ApiError("RequestLimitExceeded", "Request limit exceeded.", status=UNAVAILABLE)

    def drain(self, name: str) -> None:
        """Empty a bucket, as if others had used it up: ``ec2.CreateSnapshots``, ``ec2 reads``, ``states.…``."""
        with self._lock:
            self._left[name] = (0.0, time.monotonic())

    def _take(self, name: str, bucket: Bucket, tokens: float = 1) -> bool:
        """Time is as fast as waits are: who waits a scaled minute finds a minute's tokens."""
        per_s = bucket.refill_per_s / (self._pace.wait_scale or 1.0)
        with self._lock:
            now = time.monotonic()
            left, at = self._left.get(name, (bucket.capacity, now))
            left = min(bucket.capacity, left + (now - at) * per_s)
            enough = left >= tokens
            self._left[name] = (left - tokens if enough else left, now)
            return enough


def _of_ec2(call: ApiCall) -> list[tuple[str, Bucket, float]]:
    """(name, bucket, tokens) that an EC2 request takes from."""
    if call.action.startswith(("Describe", "Get", "List")):
        whole = call.action in PAGED and not any(call.params.get(name) for name in LIMITING)
        return [("ec2 whole reads", WHOLE_READS, 1) if whole else ("ec2 reads", READS, 1)]
    own = EC2.get(call.action)
    taken: list[tuple[str, Bucket, float]] = [
        (f"ec2.{call.action}", own, 1) if own else ("ec2 changes", CHANGES, 1),
    ]
    if call.action == "RunInstances":
        taken.append(("ec2.RunInstances instances", LAUNCHED, _count(call.params)))
    elif call.action in RESOURCES:
        field, bucket = RESOURCES[call.action]
        taken.append((f"ec2.{call.action} instances", bucket, len(call.params.get(field) or [])))
    return taken


def _count(params: Mapping[str, Any]) -> float:
    return float(params.get("MaxCount") or 1)
