"""What rows about EC2 and EBS make and look at, through the public API alone."""

from typing import Any

from tests.contract.account import TAG, Account

SECOND_DEVICE = "/dev/sdg"
UNKNOWN = {
    "instance": "i-0123456789abcdef0",
    "volume": "vol-0123456789abcdef0",
    "snapshot": "snap-0123456789abcdef0",
    "interface": "eni-0123456789abcdef0",
    "image": "ami-0123456789abcdef0",
}
INSTANCES = "moto.ec2.responses.instances:InstanceResponse."
EBS = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
ENIS = "moto.ec2.responses.elastic_network_interfaces:ElasticNetworkInterfaces."
AMIS = "moto.ec2.responses.amis:AmisResponse."
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
"""Method that lists → its key, its parameter of ids, what it lists, and its hook."""


def ec2(aws: Account) -> Any:  # noqa: ANN401  # boto3 makes its clients at run time
    """The client that rows ask most."""
    return aws.client("ec2")


def instance(aws: Account, instance_id: str = "") -> dict[str, Any]:
    """What DescribeInstances says of one; of the row's node if none is named."""
    wanted = instance_id or aws.node().instance_id
    found: dict[str, Any] = ec2(aws).describe_instances(InstanceIds=[wanted])["Reservations"][0]["Instances"][0]
    return found


def is_in(aws: Account, instance_id: str, state: str) -> bool:
    """An instance has come to a state, within patience."""
    return aws.eventually(lambda: bool(instance(aws, instance_id)["State"]["Name"] == state))


def interface(aws: Account) -> dict[str, Any]:
    """The first interface of the row's node."""
    eni_id = instance(aws)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    found: dict[str, Any] = ec2(aws).describe_network_interfaces(NetworkInterfaceIds=[eni_id])["NetworkInterfaces"][0]
    return found


def a_interface(aws: Account, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """A new interface beside the node's."""
    given = {"SubnetId": instance(aws)["SubnetId"], **request}
    made = str(ec2(aws).create_network_interface(**given)["NetworkInterface"]["NetworkInterfaceId"])
    _put_away(aws, "delete_network_interface", NetworkInterfaceId=made)
    return made


def volume(aws: Account, volume_id: str) -> dict[str, Any]:
    """What DescribeVolumes says of one."""
    found: dict[str, Any] = ec2(aws).describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    return found


def zone(aws: Account) -> str:
    """The zone of the row's node."""
    return str(instance(aws)["Placement"]["AvailabilityZone"])


def a_volume(aws: Account, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """A new volume, in whatever state."""
    given = {"AvailabilityZone": zone(aws), **({} if "SnapshotId" in request else {"Size": 1}), **request}
    made = str(ec2(aws).create_volume(**given)["VolumeId"])
    _put_away(aws, "delete_volume", VolumeId=made)
    return made


def a_ready_volume(aws: Account, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """A new volume that is available."""
    made = a_volume(aws, **request)
    assert aws.eventually(lambda: bool(volume(aws, made)["State"] == "available"))
    return made


def snapshot(aws: Account, snapshot_id: str) -> dict[str, Any]:
    """What DescribeSnapshots says of one."""
    found: dict[str, Any] = ec2(aws).describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    return found


def a_snapshot(aws: Account, volume_id: str = "", **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """A new snapshot, pending; of a new volume if none is named."""
    made = str(ec2(aws).create_snapshot(VolumeId=volume_id or a_ready_volume(aws), **request)["SnapshotId"])
    _put_away(aws, "delete_snapshot", SnapshotId=made)
    return made


def a_completed_snapshot(aws: Account, volume_id: str = "", **request: Any) -> str:  # noqa: ANN401  # the same
    """A new snapshot that is completed."""
    made = a_snapshot(aws, volume_id, **request)
    assert aws.eventually(lambda: bool(snapshot(aws, made)["State"] == "completed"))
    return made


def a_set(aws: Account, **request: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # the same
    """A new set of snapshots of the row's node; `request` has fields of CreateSnapshots and of its specification."""
    fields = ("ExcludeBootVolume", "ExcludeDataVolumeIds")
    of_instance = {name: value for name, value in request.items() if name in fields}
    rest = {name: value for name, value in request.items() if name not in fields}
    specification = {"InstanceId": aws.node().instance_id, **of_instance}
    made: list[dict[str, Any]] = ec2(aws).create_snapshots(InstanceSpecification=specification, **rest)["Snapshots"]
    for entry in made:
        _put_away(aws, "delete_snapshot", SnapshotId=entry["SnapshotId"])
    return made


def image_id(aws: Account) -> str:
    """The image that the row's node was launched from."""
    return str(instance(aws)["ImageId"])


def a_request(aws: Account, **request: Any) -> dict[str, Any]:  # noqa: ANN401  # a request's own fields
    """A launch beside the node; a field given as None is left out."""
    one = {"ImageId": image_id(aws), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    tags = [{"ResourceType": "instance", "Tags": [TAG]}]
    given = {**one, "SubnetId": instance(aws)["SubnetId"], "TagSpecifications": tags, **request}
    return {name: value for name, value in given.items() if value is not None}


def a_launch(aws: Account, **request: Any) -> dict[str, Any]:  # noqa: ANN401  # a request's own fields
    """RunInstances of one instance; → what it answers about it."""
    made: dict[str, Any] = ec2(aws).run_instances(**a_request(aws, **request))["Instances"][0]
    _put_away(aws, "terminate_instances", InstanceIds=[made["InstanceId"]])
    return made


def a_running_instance(aws: Account, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """An instance beside the node."""
    made = str(a_launch(aws, **request)["InstanceId"])
    assert is_in(aws, made, "running")
    return made


def a_key(aws: Account, *, enabled: bool = True) -> str:
    """A new KMS key's ARN."""
    kms = aws.client("kms")
    made = kms.create_key()["KeyMetadata"]
    if aws.is_real:
        aws.later(lambda: kms.schedule_key_deletion(KeyId=made["KeyId"], PendingWindowInDays=7))
    if not enabled:
        kms.disable_key(KeyId=made["KeyId"])
    return str(made["Arn"])


def _put_away(aws: Account, action: str, **request: Any) -> None:  # noqa: ANN401  # the same
    """In a real account; the sandbox's is gone with the row."""
    if aws.is_real:
        aws.later(lambda: aws.refused("ec2", action, **request))


def attachment_of(aws: Account, volume_id: str) -> dict[str, Any]:
    """A volume's attachment; empty where it has none."""
    return dict((volume(aws, volume_id)["Attachments"] or [{}])[0])


def attach_request(aws: Account, volume_id: str, device: str = SECOND_DEVICE) -> dict[str, Any]:
    """To attach a volume to the row's node."""
    return {"VolumeId": volume_id, "InstanceId": aws.node().instance_id, "Device": device}


def action_of(method: str) -> str:
    """The API's name of a method that lists."""
    return PLURALS.get(method) or "".join(word.capitalize() for word in method.split("_"))
