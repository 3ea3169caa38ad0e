"""Single EBS snapshots: states, copies, locks."""

from datetime import UTC, datetime

from sandbox.region import Pace
from sandbox.region.quotas import Quotas
from tests.contract.account import TAG, Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import (
    UNKNOWN,
    a_completed_snapshot,
    a_key,
    a_ready_volume,
    a_snapshot,
    ec2,
    snapshot,
    volume,
)

RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
EBS = "moto.ec2.models.elastic_block_store:"
COPY, COPIES = (f"{RESPONSES}copy_snapshot",), ("ec2.CopySnapshot",)
COPYING = "EBS user guide, copy a snapshot; EC2 API reference, CopySnapshot"
LOCKING = "EBS user guide, snapshot lock; EC2 API reference, LockSnapshot and UnlockSnapshot"
SLOW = Pace(snapshot_pending_s=60.0)


@behaviour(
    "A snapshot is found by its status and its progress, which are not those of a completed one at first.",
    source="EC2 API reference, DescribeSnapshots",
    calls=("ec2.DescribeSnapshots",),
    hooks=(f"{EBS}Snapshot.status", f"{EBS}Snapshot.progress"),
    pace=SLOW,
)
def _filters(aws: Account) -> None:
    made = a_snapshot(aws)
    one = {"Name": "snapshot-id", "Values": [made]}
    for name, value, count in (("status", "pending", 1), ("status", "completed", 0), ("progress", "100%", 0)):
        filters = [one, {"Name": name, "Values": [value]}]
        assert len(ec2(aws).describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]) == count


@behaviour(
    "A snapshot that is deleted is unknown afterwards, and cannot be deleted twice.",
    source="EC2 API reference, DeleteSnapshot; EC2 API error codes, InvalidSnapshot.NotFound",
    calls=("ec2.DeleteSnapshot",),
)
def _deleted(aws: Account) -> None:
    made = a_snapshot(aws)
    ec2(aws).delete_snapshot(SnapshotId=made)
    assert aws.refused("ec2", "delete_snapshot", SnapshotId=made) == "InvalidSnapshot.NotFound"
    assert aws.refused("ec2", "describe_snapshots", SnapshotIds=[made]) == "InvalidSnapshot.NotFound"


@behaviour(
    "A snapshot can be made a volume once it is completed, of no smaller size than its source's.",
    source="EC2 API reference, CreateVolume; assumed: the code for a pending one",
    calls=("ec2.CreateVolume",),
    hooks=(f"{EBS}EBSBackend.create_volume",),
)
def _restorable(aws: Account) -> None:
    source = a_ready_volume(aws, Size=2)
    zone = volume(aws, source)["AvailabilityZone"]
    with aws.lingering("pending"):
        made = a_snapshot(aws, source)
        assert aws.refused("ec2", "create_volume", SnapshotId=made, AvailabilityZone=zone) == "IncorrectState"
    assert aws.eventually(lambda: bool(snapshot(aws, made)["State"] == "completed"))
    small = {"SnapshotId": made, "AvailabilityZone": zone, "Size": 1}
    assert aws.refused("ec2", "create_volume", **small) == "InvalidParameterValue"
    unknown = {"SnapshotId": UNKNOWN["snapshot"], "AvailabilityZone": zone}
    assert aws.refused("ec2", "create_volume", **unknown) == "InvalidSnapshot.NotFound"


def _copied(aws: Account, source: str, **request: object) -> str:
    region = ec2(aws).meta.region_name
    return str(ec2(aws).copy_snapshot(SourceSnapshotId=source, SourceRegion=region, **request)["SnapshotId"])


@behaviour(
    "A copy is pending at first, has only the tags it was given, and does not name its source's volume.",
    source=COPYING,
    calls=COPIES,
    hooks=COPY,
    pace=Pace(snapshot_copy_s=3.0),
)
def _copy(aws: Account) -> None:
    source = a_completed_snapshot(aws, TagSpecifications=[{"ResourceType": "snapshot", "Tags": [TAG]}])
    own = {"Key": "own", "Value": "tag"}
    made = snapshot(aws, _copied(aws, source, TagSpecifications=[{"ResourceType": "snapshot", "Tags": [own]}]))
    assert (made["State"], made["Tags"], made["VolumeSize"]) == ("pending", [own], 1)
    assert made["VolumeId"] != snapshot(aws, source)["VolumeId"]
    assert aws.eventually(lambda: bool(snapshot(aws, made["SnapshotId"])["State"] == "completed"))


@behaviour(
    "Only a completed snapshot can be copied.",
    source=f"{COPYING}; assumed: the code",
    calls=COPIES,
    hooks=COPY,
    pace=SLOW,
)
def _copy_of_pending(aws: Account) -> None:
    request = {"SourceSnapshotId": a_snapshot(aws), "SourceRegion": ec2(aws).meta.region_name}
    assert aws.refused("ec2", "copy_snapshot", **request) == "IncorrectState"


