"""EBS volumes: states, attachments, initialization, status checks."""

from typing import Any

from sandbox.region import Pace
from sandbox.region.quotas import Quotas
from tests.contract.account import DEVICE, Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import (
    SECOND_DEVICE,
    UNKNOWN,
    a_completed_snapshot,
    a_key,
    a_ready_volume,
    a_volume,
    ec2,
    is_in,
    volume,
    zone,
)

RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
BACKEND = "moto.ec2.models.elastic_block_store:EBSBackend."
EBS = "moto.ec2.models.elastic_block_store:"
CREATE, STATUS = f"{RESPONSES}create_volume", f"{RESPONSES}describe_volume_status"
ATTACHING = "EC2 API reference, AttachVolume; EC2 API error codes"
DETACHING = "EC2 API reference, DetachVolume; EC2 API error codes"
INITIALIZING = "EBS user guide, initialize volumes"


def _attachment(aws: Account, volume_id: str) -> dict[str, Any]:
    return dict((volume(aws, volume_id)["Attachments"] or [{}])[0])


def _attach(aws: Account, volume_id: str, device: str = SECOND_DEVICE) -> dict[str, Any]:
    return {"VolumeId": volume_id, "InstanceId": aws.node().instance_id, "Device": device}


@behaviour(
    "A volume is creating at first, and can be neither attached nor deleted then.",
    source="EBS user guide, volume states; EC2 API error codes, IncorrectState",
    calls=("ec2.CreateVolume", "ec2.DescribeVolumes"),
    hooks=(CREATE, f"{EBS}Volume.status", f"{BACKEND}delete_volume"),
    sandbox_only="a real one is available too soon",
)
def _creating(aws: Account) -> None:
    aws.node()
    with aws.lingering("creating"):
        made = a_volume(aws)
        assert volume(aws, made)["State"] == "creating"
        assert aws.refused("ec2", "attach_volume", **_attach(aws, made)) == "IncorrectState"
        assert aws.refused("ec2", "delete_volume", VolumeId=made) == "IncorrectState"


@behaviour(
    "A volume that is being deleted can be seen for a while, and is unknown afterwards.",
    source="EBS user guide, volume states; EC2 API error codes, InvalidVolume.NotFound",
    calls=("ec2.DeleteVolume", "ec2.DescribeVolumes"),
    hooks=(f"{BACKEND}delete_volume",),
    sandbox_only="a real one is gone too soon",
)
def _deleting(aws: Account) -> None:
    made = a_ready_volume(aws)
    with aws.lingering("deleting"):
        ec2(aws).delete_volume(VolumeId=made)
        assert volume(aws, made)["State"] == "deleting"
    gone = "InvalidVolume.NotFound"
    assert aws.eventually(lambda: aws.refused("ec2", "describe_volumes", VolumeIds=[made]) == gone)


@behaviour(
    "A ClientToken makes one volume, whose type and performance are those of the first request.",
    source="EC2 API reference, CreateVolume and idempotency",
    calls=("ec2.CreateVolume",),
    hooks=(CREATE,),
)
def _token(aws: Account) -> None:
    request = {"VolumeType": "gp3", "Iops": 4000, "Size": 8, "ClientToken": f"token-{aws.node().volume_id}"}
    first, second = (a_volume(aws, **request) for _ in range(2))
    assert first == second
    other = {**request, "Size": 9, "AvailabilityZone": zone(aws)}
    assert aws.refused("ec2", "create_volume", **other) == "IdempotentParameterMismatch"
    found = volume(aws, first)
    assert (found["Iops"], found["Throughput"]) == (4000, 125)


@behaviour(
    "A volume can be made only in a zone that there is.",
    source="EC2 API error codes, InvalidZone.NotFound",
    calls=("ec2.CreateVolume",),
    hooks=(CREATE,),
)
def _zone(aws: Account) -> None:
    assert aws.refused("ec2", "create_volume", AvailabilityZone="mars-1a", Size=1) == "InvalidZone.NotFound"


