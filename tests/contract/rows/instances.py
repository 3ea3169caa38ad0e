"""EC2 instances: power, attributes, and what is left of a terminated one."""

import time
from typing import Any

from sandbox.region import Pace
from tests.contract.account import DEVICE, Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import a_running_instance, ec2, instance, is_in, volume

INSTANCE = "moto.ec2.models.instances:Instance."
BACKEND = "moto.ec2.models.instances:InstanceBackend."
RESPONSES = "moto.ec2.responses.instances:InstanceResponse."
TEMPLATES = "moto.ec2.responses.launch_templates:LaunchTemplates."
LIFE = "EC2 user guide, instance lifecycle; EC2 API error codes"
HARDWARE = "hardware fails when it likes"


def _state(aws: Account, instance_id: str) -> str:
    return str(instance(aws, instance_id)["State"]["Name"])


def _gone(aws: Account) -> str:
    """An instance that has been terminated."""
    made = a_running_instance(aws)
    ec2(aws).terminate_instances(InstanceIds=[made])
    assert is_in(aws, made, "terminated")
    return made


@behaviour(
    "An instance that is stopped is stopping first, and tells both states; one that is started is pending.",
    source=LIFE,
    calls=("ec2.StopInstances", "ec2.DescribeInstances"),
    hooks=(f"{RESPONSES}stop_instances", f"{RESPONSES}start_instances"),
)
def _stopping(aws: Account) -> None:
    node = aws.node().instance_id
    with aws.lingering("stopping"):
        told = ec2(aws).stop_instances(InstanceIds=[node])["StoppingInstances"][0]
        assert (told["PreviousState"]["Name"], told["CurrentState"]["Name"]) == ("running", "stopping")
        assert _state(aws, node) == "stopping"
        assert aws.refused("ec2", "start_instances", InstanceIds=[node]) == "IncorrectInstanceState"
    assert is_in(aws, node, "stopped")
    with aws.lingering("pending"):
        ec2(aws).start_instances(InstanceIds=[node])
        assert _state(aws, node) == "pending"
    assert is_in(aws, node, "running")


@behaviour(
    "An instance that is terminated is shutting-down first, and terminating it again changes nothing.",
    source=LIFE,
    calls=("ec2.TerminateInstances",),
    hooks=(f"{RESPONSES}terminate_instances",),
)
def _terminating(aws: Account) -> None:
    made = a_running_instance(aws)
    with aws.lingering("shutting-down"):
        told = ec2(aws).terminate_instances(InstanceIds=[made])["TerminatingInstances"][0]
        assert told["CurrentState"]["Name"] == "shutting-down"
        assert _state(aws, made) == "shutting-down"
    assert is_in(aws, made, "terminated")
    told = ec2(aws).terminate_instances(InstanceIds=[made])["TerminatingInstances"][0]
    assert told["CurrentState"]["Name"] == "terminated"
    assert aws.refused("ec2", "start_instances", InstanceIds=[made]) == "IncorrectInstanceState"
    assert aws.refused("ec2", "stop_instances", InstanceIds=[made]) == "IncorrectInstanceState"


@behaviour(
    "Terminating is a matter of time also when it is not asked for by an API call.",
    source=LIFE,
    calls=("ec2.TerminateInstances",),
    hooks=(f"{INSTANCE}terminate",),
    sandbox_only="the question goes past the API, as stacks do",
)
def _ends_softly(aws: Account) -> None:
    made = aws.region.ec2.instance(a_running_instance(aws))
    with aws.lingering("shutting-down"):
        made.terminate()
        assert made.state == "shutting-down"


@behaviour(
    "A reboot keeps the instance running, and its processes begin anew.",
    source="EC2 user guide, reboot an instance",
    calls=("ec2.RebootInstances",),
    hooks=(f"{RESPONSES}reboot_instances",),
    sandbox_only="only a host knows when it booted",
)
def _reboot(aws: Account) -> None:
    node, boots = aws.node().instance_id, list[str]()
    aws.region.ec2.instances.at_boot.append(boots.append)
    ec2(aws).reboot_instances(InstanceIds=[node])
    assert boots == [node]
    assert _state(aws, node) == "running"


