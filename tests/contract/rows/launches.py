"""RunInstances and images."""

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import (
    SECOND_DEVICE,
    UNKNOWN,
    a_completed_snapshot,
    a_interface,
    a_key,
    a_launch,
    a_request,
    a_running_instance,
    ec2,
    image_id,
    instance,
    interface,
    is_in,
    snapshot,
    volume,
)

INSTANCE = "moto.ec2.models.instances:Instance."
BACKEND = "moto.ec2.models.instances:InstanceBackend."
RESPONSES = "moto.ec2.responses.instances:InstanceResponse."
AMIS = "moto.ec2.responses.amis:AmisResponse."
RUN, RUNS = (f"{RESPONSES}run_instances",), ("ec2.RunInstances",)
REFERENCE = "EC2 API reference, RunInstances; EC2 API error codes"


def _refused(aws: Account, **request: object) -> str:
    return aws.refused("ec2", "run_instances", **a_request(aws, **request))


@behaviour(
    "An instance is launched from an image that exists, with a key pair that exists.",
    source=REFERENCE,
    calls=RUNS,
    hooks=RUN,
)
def _unknown(aws: Account) -> None:
    assert _refused(aws, ImageId=UNKNOWN["image"]) == "InvalidAMIID.NotFound"
    assert _refused(aws, ImageId="ami-none") == "InvalidAMIID.Malformed"
    assert _refused(aws, KeyName="no-such-pair") == "InvalidKeyPair.NotFound"
    assert _refused(aws, SubnetId="subnet-0123456789abcdef0") == "InvalidSubnetID.NotFound"


@behaviour(
    "A ClientToken launches once; the same token with another request is refused.",
    source="EC2 API reference, idempotency",
    calls=RUNS,
    hooks=RUN,
)
def _token(aws: Account) -> None:
    token = f"token-{aws.node().instance_id}"
    first, second = (a_launch(aws, ClientToken=token)["InstanceId"] for _ in range(2))
    assert first == second
    assert _refused(aws, ClientToken=token, InstanceType="t3.small") == "IdempotentParameterMismatch"


@behaviour(
    "Beside an interface that is given, neither subnet nor groups nor address can be named for the instance.",
    source=REFERENCE,
    calls=RUNS,
    hooks=RUN,
)
def _beside_interfaces(aws: Account) -> None:
    specs = [{"DeviceIndex": 0, "NetworkInterfaceId": a_interface(aws)}]
    assert _refused(aws, NetworkInterfaces=specs) == "InvalidParameterCombination"
    doomed = [{**specs[0], "DeleteOnTermination": True}]
    assert _refused(aws, NetworkInterfaces=doomed, SubnetId=None) == "InvalidParameterCombination"


@behaviour(
    "An interface that is in use, or does not exist, cannot be given to a launch.",
    source=REFERENCE,
    calls=RUNS,
    hooks=RUN,
)
def _interface_in_use(aws: Account) -> None:
    for eni_id, code in (
        (interface(aws)["NetworkInterfaceId"], "InvalidNetworkInterface.InUse"),
        (UNKNOWN["interface"], "InvalidNetworkInterfaceID.NotFound"),
    ):
        specs = [{"DeviceIndex": 0, "NetworkInterfaceId": eni_id}]
        assert _refused(aws, NetworkInterfaces=specs, SubnetId=None) == code


@behaviour(
    "An instance that is launched with an interface has its address, subnet, zone and groups, and leaves it behind.",
    source="EC2 user guide, network interfaces",
    calls=(*RUNS, "ec2.DescribeNetworkInterfaces"),
    hooks=(f"{INSTANCE}prep_nics",),
)
def _with_interface(aws: Account) -> None:
    eni_id = a_interface(aws)
    specs = [{"DeviceIndex": 0, "NetworkInterfaceId": eni_id}]
    made = a_running_instance(aws, NetworkInterfaces=specs, SubnetId=None)
    found = ec2(aws).describe_network_interfaces(NetworkInterfaceIds=[eni_id])["NetworkInterfaces"][0]
    told = instance(aws, made)
    assert told["PrivateIpAddress"] == found["PrivateIpAddress"]
    assert told["Placement"]["AvailabilityZone"] == found["AvailabilityZone"]
    assert [entry["GroupId"] for entry in told["SecurityGroups"]] == [entry["GroupId"] for entry in found["Groups"]]
    assert found["Attachment"]["DeleteOnTermination"] is False


