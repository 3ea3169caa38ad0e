"""What all calls of EC2 have in common: ids, DryRun, pages, tags."""

from typing import Any

from sandbox.region import Pace
from tests.contract.account import TAG, Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import (
    UNKNOWN,
    a_interface,
    a_ready_volume,
    a_request,
    a_running_instance,
    a_snapshot,
    a_volume,
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
ENIS = "moto.ec2.responses.elastic_network_interfaces:ElasticNetworkInterfaces."
AMIS = "moto.ec2.responses.amis:AmisResponse."
CODES = "EC2 API error codes"
PAGES = "EC2 API reference, pagination"
LISTS = {
    "describe_instances": ("Reservations", "InstanceIds", "instance", f"{INSTANCES}describe_instances"),
    "describe_instance_status": (
        "InstanceStatuses",
        "InstanceIds",
        "instance",
        f"{INSTANCES}describe_instance_status",
    ),
    "describe_volumes": ("Volumes", "VolumeIds", "volume", f"{EBS}describe_volumes"),
    "describe_volume_status": ("VolumeStatuses", "VolumeIds", "volume", f"{EBS}describe_volume_status"),
    "describe_snapshots": ("Snapshots", "SnapshotIds", "snapshot", f"{EBS}describe_snapshots"),
    "describe_network_interfaces": (
        "NetworkInterfaces",
        "NetworkInterfaceIds",
        "interface",
        f"{ENIS}describe_network_interfaces",
    ),
    "describe_images": ("Images", "ImageIds", "image", f"{AMIS}describe_images"),
}
PLURALS = {"describe_instance_status": "DescribeInstanceStatus", "describe_volume_status": "DescribeVolumeStatus"}


def _action(method: str) -> str:
    return PLURALS.get(method) or "".join(word.capitalize() for word in method.split("_"))


@behaviour(
    "An id that nothing has is told apart from one that nothing can have.",
    source=CODES,
    calls=tuple(f"ec2.{_action(method)}" for method in LISTS),
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
        *(f"ec2.{_action(method)}" for method in LISTS),
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


def _make_six(aws: Account, method: str) -> None:
    """At least six of what a call lists."""
    aws.node()
    for _ in range(5):
        match LISTS[method][2]:
            case "instance":
                a_running_instance(aws)
            case "volume":
                a_volume(aws)
            case "snapshot":
                a_snapshot(aws)
            case "interface":
                a_interface(aws)
    if method == "describe_snapshots":
        a_snapshot(aws)


def _paged(method: str) -> None:
    key, ids, kind, hook = LISTS[method]

    def check(aws: Account) -> None:
        _make_six(aws, method)
        call = getattr(ec2(aws), method)
        owners = {"OwnerIds": ["self"]} if kind == "snapshot" else {}
        first = call(MaxResults=5, **owners)
        assert len(first[key]) == 5
        second = call(MaxResults=5, NextToken=first["NextToken"], **owners)
        assert len(second[key]) >= 1
        assert not [entry for entry in second[key] if entry in first[key]]
        both = {ids: [UNKNOWN[kind]], "MaxResults": 5}
        assert aws.refused("ec2", method, **both) == "InvalidParameterCombination"
        if kind != "interface":  # its least number is in the model: boto3 itself refuses less
            assert aws.refused("ec2", method, MaxResults=4) == "InvalidParameterValue"

    behaviour(
        f"{_action(method)} answers in pages of five or more, and not to ids at the same time.",
        source=f"{PAGES}; {CODES}, InvalidParameterCombination",
        calls=(f"ec2.{_action(method)}",),
        hooks=(hook,),
    )(check)


for listing in LISTS:
    if listing != "describe_images":
        _paged(listing)


@behaviour(
    "DescribeImages answers in pages.",
    source=PAGES,
    calls=("ec2.DescribeImages",),
    hooks=(f"{AMIS}describe_images",),
    sandbox_only="six images take long",
)
def _image_pages(aws: Account) -> None:
    for number in range(5):
        ec2(aws).create_image(InstanceId=aws.node().instance_id, Name=f"image-{number}", NoReboot=True)
    pages = list(ec2(aws).get_paginator("describe_images").paginate(Owners=["self"], PaginationConfig={"PageSize": 5}))
    assert [len(page["Images"]) for page in pages] == [5, 1]


@behaviour(
    "A page goes on where the last one ended, also when something has gone meanwhile.",
    source=f"{PAGES}; assumed: what is deleted between two pages is left out of the second",
    calls=("ec2.DescribeVolumes", "ec2.DeleteVolume"),
    hooks=(f"{EBS}describe_volumes",),
    sandbox_only="an account may have other volumes",
)
def _steady_pages(aws: Account) -> None:
    aws.node()
    made = [a_ready_volume(aws) for _ in range(6)]
    first = ec2(aws).describe_volumes(MaxResults=5)
    seen = [entry["VolumeId"] for entry in first["Volumes"]]
    ec2(aws).delete_volume(VolumeId=next(one for one in made if one in seen))
    second = ec2(aws).describe_volumes(MaxResults=5, NextToken=first["NextToken"])
    assert set(made) <= {*seen, *(entry["VolumeId"] for entry in second["Volumes"])}


@behaviour(
    "A token that was never given out leads nowhere.",
    source=f"{PAGES}; assumed: the code",
    calls=("ec2.DescribeVolumes",),
    hooks=(f"{EBS}describe_volumes",),
)
def _wrong_token(aws: Account) -> None:
    assert aws.refused("ec2", "describe_volumes", MaxResults=5, NextToken="none") == "InvalidParameterValue"


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
