"""Network interfaces hold their addresses, take their time, and can be changed one attribute at a time."""

from typing import Any

import pytest

from sandbox.region import Node, Region
from tests.workflow.region.ec2_shapes import (
    a_launch,
    becomes,
    ec2,
    eni,
    instance,
    keep_eni,
    primary_eni,
    refused,
    subnet_id,
    terminated,
)
from tests.workflow.region.shapes import eventually


@pytest.fixture
def node(region: Region) -> Node:
    return region.launch_node("one", "10.77.0.11")


def _made(region: Region, node: Node, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    given = {"SubnetId": subnet_id(region, node), **request}
    return str(ec2(region).create_network_interface(**given)["NetworkInterface"]["NetworkInterfaceId"])


def test_an_interface_holds_its_address_until_it_is_deleted(region: Region, node: Node) -> None:
    subnet = subnet_id(region, node)
    refused(
        region, "InvalidIPAddress.InUse", "create_network_interface", SubnetId=subnet, PrivateIpAddress="10.77.0.11"
    )
    outside = {"SubnetId": subnet, "PrivateIpAddress": "10.99.0.1"}
    refused(region, "InvalidParameterValue", "create_network_interface", **outside)
    tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "aerokeep:node", "Value": "A1"}]}]
    made = _made(region, node, PrivateIpAddress="10.77.0.12", TagSpecifications=tags)
    assert eni(region, made)["TagSet"] == [{"Key": "aerokeep:node", "Value": "A1"}]
    again = {"SubnetId": subnet, "PrivateIpAddress": "10.77.0.12"}
    refused(region, "InvalidIPAddress.InUse", "create_network_interface", **again)
    ec2(region).delete_network_interface(NetworkInterfaceId=made)
    _made(region, node, PrivateIpAddress="10.77.0.12")


def test_addresses_that_nobody_asked_for_are_free_ones(region: Region, node: Node) -> None:
    made = [eni(region, _made(region, node))["PrivateIpAddress"] for _ in range(9)]
    assert made == [f"10.77.0.{n}" for n in (4, 5, 6, 7, 8, 9, 10, 12, 13)]


def test_a_token_makes_one_interface(region: Region, node: Node) -> None:
    assert _made(region, node, ClientToken="t") == _made(region, node, ClientToken="t")
    request = {"SubnetId": subnet_id(region, node), "ClientToken": "t", "Description": "other"}
    refused(region, "IdempotentParameterMismatch", "create_network_interface", **request)


def test_an_interface_in_use_is_neither_deleted_nor_attached_nor_detached(region: Region, node: Node) -> None:
    first = primary_eni(region, node)
    refused(region, "InvalidParameterValue", "delete_network_interface", NetworkInterfaceId=first)
    request = {"NetworkInterfaceId": first, "InstanceId": node.instance_id, "DeviceIndex": 1}
    refused(region, "InvalidNetworkInterface.InUse", "attach_network_interface", **request)
    attachment = eni(region, first)["Attachment"]["AttachmentId"]
    refused(region, "OperationNotPermitted", "detach_network_interface", AttachmentId=attachment)
    refused(region, "InvalidAttachmentID.NotFound", "detach_network_interface", AttachmentId="eni-attach-0")


def test_a_second_interface_comes_and_goes(region: Region, node: Node) -> None:
    made = _made(region, node)
    request = {"NetworkInterfaceId": made, "InstanceId": node.instance_id}
    refused(region, "InvalidParameterValue", "attach_network_interface", **request, DeviceIndex=0)
    attachment = ec2(region).attach_network_interface(**request, DeviceIndex=1)["AttachmentId"]
    assert eventually(lambda: eni(region, made)["Status"] == "in-use")
    assert eni(region, made)["Attachment"]["DeleteOnTermination"] is False
    assert len(instance(region, node.instance_id)["NetworkInterfaces"]) == 2
    ec2(region).detach_network_interface(AttachmentId=attachment)
    assert eventually(lambda: eni(region, made)["Status"] == "available")
    assert "Attachment" not in eni(region, made)
    assert len(instance(region, node.instance_id)["NetworkInterfaces"]) == 1


def test_a_launch_made_interface_goes_with_its_instance_unless_kept(region: Region, node: Node) -> None:
    first = primary_eni(region, node)
    attachment = eni(region, first)["Attachment"]
    assert attachment["DeleteOnTermination"] is True
    wrong = {"AttachmentId": "eni-attach-0", "DeleteOnTermination": False}
    request = {"NetworkInterfaceId": first, "Attachment": wrong}
    refused(region, "InvalidAttachmentID.NotFound", "modify_network_interface_attribute", **request)
    both = {"NetworkInterfaceId": first, "Description": {"Value": "d"}, "SourceDestCheck": {"Value": False}}
    refused(region, "InvalidParameterCombination", "modify_network_interface_attribute", **both)
    keep_eni(region, first)
    assert eni(region, first)["Attachment"]["DeleteOnTermination"] is False


def test_a_stuck_release_holds_the_address_until_it_is_forced(region: Region, node: Node) -> None:
    first = primary_eni(region, node)
    keep_eni(region, first)
    region.ec2.stick(first, "detaching")
    terminated(region, node.instance_id)
    assert not eventually(lambda: eni(region, first)["Status"] == "available", within_s=0.2)
    held = eni(region, first)
    assert (held["Status"], held["Attachment"]["Status"]) == ("detaching", "detaching")
    assert held["Attachment"]["InstanceId"] == node.instance_id
    ec2(region).detach_network_interface(AttachmentId=held["Attachment"]["AttachmentId"], Force=True)
    assert eni(region, first)["Status"] == "available"
    launched = a_launch(region, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": first}])
    becomes(region, launched["InstanceId"], "running")


def test_groups_are_replaced_not_added(region: Region, node: Node) -> None:
    vpc, first = instance(region, node.instance_id)["VpcId"], primary_eni(region, node)
    group = ec2(region).create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    ec2(region).modify_network_interface_attribute(NetworkInterfaceId=first, Groups=[group])
    assert [entry["GroupId"] for entry in eni(region, first)["Groups"]] == [group]
    assert [entry["GroupId"] for entry in instance(region, node.instance_id)["SecurityGroups"]] == [group]
    unknown = {"NetworkInterfaceId": first, "Groups": ["sg-0123456789abcdef0"]}
    refused(region, "InvalidGroup.NotFound", "modify_network_interface_attribute", **unknown)


def test_interfaces_are_found_by_status_address_and_instance(region: Region, node: Node) -> None:
    first, free = primary_eni(region, node), _made(region, node)

    def found(name: str, value: str) -> list[str]:
        listed = ec2(region).describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])
        return [entry["NetworkInterfaceId"] for entry in listed["NetworkInterfaces"]]

    assert found("status", "available") == [free]
    assert found("private-ip-address", "10.77.0.11") == [first]
    assert found("addresses.private-ip-address", "10.77.0.11") == [first]
    assert found("attachment.instance-id", node.instance_id) == [first]
    assert found("mac-address", eni(region, first)["MacAddress"]) == [first]
    assert found("network-interface-id", free) == [free]