@behaviour(
    "An interface that a launch makes goes with the instance.",
    source="EC2 API reference, InstanceNetworkInterfaceSpecification (DeleteOnTermination)",
    calls=RUNS,
    hooks=(f"{INSTANCE}prep_nics",),
)
def _own_interface(aws: Account) -> None:
    made = a_running_instance(aws)
    assert instance(aws, made)["NetworkInterfaces"][0]["Attachment"]["DeleteOnTermination"] is True


@behaviour(
    "A launched instance has the image's volumes and no others, and changes of the request are laid over them.",
    source="EC2 API reference, RunInstances (BlockDeviceMappings)",
    calls=RUNS,
    hooks=(f"{RESPONSES}_parse_block_device_mapping", f"{BACKEND}run_instances"),
)
def _volumes(aws: Account) -> None:
    root = instance(aws)["RootDeviceName"]
    plain = {"DeviceName": root, "Ebs": {"VolumeType": "gp3"}}
    quick = {
        "DeviceName": SECOND_DEVICE,
        "Ebs": {"VolumeType": "gp3", "VolumeSize": 8, "Iops": 4000, "Throughput": 250},
    }
    made = a_running_instance(aws, BlockDeviceMappings=[plain, quick])
    filters = [{"Name": "attachment.instance-id", "Values": [made]}]
    found = {v["Attachments"][0]["Device"]: v for v in ec2(aws).describe_volumes(Filters=filters)["Volumes"]}
    assert set(found) == {root, SECOND_DEVICE}
    assert (found[SECOND_DEVICE]["Iops"], found[SECOND_DEVICE]["Throughput"]) == (4000, 250)
    assert found[root]["VolumeType"] == "gp3"


@behaviour(
    "A launch that names no volumes has the image's, once.",
    source="EC2 API reference, RunInstances (BlockDeviceMappings)",
    calls=RUNS,
    hooks=(f"{INSTANCE}setup_defaults",),
)
def _one_root(aws: Account) -> None:
    filters = [{"Name": "attachment.instance-id", "Values": [a_running_instance(aws)]}]
    assert len(ec2(aws).describe_volumes(Filters=filters)["Volumes"]) == 1


@behaviour(
    "A launch can make data volumes from snapshots at a provisioned rate, which is bound as for CreateVolume.",
    source="EBS user guide, initialize volumes; EC2 API reference, EbsBlockDevice",
    calls=RUNS,
    hooks=RUN,
)
def _provisioned_rate(aws: Account) -> None:
    source = a_completed_snapshot(aws)

    def mapping(rate: int) -> list[dict[str, object]]:
        ebs = {"SnapshotId": source, "VolumeInitializationRate": rate}
        return [{"DeviceName": SECOND_DEVICE, "Ebs": ebs}]

    assert _refused(aws, BlockDeviceMappings=mapping(400)) == "InvalidParameterValue"
    made = a_running_instance(aws, BlockDeviceMappings=mapping(300))
    blocks = {entry["DeviceName"]: entry["Ebs"]["VolumeId"] for entry in instance(aws, made)["BlockDeviceMappings"]}
    assert volume(aws, blocks[SECOND_DEVICE])["VolumeInitializationRate"] == 300


@behaviour(
    "A launch with a volume whose key cannot be used is begun, and terminated with Client.InternalError.",
    source="EC2 user guide, troubleshoot launch (instance terminates immediately)",
    calls=RUNS,
    hooks=(f"{BACKEND}run_instances",),
)
def _without_key(aws: Account) -> None:
    ebs = {"VolumeSize": 1, "Encrypted": True, "KmsKeyId": a_key(aws, enabled=False)}
    made = a_launch(aws, BlockDeviceMappings=[{"DeviceName": SECOND_DEVICE, "Ebs": ebs}])
    assert made["State"]["Name"] == "pending"
    assert is_in(aws, made["InstanceId"], "terminated")
    assert instance(aws, made["InstanceId"])["StateReason"]["Code"] == "Client.InternalError"


@behaviour(
    "A zone without hardware of a type refuses a launch, with a server's error.",
    source="EC2 API error codes, InsufficientInstanceCapacity",
    calls=RUNS,
    hooks=RUN,
    sandbox_only="hardware runs out when it likes",
)
def _no_capacity(aws: Account) -> None:
    zone = instance(aws)["Placement"]["AvailabilityZone"]
    aws.region.ec2.run_short("t3.micro", zone)
    assert _refused(aws) == "InsufficientInstanceCapacity"
    aws.region.ec2.stock_up("t3.micro", zone)
    assert _refused(aws) == ""