@behaviour(
    "An instance that is stuck stopping goes on stopping, even when it is stopped by force, until it lets go.",
    source="EC2 user guide, troubleshoot stopping",
    calls=("ec2.StopInstances",),
    hooks=(f"{RESPONSES}stop_instances",),
    sandbox_only=HARDWARE,
)
def _stuck_stopping(aws: Account) -> None:
    node = aws.node().instance_id
    aws.region.ec2.stick(node, "stopping")
    ec2(aws).stop_instances(InstanceIds=[node])
    ec2(aws).stop_instances(InstanceIds=[node], Force=True)
    time.sleep(3 * aws.region.pace.stopping_s)
    assert _state(aws, node) == "stopping"
    aws.region.ec2.unstick(node, "stopping")
    assert is_in(aws, node, "stopped")


@behaviour(
    "An instance that is stuck shutting down keeps its volumes and its interface until it lets go.",
    source="EC2 user guide, troubleshoot shutting down",
    calls=("ec2.TerminateInstances",),
    sandbox_only=HARDWARE,
)
def _stuck_shutting_down(aws: Account) -> None:
    node = aws.node()
    aws.region.ec2.stick(node.instance_id, "shutting-down")
    ec2(aws).terminate_instances(InstanceIds=[node.instance_id])
    time.sleep(3 * aws.region.pace.shutting_down_s)
    assert _state(aws, node.instance_id) == "shutting-down"
    assert volume(aws, node.volume_id)["State"] == "in-use"
    assert instance(aws)["NetworkInterfaces"]
    aws.region.ec2.unstick(node.instance_id, "shutting-down")
    assert is_in(aws, node.instance_id, "terminated")
    assert aws.eventually(lambda: bool(volume(aws, node.volume_id)["State"] == "available"))


@behaviour(
    "An instance that is protected is not terminated until its protection is taken away.",
    source="EC2 user guide, termination protection",
    calls=("ec2.TerminateInstances", "ec2.ModifyInstanceAttribute", "ec2.DescribeInstanceAttribute"),
)
def _protected(aws: Account) -> None:
    made = a_running_instance(aws)
    ec2(aws).modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": True})
    told = ec2(aws).describe_instance_attribute(InstanceId=made, Attribute="disableApiTermination")
    assert told["DisableApiTermination"]["Value"] is True
    assert aws.refused("ec2", "terminate_instances", InstanceIds=[made]) == "OperationNotPermitted"
    ec2(aws).modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": False})
    ec2(aws).terminate_instances(InstanceIds=[made])


@behaviour(
    "A terminated instance can be described for a while, and has no address any more.",
    source="EC2 user guide, terminate an instance",
    calls=("ec2.DescribeInstances",),
    hooks=(f"{INSTANCE}private_ip_address", f"{INSTANCE}public_ip_address"),
)
def _no_address(aws: Account) -> None:
    told = instance(aws, _gone(aws))
    assert {"PrivateIpAddress", "PublicIpAddress"} & set(told) == set()


@behaviour(
    "A terminated instance is not found by the addresses that it had.",
    source="EC2 API reference, DescribeInstances",
    calls=("ec2.DescribeInstances",),
    hooks=(f"{INSTANCE}private_ip", f"{INSTANCE}public_ip"),
)
def _not_found_by_address(aws: Account) -> None:
    gone = _gone(aws)
    for name, value in (("private-ip-address", instance(aws)["PrivateIpAddress"]), ("ip-address", "192.0.2.1")):
        found = ec2(aws).describe_instances(Filters=[{"Name": name, "Values": [value]}])["Reservations"]
        assert gone not in [entry["InstanceId"] for reservation in found for entry in reservation["Instances"]]


@behaviour(
    "Volumes attached at launch go with an instance unless it is told to keep them; those attached later stay.",
    source="EC2 user guide, terminate an instance (DeleteOnTermination)",
    calls=("ec2.TerminateInstances", "ec2.ModifyInstanceAttribute"),
)
def _volumes_stay(aws: Account) -> None:
    node, root = aws.node(), instance(aws)["RootDeviceName"]
    keep = [{"DeviceName": name, "Ebs": {"DeleteOnTermination": False}} for name in (root, DEVICE)]
    ec2(aws).modify_instance_attribute(InstanceId=node.instance_id, BlockDeviceMappings=keep)
    told = ec2(aws).terminate_instances(InstanceIds=[node.instance_id])["TerminatingInstances"][0]
    assert told["CurrentState"]["Name"] == "shutting-down"
    for kept in (node.root_volume_id, node.volume_id):
        assert aws.eventually(lambda kept=kept: volume(aws, kept)["State"] == "available")  # type: ignore[misc]  # bound
        ec2(aws).delete_volume(VolumeId=kept)