@behaviour(
    "A volume takes its time to be attached and to be detached.",
    source="EBS user guide, attach and detach volumes",
    calls=("ec2.AttachVolume", "ec2.DetachVolume", "ec2.DescribeVolumes"),
    hooks=(f"{BACKEND}attach_volume", f"{RESPONSES}detach_volume"),
)
def _attached(aws: Account) -> None:
    made = a_ready_volume(aws)
    with aws.lingering("attaching"):
        assert ec2(aws).attach_volume(**_attach(aws, made))["State"] == "attaching"
        assert _attachment(aws, made)["State"] == "attaching"
    assert aws.eventually(lambda: _attachment(aws, made)["State"] == "attached")
    with aws.lingering("detaching"):
        assert ec2(aws).detach_volume(VolumeId=made)["State"] == "detaching"
        assert _attachment(aws, made)["State"] == "detaching"
    assert aws.eventually(lambda: bool(volume(aws, made)["State"] == "available"))


@behaviour(
    "A volume is attached once, at a device that is free, in its own zone, to an instance that exists.",
    source=ATTACHING,
    calls=("ec2.AttachVolume",),
    hooks=(f"{BACKEND}attach_volume",),
)
def _not_attached(aws: Account) -> None:
    again, free = _attach(aws, aws.node().volume_id), _attach(aws, a_ready_volume(aws))
    elsewhere = a_ready_volume(aws, AvailabilityZone=f"{zone(aws)[:-1]}{'b' if zone(aws)[-1] == 'a' else 'a'}")
    assert aws.refused("ec2", "attach_volume", **again) == "VolumeInUse"
    assert aws.refused("ec2", "attach_volume", **{**free, "Device": DEVICE}) == "InvalidParameterValue"
    assert aws.refused("ec2", "attach_volume", **_attach(aws, elsewhere)) == "InvalidVolume.ZoneMismatch"
    unknown = {**free, "InstanceId": UNKNOWN["instance"]}
    assert aws.refused("ec2", "attach_volume", **unknown) == "InvalidInstanceID.NotFound"
    unknown = _attach(aws, UNKNOWN["volume"])
    assert aws.refused("ec2", "attach_volume", **unknown) == "InvalidVolume.NotFound"


@behaviour(
    "The root volume of an instance that runs, and a volume that is free, cannot be detached.",
    source=DETACHING,
    calls=("ec2.DetachVolume",),
    hooks=(f"{RESPONSES}detach_volume",),
)
def _not_detached(aws: Account) -> None:
    assert aws.refused("ec2", "detach_volume", VolumeId=aws.node().root_volume_id) == "OperationNotPermitted"
    assert aws.refused("ec2", "detach_volume", VolumeId=a_ready_volume(aws)) == "IncorrectState"


@behaviour(
    "The root volume of a stopped instance can be detached.",
    source=DETACHING,
    calls=("ec2.DetachVolume", "ec2.StopInstances"),
)
def _root_detached(aws: Account) -> None:
    node = aws.node()
    ec2(aws).stop_instances(InstanceIds=[node.instance_id])
    assert is_in(aws, node.instance_id, "stopped")
    ec2(aws).detach_volume(VolumeId=node.root_volume_id)
    assert aws.eventually(lambda: bool(volume(aws, node.root_volume_id)["State"] == "available"))
    ec2(aws).delete_volume(VolumeId=node.root_volume_id)


@behaviour(
    "A volume that its guest goes on using is busy until the guest lets it go, or force is used.",
    source="EBS user guide, detach a volume (busy)",
    calls=("ec2.DetachVolume",),
    hooks=(f"{RESPONSES}detach_volume",),
    sandbox_only="only a host can mount a volume",
)
def _busy(aws: Account) -> None:
    node, second = aws.node(), a_ready_volume(aws)
    ec2(aws).attach_volume(**_attach(aws, second))
    assert aws.eventually(lambda: _attachment(aws, second)["State"] == "attached")
    for one in (node.volume_id, second):
        aws.region.ec2.use_volume(one)
        ec2(aws).detach_volume(VolumeId=one)
        assert aws.eventually(lambda one=one: _attachment(aws, one)["State"] == "busy")  # type: ignore[misc]  # bound
    aws.region.ec2.leave_volume(node.volume_id)
    ec2(aws).detach_volume(VolumeId=second, Force=True)
    for one in (node.volume_id, second):
        assert aws.eventually(lambda one=one: volume(aws, one)["State"] == "available")  # type: ignore[misc]  # bound


