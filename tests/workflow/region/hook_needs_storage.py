"""What each hook of volumes and interfaces is for: questions that moto alone answers wrongly."""

import time
from typing import Any

from sandbox.region import Node, Region
from tests.workflow.region.ec2_shapes import ZONE, a_launch, ec2, eni, instance, primary_eni, subnet_id, volume
from tests.workflow.region.hook_questions import HOSTS, IP, Right, code_of, finds, node_of, refuses
from tests.workflow.region.shapes import eventually

VOLUMES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
EBS = "moto.ec2.models.elastic_block_store:"
INSTANCE = "moto.ec2.models.instances:Instance."
SUBNET = "moto.ec2.models.subnets:Subnet."
ENIS = "moto.ec2.models.elastic_network_interfaces:"
INTERFACES = "moto.ec2.responses.elastic_network_interfaces:ElasticNetworkInterfaces."


def _new_volume(region: Region, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    return str(ec2(region).create_volume(AvailabilityZone=ZONE, Size=8, **request)["VolumeId"])


def _ready_volume(region: Region) -> str:
    made = _new_volume(region)
    eventually(lambda: volume(region, made)["State"] == "available")
    return made


def _attachment(_region: Region, node: Node) -> dict[str, Any]:
    return {"VolumeId": node.root_volume_id, "InstanceId": node.instance_id, "Device": "/dev/sdz"}


def _too_small(region: Region, _node: Node) -> dict[str, Any]:
    snapshot_id = ec2(region).create_snapshot(VolumeId=_ready_volume(region))["SnapshotId"]
    eventually(lambda: region.snapshots.state(snapshot_id) == "completed")
    return {"AvailabilityZone": ZONE, "Size": 1, "SnapshotId": snapshot_id}


def _creating(region: Region) -> bool:
    return bool(volume(region, _new_volume(region))["State"] == "creating")


def _told_flag(region: Region) -> bool:
    found = volume(region, node_of(region).root_volume_id)["Attachments"][0]
    return bool(found.get("DeleteOnTermination"))


def _address_in_use(region: Region, node: Node) -> dict[str, Any]:
    return {"SubnetId": subnet_id(region, node), "PrivateIpAddress": IP}


def _asks_kindly(region: Region) -> bool:
    """Past the checks of RunInstances, as launches by others go."""
    subnet = region.ec2.backend.get_subnet(subnet_id(region, node_of(region)))
    try:
        subnet.request_ip(IP, None)
    except Exception as error:  # noqa: BLE001  # moto's is a bare Exception
        return getattr(error, "code", "") == "InvalidIPAddress.InUse"
    return False


def _free_addresses(region: Region) -> bool:
    subnet = region.ec2.backend.get_subnet(subnet_id(region, node_of(region)))
    held = ec2(region).create_network_interface(SubnetId=subnet.id)["NetworkInterface"]["PrivateIpAddress"]
    return bool(subnet.get_available_subnet_ip(None) > held)


def _eni(region: Region, node: Node) -> dict[str, Any]:
    return {"NetworkInterfaceId": primary_eni(region, node)}


def _fresh_eni(region: Region, node: Node) -> dict[str, Any]:
    launched = a_launch(region, SubnetId=subnet_id(region, node))
    return {"NetworkInterfaceId": launched["NetworkInterfaces"][0]["NetworkInterfaceId"]}


def _second_address(region: Region) -> bool:
    subnet, address = subnet_id(region, node_of(region)), f"10.77.9.{next(HOSTS)}"
    addresses = [{"PrivateIpAddress": f"10.77.8.{next(HOSTS)}", "Primary": True}]
    addresses.append({"PrivateIpAddress": address, "Primary": False})
    ec2(region).create_network_interface(SubnetId=subnet, PrivateIpAddresses=addresses)
    wanted = [{"Name": "addresses.private-ip-address", "Values": [address]}]
    return len(ec2(region).describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]) == 1


def _attach_again(region: Region, node: Node) -> dict[str, Any]:
    return {**_eni(region, node), "InstanceId": node.instance_id, "DeviceIndex": 1}


