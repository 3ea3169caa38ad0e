"""Launch a node the way an operator would: through the public API alone."""

import ipaddress
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sandbox.dataplane.plane import TRUE_CLOCK, NodeClock

if TYPE_CHECKING:
    from sandbox.region.region import Region

ROOT_DEVICE = "/dev/sda1"
IMAGE_NAME = "aerokeep-sandbox-node"
PATIENCE_S = 60.0
POLL_S = 0.01


@dataclass(frozen=True, kw_only=True)
class VolumeSpec:
    """An EBS data volume to make and attach."""

    device: str
    size_gib: int = 8
    volume_type: str = "gp3"
    encrypted: bool = False
    kms_key_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """What was launched."""

    instance_id: str
    private_ip: str
    root_volume_id: str
    volumes: Mapping[str, str]
    """Device → volume id, data volumes only."""


@dataclass(frozen=True, kw_only=True)
class NodeSpec:
    """What to launch."""

    name: str
    private_ip: str
    volumes: Sequence[VolumeSpec] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    security_group: str | None = None
    """A name; the group is made in the subnet's VPC if it does not exist."""
    root_size_gib: int = 8
    instance_type: str = "m5.large"
    clock: NodeClock = TRUE_CLOCK


def launch(region: "Region", spec: NodeSpec) -> Node:
    """An instance that runs, with its private IP and its volumes attached."""
    ec2 = region.client("ec2")
    region.mirror.set_clock(spec.private_ip, spec.clock)
    tags = _tags({"Name": spec.name, **spec.tags})
    request: dict[str, Any] = {
        "ImageId": _image(ec2),
        "InstanceType": spec.instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": _subnet(ec2, spec.private_ip, region.region),
        "PrivateIpAddress": spec.private_ip,
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
        "BlockDeviceMappings": [
            {"DeviceName": ROOT_DEVICE, "Ebs": {"VolumeSize": spec.root_size_gib, "DeleteOnTermination": True}}
        ],
    }
    if spec.security_group:
        request["SecurityGroupIds"] = [_group(ec2, spec.security_group, request["SubnetId"])]
    if spec.profile:
        request["IamInstanceProfile"] = {"Name": _profile(region.client("iam"), spec.profile)}
    instance = ec2.run_instances(**request)["Instances"][0]
    instance_id = instance["InstanceId"]
    _until(lambda: _state(ec2, instance_id) == "running", f"{instance_id} does not run")
    volumes = {volume.device: _volume(ec2, volume, instance_id, region.region) for volume in spec.volumes}
    found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    mappings = {entry["DeviceName"]: entry["Ebs"]["VolumeId"] for entry in found["BlockDeviceMappings"]}
    ssm = region.client("ssm")
    _until(lambda: _agent_answers(ssm, instance_id), f"no agent of {instance_id} answers")
    return Node(instance_id, spec.private_ip, mappings[ROOT_DEVICE], volumes)


def find(region: "Region", private_ip: str) -> Node:
    """The instance that runs under an address now, as it is in this moment.

    Raises:
        LookupError: none does.

    """
    wanted = [
        {"Name": "private-ip-address", "Values": [private_ip]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    found = region.client("ec2").describe_instances(Filters=wanted)["Reservations"]
    if not found:
        raise LookupError(f"no instance runs under {private_ip}")
    instance = found[0]["Instances"][0]
    volumes = {entry["DeviceName"]: entry["Ebs"]["VolumeId"] for entry in instance["BlockDeviceMappings"]}
    root = volumes.pop(instance["RootDeviceName"])
    return Node(instance["InstanceId"], private_ip, root, volumes)


def _until(question: Callable[[], bool], otherwise: str) -> None:
    """Wait as an operator does.

    Raises:
        RuntimeError: it did not become so in time.

    """
    deadline = time.monotonic() + PATIENCE_S
    while not question():
        if time.monotonic() > deadline:
            raise RuntimeError(otherwise)
        time.sleep(POLL_S)


def _state(ec2: Any, instance_id: str) -> str:  # noqa: ANN401  # boto clients are made at run time
    found = ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [instance_id]}])["Reservations"]
    return str(found[0]["Instances"][0]["State"]["Name"]) if found else ""


def _agent_answers(ssm: Any, instance_id: str) -> bool:  # noqa: ANN401  # the same
    wanted = [{"Key": "InstanceIds", "Values": [instance_id]}]
    found = ssm.describe_instance_information(Filters=wanted)["InstanceInformationList"]
    return [entry["PingStatus"] for entry in found] == ["Online"]


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _image(ec2: Any) -> str:  # noqa: ANN401  # boto clients are made at run time
    found = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [IMAGE_NAME]}])["Images"]
    return str(found[0]["ImageId"] if found else ec2.register_image(Name=IMAGE_NAME)["ImageId"])


def _subnet(ec2: Any, private_ip: str, region: str) -> str:  # noqa: ANN401  # the same
    address = ipaddress.ip_address(private_ip)
    for subnet in ec2.describe_subnets()["Subnets"]:
        if address in ipaddress.ip_network(subnet["CidrBlock"]):
            return str(subnet["SubnetId"])
    block = str(ipaddress.ip_network(f"{private_ip}/16", strict=False))
    vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]
    made = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=block, AvailabilityZone=f"{region}a")["Subnet"]
    return str(made["SubnetId"])


def _group(ec2: Any, name: str, subnet_id: str) -> str:  # noqa: ANN401  # the same
    vpc_id = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]["VpcId"]
    wanted = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc_id]}]
    found = ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
    made = found[0] if found else ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc_id)
    return str(made["GroupId"])


def _profile(iam: Any, name: str) -> str:  # noqa: ANN401  # the same
    try:
        iam.get_instance_profile(InstanceProfileName=name)
    except ClientError:
        statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_instance_profile(InstanceProfileName=name)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return name


def _volume(ec2: Any, spec: VolumeSpec, instance_id: str, region: str) -> str:  # noqa: ANN401  # the same
    request: dict[str, Any] = {
        "AvailabilityZone": f"{region}a",
        "Size": spec.size_gib,
        "VolumeType": spec.volume_type,
        "Encrypted": spec.encrypted,
    }
    if spec.kms_key_id:
        request["KmsKeyId"] = spec.kms_key_id
    if spec.tags:
        request["TagSpecifications"] = [{"ResourceType": "volume", "Tags": _tags(spec.tags)}]
    volume_id = str(ec2.create_volume(**request)["VolumeId"])

    def described() -> dict[str, Any]:
        found: list[dict[str, Any]] = ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [volume_id]}])[
            "Volumes"
        ]
        return found[0] if found else {}

    _until(lambda: described().get("State") == "available", f"{volume_id} does not become available")
    ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device=spec.device)
    _until(lambda: described()["Attachments"][0]["State"] == "attached", f"{volume_id} does not get attached")
    return volume_id
