"""Which resources EC2 asks IAM about, call by call (Service Authorization Reference, *Amazon EC2*)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.permissions.requests import Ask, Params, Rule, asked, of_request, of_resource, specified
from tests.permissions.world import World

DESCRIPTIONS = (
    "DescribeImages",
    "DescribeInstanceStatus",
    "DescribeInstances",
    "DescribeLockedSnapshots",
    "DescribeNetworkInterfaces",
    "DescribeSnapshots",
    "DescribeVolumes",
)
COMPLETING = ("DescribeVolumes", "DescribeInstanceCreditSpecifications", "DescribeSpotInstanceRequests")
"""What GetLaunchTemplateData asks in the caller's name, beside DescribeInstanceAttribute."""
KINDS = {"i": "instance", "vol": "volume", "snap": "snapshot", "ami": "image", "eni": "network-interface"}
NEW = "new"
"""The id of what a call makes; nobody can know it before."""


def look(action: str) -> Rule:
    """A list, which has no resource in IAM."""

    def rule(_world: World, _params: Params) -> Iterator[Ask]:
        yield asked(f"ec2:{action}")

    return rule


def on(world: World, action: str, resource_id: str, context: Mapping[str, Any] | None = None) -> Ask:
    """An action on a resource that exists, whose tags count."""
    kind = KINDS[resource_id.partition("-")[0]]
    return asked(
        f"ec2:{action}", world.ec2(kind, resource_id), {**of_resource(world.tags(resource_id)), **(context or {})}
    )


def make(world: World, action: str, kind: str, tags: Mapping[str, str], **context: str) -> Iterator[Ask]:
    """A resource is made, and tagged in the same call."""
    arn = world.ec2(kind, f"{kind}-{NEW}")
    yield asked(f"ec2:{action}", arn, {**of_request(tags), **context})
    if tags:
        yield asked("ec2:CreateTags", arn, {**of_request(tags), "ec2:CreateAction": action})


def get_launch_template_data(world: World, params: Params) -> Iterator[Ask]:
    """The instance, and what completes its definition."""
    yield on(world, "GetLaunchTemplateData", params["InstanceId"])
    yield on(world, "DescribeInstanceAttribute", params["InstanceId"])
    yield from (asked(f"ec2:{action}") for action in COMPLETING)


def one_instance(action: str) -> Rule:
    """Acts on a single instance."""

    def rule(world: World, params: Params) -> Iterator[Ask]:
        yield on(world, action, params["InstanceId"])

    return rule


def instances(action: str) -> Rule:
    """Acts on several instances."""

    def rule(world: World, params: Params) -> Iterator[Ask]:
        yield from (on(world, action, instance_id) for instance_id in params["InstanceIds"])

    return rule


def modify_instance_attribute(world: World, params: Params) -> Iterator[Ask]:
    """The instance, and the volumes that its block device mappings name."""
    instance_id = params["InstanceId"]
    yield on(world, "ModifyInstanceAttribute", instance_id)
    held = world.volumes_at(instance_id)
    for mapping in params.get("BlockDeviceMappings") or ():
        if (volume_id := held.get(mapping["DeviceName"])) is not None:
            yield on(world, "ModifyInstanceAttribute", volume_id)


def modify_network_interface_attribute(world: World, params: Params) -> Iterator[Ask]:
    """The interface, and the instance of its attachment."""
    interface_id = params["NetworkInterfaceId"]
    yield on(world, "ModifyNetworkInterfaceAttribute", interface_id)
    interface = world.interface(interface_id)
    if params.get("Attachment") and interface is not None and interface.instance is not None:
        yield on(world, "ModifyNetworkInterfaceAttribute", interface.instance.id)


def create_image(world: World, params: Params) -> Iterator[Ask]:
    """The instance, the image, its snapshots."""
    yield on(world, "CreateImage", params["InstanceId"])
    for kind in ("image", "snapshot"):
        yield from make(world, "CreateImage", kind, specified(params, kind))