@behaviour(
    "An image is pending first, holds what the instance's volumes held, and keeps its name for itself.",
    source="EC2 API reference, CreateImage; EC2 API error codes, InvalidAMIName.Duplicate",
    calls=("ec2.CreateImage", "ec2.DescribeImages"),
    hooks=(f"{AMIS}create_image",),
)
def _image(aws: Account) -> None:
    node, root = aws.node(), instance(aws)["RootDeviceName"]
    name = f"contract-{node.instance_id}"
    without = [{"DeviceName": "/dev/sdf", "NoDevice": ""}]
    request = {"InstanceId": node.instance_id, "Name": name, "NoReboot": True, "BlockDeviceMappings": without}
    with aws.lingering("pending"):
        made = ec2(aws).create_image(**request)["ImageId"]
        assert aws.refused("ec2", "create_image", **request) == "InvalidAMIName.Duplicate"
        found = ec2(aws).describe_images(ImageIds=[made])["Images"][0]
        assert found["State"] == "pending"
        assert _refused(aws, ImageId=made) == "InvalidAMIID.Unavailable"
    if aws.is_real:
        aws.later(lambda: ec2(aws).deregister_image(ImageId=made))
    assert aws.eventually(lambda: bool(ec2(aws).describe_images(ImageIds=[made])["Images"][0]["State"] == "available"))
    blocks = {entry["DeviceName"]: entry["Ebs"] for entry in found["BlockDeviceMappings"] if "Ebs" in entry}
    assert set(blocks) == {root}
    assert snapshot(aws, blocks[root]["SnapshotId"])["VolumeId"] == node.root_volume_id


@behaviour(
    "An image is available no sooner than the snapshots that it names are completed.",
    source="AWS knowledge center, ebs-snapshot-ec2-ami-creation-slow",
    calls=("ec2.CreateImage", "ec2.DescribeImages"),
    hooks=(f"{AMIS}create_image",),
    pace=Pace(image_pending_s=0.0, snapshot_pending_s=1.0),
)
def _image_waits(aws: Account) -> None:
    node = aws.node()
    name = f"contract-waits-{node.instance_id}"
    made = ec2(aws).create_image(InstanceId=node.instance_id, Name=name, NoReboot=True)["ImageId"]
    if aws.is_real:
        aws.later(lambda: ec2(aws).deregister_image(ImageId=made))
    (found,) = ec2(aws).describe_images(ImageIds=[made])["Images"]
    assert found["State"] == "pending"
    assert aws.eventually(lambda: bool(ec2(aws).describe_images(ImageIds=[made])["Images"][0]["State"] == "available"))
    states = [snapshot(aws, entry["Ebs"]["SnapshotId"])["State"] for entry in found["BlockDeviceMappings"]]
    assert set(states) == {"completed"}


@behaviour(
    "An image tells the size of the volumes that it makes.",
    source="EC2 API reference, DescribeImages",
    calls=("ec2.DescribeImages",),
    hooks=("moto.ec2.models.amis:Ami.block_device_mappings",),
)
def _image_size(aws: Account) -> None:
    blocks = ec2(aws).describe_images(ImageIds=[image_id(aws)])["Images"][0]["BlockDeviceMappings"]
    assert volume(aws, aws.node().root_volume_id)["Size"] == blocks[0]["Ebs"]["VolumeSize"]


@behaviour(
    "Images are found by id, name and tag.",
    source="EC2 API reference, DescribeImages",
    calls=("ec2.DescribeImages",),
    pace=Pace(image_pending_s=0.0),
)
def _image_filters(aws: Account) -> None:
    node = aws.node()
    tags = [{"ResourceType": "image", "Tags": [{"Key": "k", "Value": node.volume_id}]}]
    name = f"contract-tags-{node.instance_id}"
    request = {"InstanceId": node.instance_id, "Name": name, "NoReboot": True, "TagSpecifications": tags}
    made = ec2(aws).create_image(**request)["ImageId"]
    if aws.is_real:
        aws.later(lambda: ec2(aws).deregister_image(ImageId=made))
    for filter_name, value in (("image-id", made), ("name", name), ("tag:k", node.volume_id)):
        found = ec2(aws).describe_images(Owners=["self"], Filters=[{"Name": filter_name, "Values": [value]}])["Images"]
        assert [entry["ImageId"] for entry in found] == [made], filter_name
