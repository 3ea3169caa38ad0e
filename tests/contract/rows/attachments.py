"""EBS volumes and the instances that they are attached to."""

from tests.contract.account import DEVICE, Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import (
    UNKNOWN,
    a_ready_volume,
    attach_request,
    attachment_of,
    ec2,
    is_in,
    volume,
    zone,
)

RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
BACKEND = "moto.ec2.models.elastic_block_store:EBSBackend."
EBS = "moto.ec2.models.elastic_block_store:"
ATTACHING = "EC2 API reference, AttachVolume; EC2 API error codes"
DETACHING = "EC2 API reference, DetachVolume; EC2 API error codes"


@behaviour(
    "A volume takes its time to be attached and to be detached.",
    source="EBS user guide, attach and detach volumes",
    calls=("ec2.AttachVolume", "ec2.DetachVolume", "ec2.DescribeVolumes"),
    hooks=(f"{BACKEND}attach_volume", f"{RESPONSES}detach_volume"),
)
def _attached(aws: Account) -> None:
    made = a_ready_volume(aws)
    with aws.lingering("attaching"):
        assert ec2(aws).attach_volume(**attach_request(aws, made))["State"] == "attaching"
        assert attachment_of(aws, made)["State"] == "attaching"
    assert aws.eventually(lambda: attachment_of(aws, made)["State"] == "attached")
    with aws.lingering("detaching"):
        assert ec2(aws).detach_volume(VolumeId=made)["State"] == "detaching"
        assert attachment_of(aws, made)["State"] == "detaching"
    assert aws.eventually(lambda: bool(volume(aws, made)["State"] == "available"))


@behaviour(
    "A volume is attached once, at a device that is free, in its own zone, to an instance that exists.",
    source=ATTACHING,
    calls=("ec2.AttachVolume",),
    hooks=(f"{BACKEND}attach_volume",),
)
def _not_attached(aws: Account) -> None:
    again, free = attach_request(aws, aws.node().volume_id), attach_request(aws, a_ready_volume(aws))
    elsewhere = a_ready_volume(aws, AvailabilityZone=f"{zone(aws)[:-1]}{'b' if zone(aws)[-1] == 'a' else 'a'}")
    assert aws.refused("ec2", "attach_volume", **again) == "VolumeInUse"
    assert aws.refused("ec2", "attach_volume", **{**free, "Device": DEVICE}) == "InvalidParameterValue"
    assert aws.refused("ec2", "attach_volume", **attach_request(aws, elsewhere)) == "InvalidVolume.ZoneMismatch"
    unknown = {**free, "InstanceId": UNKNOWN["instance"]}
    assert aws.refused("ec2", "attach_volume", **unknown) == "InvalidInstanceID.NotFound"
    unknown = attach_request(aws, UNKNOWN["volume"])
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
    ec2(aws).attach_volume(**attach_request(aws, second))
    assert aws.eventually(lambda: attachment_of(aws, second)["State"] == "attached")
    for one in (node.volume_id, second):
        aws.region.ec2.use_volume(one)
        ec2(aws).detach_volume(VolumeId=one)
        assert aws.eventually(lambda one=one: attachment_of(aws, one)["State"] == "busy")  # type: ignore[misc]  # bound
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
    assert attachment_of(aws, data)["State"] == "detaching"
    ec2(aws).detach_volume(VolumeId=data, Force=True)
    assert aws.eventually(lambda: bool(volume(aws, data)["State"] == "available"))
