"""What all calls of EC2 have in common: ids, DryRun, tags."""

from typing import Any

from sandbox.region import Pace
from tests.contract.account import TAG, Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import (
    LISTS,
    UNKNOWN,
    a_ready_volume,
    a_request,
    a_snapshot,
    a_volume,
    action_of,
    ec2,
    instance,
    interface,
    snapshot,
    volume,
    zone,
)

GATE = "moto.ec2.responses._base_response:EC2BaseResponse.call_action"
INSTANCES = "moto.ec2.responses.instances:InstanceResponse."
EBS = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
CODES = "EC2 API error codes"


@behaviour(
    "An id that nothing has is told apart from one that nothing can have.",
    source=CODES,
    calls=tuple(f"ec2.{action_of(method)}" for method in LISTS),
    hooks=(GATE,),
)
def _unknown_and_malformed(aws: Account) -> None:
    codes = {
        "instance": ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"),
        "volume": ("InvalidVolume.NotFound", "InvalidVolumeID.Malformed"),
        "snapshot": ("InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed"),
        "interface": ("InvalidNetworkInterfaceID.NotFound", "InvalidNetworkInterfaceId.Malformed"),
        "image": ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed"),
    }
    for method, (_, ids, kind, _) in LISTS.items():
        unknown, malformed = codes[kind]
        assert aws.refused("ec2", method, **{ids: [UNKNOWN[kind]]}) == unknown, method
        assert aws.refused("ec2", method, **{ids: [UNKNOWN[kind][:-2]]}) == malformed, method


@behaviour(
    "Calls that change something name the kind of the id that they do not know.",
    source=CODES,
    calls=(
        *("ec2.StopInstances", "ec2.TerminateInstances", "ec2.ModifyInstanceAttribute", "ec2.GetLaunchTemplateData"),
        *("ec2.DescribeInstanceAttribute", "ec2.CreateSnapshots", "ec2.CreateSnapshot", "ec2.DeleteSnapshot"),
        *("ec2.DetachVolume", "ec2.DeleteVolume", "ec2.CopySnapshot", "ec2.LockSnapshot"),
        *("ec2.ModifyNetworkInterfaceAttribute", "ec2.CreateImage", "ec2.CreateTags"),
    ),
    hooks=("moto.ec2.responses.tags:TagResponse.create_tags",),
)
def _unknown_to_changes(aws: Account) -> None:
    region = ec2(aws).meta.region_name
    one = {"InstanceId": UNKNOWN["instance"]}
    mapping = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": False}}]
    change = {"AttachmentId": "eni-attach-0123456789abcdef0", "DeleteOnTermination": False}
    asked: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
        "InvalidInstanceID.NotFound": (
            ("stop_instances", {"InstanceIds": [UNKNOWN["instance"]]}),
            ("terminate_instances", {"InstanceIds": [UNKNOWN["instance"]]}),
            ("modify_instance_attribute", {**one, "BlockDeviceMappings": mapping}),
            ("describe_instance_attribute", {**one, "Attribute": "disableApiTermination"}),
            ("get_launch_template_data", one),
            ("create_snapshots", {"InstanceSpecification": one}),
            ("create_image", {**one, "Name": "nobody"}),
            ("create_tags", {"Resources": [UNKNOWN["instance"]], "Tags": [TAG]}),
        ),
        "InvalidVolume.NotFound": (
            ("create_snapshot", {"VolumeId": UNKNOWN["volume"]}),
            ("detach_volume", {"VolumeId": UNKNOWN["volume"]}),
            ("delete_volume", {"VolumeId": UNKNOWN["volume"]}),
        ),
        "InvalidSnapshot.NotFound": (
            ("delete_snapshot", {"SnapshotId": UNKNOWN["snapshot"]}),
            ("copy_snapshot", {"SourceSnapshotId": UNKNOWN["snapshot"], "SourceRegion": region}),
            ("lock_snapshot", {"SnapshotId": UNKNOWN["snapshot"], "LockMode": "governance", "LockDuration": 1}),
        ),
        "InvalidNetworkInterfaceID.NotFound": (
            (
                "modify_network_interface_attribute",
                {"NetworkInterfaceId": UNKNOWN["interface"], "Attachment": change},
            ),
        ),
    }
    for code, calls in asked.items():
        for method, request in calls:
            assert aws.refused("ec2", method, **request) == code, method


def _dry(aws: Account) -> dict[str, dict[str, Any]]:
    """All calls of ours, as they would succeed."""
    node, first = aws.node(), interface(aws)
    held, free = a_snapshot(aws, node.volume_id), a_ready_volume(aws)
    attachment = {"AttachmentId": first["Attachment"]["AttachmentId"], "DeleteOnTermination": False}
    mapping = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}]
    one, tags = {"InstanceId": node.instance_id}, {"Resources": [free], "Tags": [TAG]}
    return {
        **{method: {} for method in LISTS},
        "create_snapshots": {"InstanceSpecification": one},
        "create_snapshot": {"VolumeId": free},
        "delete_snapshot": {"SnapshotId": held},
        "lock_snapshot": {"SnapshotId": held, "LockMode": "governance", "LockDuration": 1},
        "create_tags": tags,
        "delete_tags": tags,
        "create_volume": {"AvailabilityZone": zone(aws), "Size": 1},
        "attach_volume": {**one, "VolumeId": free, "Device": "/dev/sdh"},
        "detach_volume": {"VolumeId": node.volume_id},
        "delete_volume": {"VolumeId": free},
        "run_instances": a_request(aws),
        "stop_instances": {"InstanceIds": [node.instance_id]},
        "terminate_instances": {"InstanceIds": [node.instance_id]},
        "modify_instance_attribute": {**one, "BlockDeviceMappings": mapping},
        "describe_instance_attribute": {**one, "Attribute": "disableApiTermination"},
        "get_launch_template_data": one,
        "create_image": {**one, "Name": "dry"},
        "create_network_interface": {"SubnetId": first["SubnetId"]},
        "modify_network_interface_attribute": {
            "NetworkInterfaceId": first["NetworkInterfaceId"],
            "Attachment": attachment,
        },
    }