@behaviour(
    "A detach that gets stuck goes on for as long as it likes, and gives way to force.",
    source="EBS user guide, detach a volume (stuck detaching)",
    calls=("ec2.DetachVolume",),
    hooks=(f"{RESPONSES}detach_volume",),
    sandbox_only="it cannot be asked for",
)
def _stuck(aws: Account) -> None:
    data = aws.node().volume_id
    aws.region.ec2.stick(data, "detaching")
    ec2(aws).detach_volume(VolumeId=data)
    assert aws.refused("ec2", "detach_volume", VolumeId=data) == "IncorrectState"
    assert _attachment(aws, data)["State"] == "detaching"
    ec2(aws).detach_volume(VolumeId=data, Force=True)
    assert aws.eventually(lambda: bool(volume(aws, data)["State"] == "available"))


@behaviour(
    "Only a volume that is free can be deleted.",
    source="EC2 API error codes, VolumeInUse",
    calls=("ec2.DeleteVolume",),
)
def _in_use(aws: Account) -> None:
    assert aws.refused("ec2", "delete_volume", VolumeId=aws.node().volume_id) == "VolumeInUse"


@behaviour(
    "DescribeVolumes tells, and finds, whether a volume goes with its instance.",
    source="EC2 API reference, DescribeVolumes",
    calls=("ec2.DescribeVolumes",),
    hooks=(f"{EBS}VolumeAttachment.delete_on_termination", f"{EBS}Volume.get_filter_value"),
)
def _goes_with_it(aws: Account) -> None:
    root = aws.node().root_volume_id
    assert _attachment(aws, root)["DeleteOnTermination"] is True
    filters = [
        {"Name": "attachment.delete-on-termination", "Values": ["true"]},
        {"Name": "attachment.instance-id", "Values": [aws.node().instance_id]},
    ]
    found = ec2(aws).describe_volumes(Filters=filters)["Volumes"]
    assert root in {entry["VolumeId"] for entry in found}


@behaviour(
    "Volumes are found by what they are attached to, by their state, their type, their id and their tags.",
    source="EC2 API reference, DescribeVolumes",
    calls=("ec2.DescribeVolumes",),
)
def _filters(aws: Account) -> None:
    node = aws.node()
    own = f"beside-{node.volume_id}"
    made = a_ready_volume(aws, TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "k", "Value": own}]}])
    for name, value, expected in (
        ("attachment.instance-id", node.instance_id, {node.volume_id, node.root_volume_id}),
        ("volume-id", made, {made}),
        ("tag:k", own, {made}),
    ):
        found = ec2(aws).describe_volumes(Filters=[{"Name": name, "Values": [value]}])["Volumes"]
        assert {entry["VolumeId"] for entry in found} == expected
    kinds = [{"Name": "volume-type", "Values": [volume(aws, made)["VolumeType"]]}]
    free = [{"Name": "status", "Values": ["available"]}]
    assert made in {entry["VolumeId"] for entry in ec2(aws).describe_volumes(Filters=[*kinds, *free])["Volumes"]}


@behaviour(
    "A volume whose key cannot be used is made, and turns to error afterwards.",
    source="EC2 API reference, CreateVolume (KmsKeyId); EBS user guide, EventBridge events",
    calls=("ec2.CreateVolume",),
    hooks=(CREATE,),
)
def _without_key(aws: Account) -> None:
    made = a_volume(aws, Encrypted=True, KmsKeyId=a_key(aws, enabled=False))
    assert aws.eventually(lambda: bool(volume(aws, made)["State"] == "error"))
    ec2(aws).delete_volume(VolumeId=made)


