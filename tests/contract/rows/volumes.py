"""EBS volumes: their states, their keys, and how they are found."""

from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import (
    a_key,
    a_ready_volume,
    a_volume,
    attach_request,
    attachment_of,
    ec2,
    volume,
    zone,
)

RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
BACKEND = "moto.ec2.models.elastic_block_store:EBSBackend."
EBS = "moto.ec2.models.elastic_block_store:"
CREATE = f"{RESPONSES}create_volume"


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
        assert aws.refused("ec2", "attach_volume", **attach_request(aws, made)) == "IncorrectState"
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
    assert attachment_of(aws, root)["DeleteOnTermination"] is True
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
        ec2(aws).attach_volume(**attach_request(aws, made))
        assert volume(aws, made)["State"] == "in-use"
        assert attachment_of(aws, made)["State"] == "attaching"
    assert aws.eventually(lambda: bool(volume(aws, made)["State"] == "available"))