def _counts(aws: Account) -> list[int]:
    methods = [method for method in LISTS if method != "describe_images"]
    own = [len(getattr(ec2(aws), method)()[LISTS[method][0]]) for method in methods]
    return [*own, len(ec2(aws).describe_images(Owners=["self"])["Images"])]


@behaviour(
    "DryRun says of every call that is allowed that it would have succeeded, and changes nothing.",
    source=f"{CODES}, DryRunOperation",
    calls=(
        *(f"ec2.{action_of(method)}" for method in LISTS),
        *("ec2.CreateSnapshots", "ec2.CreateSnapshot", "ec2.DeleteSnapshot", "ec2.LockSnapshot", "ec2.CreateTags"),
        *("ec2.DeleteTags", "ec2.CreateVolume", "ec2.AttachVolume", "ec2.DetachVolume", "ec2.DeleteVolume"),
        *("ec2.RunInstances", "ec2.StopInstances", "ec2.TerminateInstances", "ec2.ModifyInstanceAttribute"),
        *("ec2.DescribeInstanceAttribute", "ec2.GetLaunchTemplateData", "ec2.CreateImage"),
        *("ec2.CreateNetworkInterface", "ec2.ModifyNetworkInterfaceAttribute"),
    ),
    hooks=(
        f"{EBS}describe_volumes",
        f"{EBS}describe_snapshots",
        f"{INSTANCES}describe_instance_status",
        f"{INSTANCES}describe_instance_attribute",
        "moto.ec2.responses.launch_templates:LaunchTemplates.get_launch_template_data",
    ),
)
def _dry_run(aws: Account) -> None:
    calls, before = _dry(aws), _counts(aws)
    for method, request in calls.items():
        assert aws.refused("ec2", method, **request, DryRun=True) == "DryRunOperation", method
    assert _counts(aws) == before
    node = aws.node()
    assert instance(aws)["State"]["Name"] == "running"
    assert volume(aws, node.volume_id)["Attachments"][0]["State"] == "attached"
    assert volume(aws, node.volume_id)["Attachments"][0]["DeleteOnTermination"] is False or aws.is_real


@behaviour(
    "For a moment after their making, volumes, snapshots and interfaces are unknown to other calls.",
    source="EC2 API reference, eventual consistency",
    calls=("ec2.DescribeVolumes", "ec2.DescribeSnapshots", "ec2.DescribeNetworkInterfaces"),
    hooks=(GATE,),
    sandbox_only="real ones may be known at once",
    pace=Pace(volume_invisible_s=1.0, snapshot_invisible_s=1.0, interface_invisible_s=1.0),
)
def _invisible(aws: Account) -> None:
    subnet = instance(aws)["SubnetId"]
    aws.node()

    def unknown(method: str, ids: str, made: str, code: str) -> None:
        assert aws.refused("ec2", method, **{ids: [made]}) == code
        listed = getattr(ec2(aws), method)()
        assert made not in str(listed)
        assert aws.eventually(lambda: aws.refused("ec2", method, **{ids: [made]}) == "")
        assert made in str(getattr(ec2(aws), method)())

    unknown("describe_volumes", "VolumeIds", a_volume(aws), "InvalidVolume.NotFound")
    held = ec2(aws).create_snapshot(VolumeId=aws.node().volume_id)["SnapshotId"]
    unknown("describe_snapshots", "SnapshotIds", held, "InvalidSnapshot.NotFound")
    made = ec2(aws).create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    unknown("describe_network_interfaces", "NetworkInterfaceIds", made, "InvalidNetworkInterfaceID.NotFound")


@behaviour(
    "Tags can be set twice, and are taken away only where they have the value that is named.",
    source="EC2 API reference, CreateTags and DeleteTags",
    calls=("ec2.CreateTags", "ec2.DeleteTags"),
)
def _tags(aws: Account) -> None:
    made, own = a_snapshot(aws), [{"Key": "k", "Value": "v"}]
    for _ in range(2):
        ec2(aws).create_tags(Resources=[made], Tags=own)
    ec2(aws).delete_tags(Resources=[made], Tags=[{"Key": "k", "Value": "other"}])
    assert snapshot(aws, made)["Tags"] == own
    for _ in range(2):
        ec2(aws).delete_tags(Resources=[made], Tags=own)
    assert not snapshot(aws, made).get("Tags")


class _Busy(dict[str, str]):
    """Tags that another thread changes whenever somebody looks."""

    def items(self) -> Any:  # noqa: ANN401  # dict's own
        raise ValueError("changed while it was looked at")


@behaviour(
    "Tags can be read while others are being set.",
    source="EC2 API reference, CreateTags",
    calls=("ec2.DescribeInstances",),
    hooks=("moto.ec2.models.core:TaggedEC2Resource.get_tags",),
    sandbox_only="it is about threads of this process",
)
def _undisturbed_tags(aws: Account) -> None:
    node, tags = aws.node(), aws.region.ec2.backend.tags
    tags["i-other"] = _Busy(Name="another")
    try:
        assert aws.region.ec2.instance(node.instance_id).get_tags()[0]["key"] == "Name"
    finally:
        del tags["i-other"]