@behaviour(
    "A volume whose key is unknown turns to error too.",
    source="EC2 API reference, CreateVolume (KmsKeyId)",
    calls=("ec2.CreateVolume",),
    hooks=(CREATE,),
)
def _unknown_key(aws: Account) -> None:
    made = a_volume(aws, Encrypted=True, KmsKeyId="0a1b2c3d-1234-4321-abcd-0a1b2c3d4e5f")
    assert aws.eventually(lambda: bool(volume(aws, made)["State"] == "error"))


@behaviour(
    "A volume whose key has been disabled does not get attached.",
    source="EBS user guide, EventBridge events (attachVolume failed)",
    calls=("ec2.AttachVolume",),
    hooks=(f"{BACKEND}attach_volume",),
    sandbox_only="AWS may go on using a key for minutes",
)
def _attach_without_key(aws: Account) -> None:
    key = a_key(aws)
    made = a_ready_volume(aws, Encrypted=True, KmsKeyId=key)
    aws.client("kms").disable_key(KeyId=key.rpartition("/")[2])
    with aws.lingering("attaching"):
        ec2(aws).attach_volume(**_attach(aws, made))
        assert volume(aws, made)["State"] == "in-use"
        assert _attachment(aws, made)["State"] == "attaching"
    assert aws.eventually(lambda: bool(volume(aws, made)["State"] == "available"))


@behaviour(
    "A volume from a snapshot tells how far it is initialized, and at a provisioned rate how long it will take.",
    source=f"{INITIALIZING}; EC2 API reference, InitializationStatusDetails",
    calls=("ec2.CreateVolume", "ec2.DescribeVolumeStatus"),
    hooks=(CREATE, STATUS),
    pace=Pace(initialization_scale=1.0),
)
def _initializing(aws: Account) -> None:
    source = a_completed_snapshot(aws)
    empty, usual = a_ready_volume(aws), a_ready_volume(aws, SnapshotId=source)
    quick = a_ready_volume(aws, SnapshotId=source, VolumeInitializationRate=300)
    assert volume(aws, quick)["VolumeInitializationRate"] == 300
    found = ec2(aws).describe_volume_status(VolumeIds=[empty, usual, quick])["VolumeStatuses"]
    told = {entry["VolumeId"]: entry.get("InitializationStatusDetails", {}) for entry in found}
    assert told[empty] == {}
    assert told[usual]["InitializationType"] == "default"
    assert "EstimatedTimeToCompleteInSeconds" not in told[usual]
    assert told[quick]["InitializationType"] == "provisioned-rate"
    assert 0 <= told[quick]["Progress"] <= 100
    assert 0 <= told[quick]["EstimatedTimeToCompleteInSeconds"] <= 4


@behaviour(
    "A volume that is initialized has a progress of 100 and nothing left to wait for.",
    source=f"{INITIALIZING}; EC2 API reference, InitializationStatusDetails",
    calls=("ec2.DescribeVolumeStatus",),
    hooks=(STATUS,),
)
def _initialized(aws: Account) -> None:
    made = a_ready_volume(aws, SnapshotId=a_completed_snapshot(aws), VolumeInitializationRate=300)
    done = {"InitializationType": "provisioned-rate", "Progress": 100, "EstimatedTimeToCompleteInSeconds": 0}

    def told() -> dict[str, Any]:
        found = ec2(aws).describe_volume_status(VolumeIds=[made])["VolumeStatuses"][0]
        return dict(found["InitializationStatusDetails"])

    assert aws.eventually(lambda: told() == done)


@behaviour(
    "A rate of initialization is between 100 and 300 MiB/s, and goes with a snapshot.",
    source=f"{INITIALIZING}; assumed: the codes",
    calls=("ec2.CreateVolume",),
    hooks=(CREATE,),
)
def _rates(aws: Account) -> None:
    given = {"AvailabilityZone": zone(aws), "SnapshotId": a_completed_snapshot(aws)}
    for rate in (99, 301):
        code = aws.refused("ec2", "create_volume", **given, VolumeInitializationRate=rate)
        assert code == "InvalidParameterValue"
    empty = {"AvailabilityZone": zone(aws), "Size": 1, "VolumeInitializationRate": 100}
    assert aws.refused("ec2", "create_volume", **empty) == "InvalidParameterCombination"