@behaviour(
    "A copy of an encrypted snapshot is encrypted, under the account's own key unless another is named.",
    source=COPYING,
    calls=COPIES,
    hooks=COPY,
)
def _key_of_copy(aws: Account) -> None:
    key, other = a_key(aws), a_key(aws)
    source = a_completed_snapshot(aws, a_ready_volume(aws, Encrypted=True, KmsKeyId=key))
    plain, named = (snapshot(aws, _copied(aws, source, **how)) for how in ({}, {"KmsKeyId": other, "Encrypted": True}))
    assert (plain["Encrypted"], named["Encrypted"], named["KmsKeyId"]) == (True, True, other)
    assert plain["KmsKeyId"] not in (key, other)


@behaviour(
    "A copy under a key that cannot be used is begun, and then fails with a StateMessage.",
    source=COPYING,
    calls=COPIES,
    hooks=COPY,
)
def _copy_without_key(aws: Account) -> None:
    made = _copied(aws, a_completed_snapshot(aws), Encrypted=True, KmsKeyId=a_key(aws, enabled=False))
    assert aws.eventually(lambda: bool(snapshot(aws, made)["State"] == "error"))
    assert snapshot(aws, made)["StateMessage"] == "Given key ID is not accessible"


@behaviour(
    "So many copies can be made to a Region at once, and no more.",
    source="EBS user guide, quotas (20 concurrent snapshot copies per destination Region)",
    calls=COPIES,
    hooks=COPY,
    sandbox_only="twenty copies of something large cost money",
    pace=Pace(snapshot_copy_s=60.0, quotas=Quotas(concurrent_copies=1)),
)
def _copies_at_once(aws: Account) -> None:
    source = a_completed_snapshot(aws)
    _copied(aws, source)
    request = {"SourceSnapshotId": source, "SourceRegion": aws.region.region}
    assert aws.refused("ec2", "copy_snapshot", **request) == "ResourceLimitExceeded"


def _lock(aws: Account, snapshot_id: str, mode: str, **request: object) -> str:
    given = {"LockDuration": 1, **request}
    return str(ec2(aws).lock_snapshot(SnapshotId=snapshot_id, LockMode=mode, **given)["LockState"])


def _state(aws: Account, snapshot_id: str) -> str:
    return str(ec2(aws).describe_locked_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["LockState"])


@behaviour(
    "A snapshot that is locked in governance mode can be unlocked, and deleted only then.",
    source=f"{LOCKING}; assumed: the code",
    calls=("ec2.LockSnapshot", "ec2.UnlockSnapshot", "ec2.DescribeLockedSnapshots", "ec2.DeleteSnapshot"),
    hooks=(
        *(f"{RESPONSES}{name}" for name in ("lock_snapshot", "unlock_snapshot", "describe_locked_snapshots")),
        f"{EBS}EBSBackend.delete_snapshot",
    ),
)
def _governance(aws: Account) -> None:
    made = a_completed_snapshot(aws)
    assert _lock(aws, made, "governance") == "governance"
    assert _state(aws, made) == "governance"
    assert aws.refused("ec2", "delete_snapshot", SnapshotId=made) == "OperationNotPermitted"
    ec2(aws).unlock_snapshot(SnapshotId=made)
    ec2(aws).delete_snapshot(SnapshotId=made)


@behaviour(
    "A lock's duration is given in days or as a date, not both, and a cooling-off period for compliance only.",
    source=LOCKING,
    calls=("ec2.LockSnapshot",),
    hooks=(f"{RESPONSES}lock_snapshot",),
)
def _lock_parameters(aws: Account) -> None:
    made = a_snapshot(aws)
    date = {"ExpirationDate": datetime(2099, 1, 1, tzinfo=UTC)}
    for wrong in ({}, {"LockDuration": 1, **date}, {"LockDuration": 1, "CoolOffPeriod": 1}):
        code = aws.refused("ec2", "lock_snapshot", SnapshotId=made, LockMode="governance", **wrong)
        assert code == "InvalidParameterCombination"


@behaviour(
    "A lock in compliance mode can be lifted while it cools off, then only be extended, and ends by itself.",
    source=f"{LOCKING}; assumed: the code",
    calls=("ec2.LockSnapshot", "ec2.UnlockSnapshot"),
    hooks=(f"{RESPONSES}lock_snapshot", f"{RESPONSES}unlock_snapshot"),
    sandbox_only="a day is a day in AWS",
    pace=Pace(lock_day_s=0.5),
)
def _compliance(aws: Account) -> None:
    made, other = a_completed_snapshot(aws), a_completed_snapshot(aws)
    assert _lock(aws, made, "compliance", LockDuration=3000, CoolOffPeriod=72) == "compliance-cooloff"
    ec2(aws).unlock_snapshot(SnapshotId=made)
    assert _lock(aws, made, "compliance", LockDuration=2000) == "compliance"
    assert aws.refused("ec2", "unlock_snapshot", SnapshotId=made) == "OperationNotPermitted"
    shorter = {"SnapshotId": made, "LockMode": "compliance", "LockDuration": 1000}
    assert aws.refused("ec2", "lock_snapshot", **shorter) == "OperationNotPermitted"
    assert _lock(aws, made, "compliance", LockDuration=3000) == "compliance"
    _lock(aws, other, "compliance", LockDuration=1)
    assert aws.eventually(lambda: _state(aws, other) == "expired")
    ec2(aws).delete_snapshot(SnapshotId=other)