@behaviour(
    "Launch template data name each device, its volume's properties, the interface and the user data.",
    source="EC2 API reference, GetLaunchTemplateData",
    calls=("ec2.GetLaunchTemplateData",),
    hooks=(f"{TEMPLATES}get_launch_template_data",),
)
def _template(aws: Account) -> None:
    made = a_running_instance(aws, UserData="#!/bin/sh\ntrue\n")
    data = ec2(aws).get_launch_template_data(InstanceId=made)["LaunchTemplateData"]
    root = instance(aws, made)["RootDeviceName"]
    blocks = {entry["DeviceName"]: entry["Ebs"] for entry in data["BlockDeviceMappings"]}
    assert blocks[root]["VolumeSize"] >= 1
    assert data["NetworkInterfaces"][0]["DeviceIndex"] == 0
    assert data["UserData"]


@behaviour(
    "An instance's attributes can be asked for one by one.",
    source="EC2 API reference, DescribeInstanceAttribute",
    calls=("ec2.DescribeInstanceAttribute",),
    hooks=(f"{RESPONSES}describe_instance_attribute",),
)
def _attributes(aws: Account) -> None:
    def told(attribute: str) -> dict[str, Any]:
        return dict(ec2(aws).describe_instance_attribute(InstanceId=aws.node().instance_id, Attribute=attribute))

    devices = {entry["DeviceName"] for entry in told("blockDeviceMapping")["BlockDeviceMappings"]}
    assert devices == {instance(aws)["RootDeviceName"], DEVICE}
    assert told("userData")["UserData"] == {}


@behaviour(
    "The DeleteOnTermination of an unknown device, and the user data of an instance that runs, cannot be changed.",
    source="EC2 API reference, ModifyInstanceAttribute; EC2 API error codes",
    calls=("ec2.ModifyInstanceAttribute",),
    hooks=(f"{RESPONSES}modify_instance_attribute",),
)
def _unchangeable(aws: Account) -> None:
    node = aws.node().instance_id
    mapping = {"DeviceName": "/dev/sdz", "Ebs": {"DeleteOnTermination": False}}
    unknown = {"InstanceId": node, "BlockDeviceMappings": [mapping]}
    assert aws.refused("ec2", "modify_instance_attribute", **unknown) == "InvalidInstanceAttributeValue"
    running = {"InstanceId": node, "UserData": {"Value": b"#!/bin/sh\n"}}
    assert aws.refused("ec2", "modify_instance_attribute", **running) == "IncorrectInstanceState"


@behaviour(
    "Instances are found by state, id, tag, address, interface and volume.",
    source="EC2 API reference, DescribeInstances",
    calls=("ec2.DescribeInstances",),
    hooks=("moto.ec2.utils:passes_filter_dict",),
)
def _filters(aws: Account) -> None:
    node, found = aws.node(), instance(aws)
    ec2(aws).create_tags(Resources=[node.instance_id], Tags=[{"Key": "k", "Value": node.volume_id}])
    mine = {"Name": "instance-id", "Values": [node.instance_id]}
    for name, value in {
        "tag:k": node.volume_id,
        "instance-state-name": "running",
        "network-interface.addresses.private-ip-address": found["PrivateIpAddress"],
        "network-interface.network-interface-id": found["NetworkInterfaces"][0]["NetworkInterfaceId"],
        "block-device-mapping.volume-id": node.volume_id,
    }.items():
        filters = [mine, {"Name": name, "Values": [value]}]
        assert len(ec2(aws).describe_instances(Filters=filters)["Reservations"]) == 1, name


@behaviour(
    "For a moment after its launch an instance is unknown to other calls.",
    source="EC2 API reference, eventual consistency; EC2 API error codes, InvalidInstanceID.NotFound",
    calls=("ec2.DescribeInstances", "ec2.RunInstances"),
    hooks=(f"{BACKEND}all_reservations",),
    sandbox_only="a real one may be known at once",
    pace=Pace(instance_invisible_s=1.0),
)
def _invisible(aws: Account) -> None:
    subnet = instance(aws)["SubnetId"]
    image = instance(aws)["ImageId"]
    made = ec2(aws).run_instances(ImageId=image, SubnetId=subnet, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    made_id = made["Instances"][0]["InstanceId"]
    assert aws.refused("ec2", "describe_instances", InstanceIds=[made_id]) == "InvalidInstanceID.NotFound"
    assert aws.eventually(lambda: aws.refused("ec2", "describe_instances", InstanceIds=[made_id]) == "")