@behaviour(
    "The rates of all volumes that are being initialized in a Region have a quota.",
    source=f"{INITIALIZING} (5,000 MiB/s); assumed: the code",
    calls=("ec2.CreateVolume",),
    hooks=(CREATE,),
    sandbox_only="seventeen volumes at the highest rate cost money",
    pace=Pace(initialization_scale=60.0, quotas=Quotas(initialization_mibps=300)),
)
def _rate_quota(aws: Account) -> None:
    source = a_completed_snapshot(aws)
    first = a_ready_volume(aws, SnapshotId=source, VolumeInitializationRate=250)
    more = {"AvailabilityZone": zone(aws), "SnapshotId": source, "VolumeInitializationRate": 100}
    assert aws.refused("ec2", "create_volume", **more) == "VolumeInitializationRateLimitExceeded"
    assert aws.refused("ec2", "create_volume", AvailabilityZone=zone(aws), SnapshotId=source) == ""
    ec2(aws).delete_volume(VolumeId=first)
    assert aws.refused("ec2", "create_volume", **more) == ""


@behaviour(
    "A volume's status is insufficient-data while it is being created, and ok when its checks have passed.",
    source="EC2 API reference, DescribeVolumeStatus",
    calls=("ec2.DescribeVolumeStatus",),
    hooks=(STATUS,),
    sandbox_only="a real one is available too soon",
)
def _status(aws: Account) -> None:
    def told() -> str:
        found = ec2(aws).describe_volume_status(VolumeIds=[made])["VolumeStatuses"][0]
        return str(found["VolumeStatus"]["Status"])

    aws.node()
    with aws.lingering("creating"):
        made = a_volume(aws)
        assert told() == "insufficient-data"
    assert aws.eventually(lambda: told() == "ok")
    assert aws.refused("ec2", "describe_volume_status", VolumeIds=[UNKNOWN["volume"]]) == "InvalidVolume.NotFound"


@behaviour(
    "A volume whose I/O is disabled is impaired, with its event and the action to take, and is found by that.",
    source="EBS user guide, volume status checks",
    calls=("ec2.DescribeVolumeStatus",),
    hooks=(STATUS,),
    sandbox_only="hardware fails when it likes",
)
def _impaired(aws: Account) -> None:
    data = aws.node().volume_id
    aws.region.ec2.volume_checks.impair(data)
    wanted = [{"Name": "volume-status.status", "Values": ["impaired"]}]
    found = ec2(aws).describe_volume_status(Filters=wanted)["VolumeStatuses"]
    assert [entry["VolumeId"] for entry in found] == [data]
    assert found[0]["Events"][0]["EventType"] == "potential-data-inconsistency"
    assert found[0]["Actions"][0]["Code"] == "enable-volume-io"
    assert {"Name": "io-enabled", "Status": "failed"} in found[0]["VolumeStatus"]["Details"]
    aws.region.ec2.volume_checks.heal(data)
    assert ec2(aws).describe_volume_status(Filters=wanted)["VolumeStatuses"] == []


@behaviour(
    "A volume with provisioned IOPS warns while it is being initialized.",
    source=f"{INITIALIZING}; EBS user guide, volume status checks",
    calls=("ec2.DescribeVolumeStatus",),
    hooks=(STATUS,),
    sandbox_only="it may be initialized before it is asked",
    pace=Pace(initialization_scale=60.0),
)
def _warning(aws: Account) -> None:
    source = a_completed_snapshot(aws, a_ready_volume(aws, Size=4))
    made = a_ready_volume(aws, SnapshotId=source, VolumeType="io2", Iops=100)
    found = ec2(aws).describe_volume_status(VolumeIds=[made])["VolumeStatuses"][0]
    assert found["VolumeStatus"]["Status"] == "warning"