def _one_interface_per_token(region: Region) -> bool:
    request = {"SubnetId": subnet_id(region, node_of(region)), "ClientToken": f"t{time.monotonic_ns()}"}
    made = [ec2(region).create_network_interface(**request)["NetworkInterface"] for _ in range(2)]
    return bool(made[0]["NetworkInterfaceId"] == made[1]["NetworkInterfaceId"])


def _attaching(region: Region) -> bool:
    made = a_launch(region, SubnetId=subnet_id(region, node_of(region)))
    return bool(made["NetworkInterfaces"][0]["Status"] == "attaching")


def _attachment_state(region: Region) -> bool:
    made = a_launch(region, SubnetId=subnet_id(region, node_of(region)))
    return bool(made["NetworkInterfaces"][0]["Attachment"]["Status"] == "attaching")


def _detach_primary(region: Region, node: Node) -> dict[str, Any]:
    subnet = subnet_id(region, node)
    made = region.ec2.instance(a_launch(region, SubnetId=subnet)["InstanceId"])
    eventually(lambda: bool(made.state == "running"))
    second = ec2(region).create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ec2(region).attach_network_interface(NetworkInterfaceId=second, InstanceId=made.id, DeviceIndex=1)
    return {"AttachmentId": made.nics[0].attachment_id}


def _can_be_kept(region: Region) -> bool:
    first = primary_eni(region, node_of(region))
    change = {"AttachmentId": eni(region, first)["Attachment"]["AttachmentId"], "DeleteOnTermination": False}
    ec2(region).modify_network_interface_attribute(NetworkInterfaceId=first, Attachment=change)
    return eni(region, first)["Attachment"]["DeleteOnTermination"] is False


def _own_groups(region: Region) -> bool:
    node = node_of(region)
    vpc, first = instance(region, node.instance_id)["VpcId"], primary_eni(region, node)
    name = f"g{time.monotonic_ns()}"
    group = ec2(region).create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
    region.ec2.backend.enis[first]._group_set = [region.ec2.backend.get_security_group_from_id(group)]  # noqa: SLF001  # moto's only place
    return [entry["GroupId"] for entry in eni(region, first)["Groups"]] == [group]


NEEDED: dict[str, Right] = {
    f"{EBS}EBSBackend.create_volume": refuses("InvalidParameterValue", "create_volume", _too_small),
    f"{VOLUMES}create_volume": _creating,
    f"{EBS}EBSBackend.delete_volume": lambda region: (
        code_of(region, "delete_volume", VolumeId=_new_volume(region)) == "IncorrectState"
    ),
    f"{EBS}EBSBackend.attach_volume": refuses("VolumeInUse", "attach_volume", _attachment),
    f"{VOLUMES}detach_volume": refuses(
        "OperationNotPermitted", "detach_volume", lambda _region, node: {"VolumeId": node.root_volume_id}
    ),
    f"{EBS}Volume.status": _creating,
    f"{EBS}VolumeAttachment.delete_on_termination": _told_flag,
    f"{EBS}Volume.get_filter_value": finds("describe_volumes", "Volumes", "attachment.delete-on-termination", "true"),
    f"{SUBNET}request_ip": _asks_kindly,
    f"{SUBNET}get_available_subnet_ip": _free_addresses,
    f"{ENIS}NetworkInterfaceBackend.create_network_interface": refuses(
        "InvalidIPAddress.InUse", "create_network_interface", _address_in_use
    ),
    f"{INTERFACES}create_network_interface": _one_interface_per_token,
    f"{INTERFACES}delete_network_interface": refuses("InvalidParameterValue", "delete_network_interface", _fresh_eni),
    f"{ENIS}NetworkInterfaceBackend.attach_network_interface": refuses(
        "InvalidNetworkInterface.InUse", "attach_network_interface", _attach_again
    ),
    f"{INSTANCE}attach_eni": _attaching,
    f"{INTERFACES}detach_network_interface": refuses(
        "OperationNotPermitted", "detach_network_interface", _detach_primary
    ),
    f"{INTERFACES}modify_network_interface_attribute": _can_be_kept,
    f"{ENIS}NetworkInterface.attachment": _attachment_state,
    f"{ENIS}NetworkInterface.group_set": _own_groups,
    f"{ENIS}NetworkInterface.get_filter_value": _second_address,
}