def create_snapshots(world: World, params: Params) -> Iterator[Ask]:
    """The instance, each volume that is not left out, the snapshots."""
    wanted = params["InstanceSpecification"]
    instance_id = wanted["InstanceId"]
    yield on(world, "CreateSnapshots", instance_id)
    left_out = set(wanted.get("ExcludeDataVolumeIds") or ())
    if wanted.get("ExcludeBootVolume"):
        left_out.add(world.volumes_at(instance_id).get(world.root_device(instance_id), ""))
    cut = set(world.volumes_at(instance_id).values()) - left_out
    yield from (on(world, "CreateSnapshots", volume_id) for volume_id in sorted(cut))
    yield from make(world, "CreateSnapshots", "snapshot", specified(params, "snapshot"))


def delete(action: str, parameter: str) -> Rule:
    """What is deleted."""

    def rule(world: World, params: Params) -> Iterator[Ask]:
        yield on(world, action, params[parameter])

    return rule


def tagging(action: str) -> Rule:
    """Each resource, with the tags that it has and the tags that are put or taken."""

    def rule(world: World, params: Params) -> Iterator[Ask]:
        tags = {str(tag["Key"]): str(tag.get("Value", "")) for tag in params["Tags"]}
        yield from (on(world, action, resource_id, of_request(tags)) for resource_id in params["Resources"])

    return rule


def create_volume(world: World, params: Params) -> Iterator[Ask]:
    """The volume, the snapshot that it is made of, the key."""
    yield from make(world, "CreateVolume", "volume", specified(params, "volume"))
    key = params.get("KmsKeyId")
    if snapshot_id := params.get("SnapshotId"):
        yield on(world, "CreateVolume", snapshot_id)
        key = key or world.key_of(snapshot_id)
    yield from world.ebs_key(key)


def attach_volume(world: World, params: Params) -> Iterator[Ask]:
    """Both ends; and the key, which the instance is granted in the caller's name."""
    yield on(world, "AttachVolume", params["InstanceId"])
    yield on(world, "AttachVolume", params["VolumeId"])
    yield from world.ebs_key(world.key_of(params["VolumeId"]))


def detach_volume(world: World, params: Params) -> Iterator[Ask]:
    """Both ends, also where the call names only the volume."""
    yield on(world, "DetachVolume", params["VolumeId"])
    if (instance_id := params.get("InstanceId") or world.place_of(params["VolumeId"])) is not None:
        yield on(world, "DetachVolume", instance_id)


def create_network_interface(world: World, params: Params) -> Iterator[Ask]:
    """The interface, its subnet, its groups."""
    yield from make(world, "CreateNetworkInterface", "network-interface", specified(params, "network-interface"))
    yield from around(world, "CreateNetworkInterface", params["SubnetId"], params.get("Groups") or ())


def around(world: World, action: str, subnet_id: str, groups: Iterable[str]) -> Iterator[Ask]:
    """The network that something is put into."""
    for kind, resource_id in (("subnet", subnet_id), *(("security-group", group) for group in groups)):
        yield asked(f"ec2:{action}", world.ec2(kind, resource_id), of_resource(world.tags(resource_id)))


EC2: Mapping[str, Rule] = {
    **{action: look(action) for action in DESCRIPTIONS},
    "GetLaunchTemplateData": get_launch_template_data,
    "DescribeInstanceAttribute": one_instance("DescribeInstanceAttribute"),
    "ModifyInstanceAttribute": modify_instance_attribute,
    "ModifyNetworkInterfaceAttribute": modify_network_interface_attribute,
    "CreateImage": create_image,
    "CreateSnapshots": create_snapshots,
    "DeleteSnapshot": delete("DeleteSnapshot", "SnapshotId"),
    "DeleteVolume": delete("DeleteVolume", "VolumeId"),
    "DeleteNetworkInterface": delete("DeleteNetworkInterface", "NetworkInterfaceId"),
    "CreateTags": tagging("CreateTags"),
    "DeleteTags": tagging("DeleteTags"),
    "CreateVolume": create_volume,
    "AttachVolume": attach_volume,
    "DetachVolume": detach_volume,
    "CreateNetworkInterface": create_network_interface,
    "StopInstances": instances("StopInstances"),
    "TerminateInstances": instances("TerminateInstances"),
}
