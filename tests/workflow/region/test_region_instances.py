"""Instances pass through their power states, and leave behind what their attributes say."""

import base64
import json

import pytest
from botocore.exceptions import ClientError

from sandbox.region import Node, Pace, Region, VolumeSpec
from sandbox.region.invocations import kill_group
from tests.workflow.region.ec2_shapes import (
    a_launch,
    becomes,
    ec2,
    eni,
    instance,
    keep_eni,
    primary_eni,
    refused,
    state,
    terminated,
    volume,
)
from tests.workflow.region.folder_plane import FolderPlane
from tests.workflow.region.shapes import a_document, eventually


@pytest.fixture
def node(region: Region) -> Node:
    return region.launch_node(
        "one", "10.77.0.11", volumes=(VolumeSpec(device="/dev/sdf"),), tags={"cluster": "demo"}, profile="nodes"
    )


def test_stopping_and_starting_take_their_time(region: Region, node: Node, plane: FolderPlane) -> None:
    told = ec2(region).stop_instances(InstanceIds=[node.instance_id], Force=True)["StoppingInstances"][0]
    assert (told["PreviousState"]["Name"], told["CurrentState"]["Name"]) == ("running", "stopping")
    becomes(region, node.instance_id, "stopped")
    assert plane.nodes == {}
    told = ec2(region).start_instances(InstanceIds=[node.instance_id])["StartingInstances"][0]
    assert (told["PreviousState"]["Name"], told["CurrentState"]["Name"]) == ("stopped", "pending")
    becomes(region, node.instance_id, "running")
    assert plane.nodes == {node.instance_id: "10.77.0.11"}


def test_terminating_leaves_what_is_to_be_left_and_nothing_else(region: Region, node: Node, plane: FolderPlane) -> None:
    first = primary_eni(region, node)
    told = ec2(region).terminate_instances(InstanceIds=[node.instance_id])["TerminatingInstances"][0]
    assert (told["PreviousState"]["Name"], told["CurrentState"]["Name"]) == ("running", "shutting-down")
    becomes(region, node.instance_id, "terminated")
    assert plane.nodes == {}
    refused(region, "InvalidVolume.NotFound", "describe_volumes", VolumeIds=[node.root_volume_id])
    assert volume(region, node.volumes["/dev/sdf"])["State"] == "available"
    gone = {"NetworkInterfaceIds": [first]}
    assert eventually(lambda: not _known(region, first))
    refused(region, "InvalidNetworkInterfaceID.NotFound", "describe_network_interfaces", **gone)
    left = instance(region, node.instance_id)
    assert "PrivateIpAddress" not in left
    assert (left["NetworkInterfaces"], left["BlockDeviceMappings"]) == ([], [])
    assert left["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    again = ec2(region).terminate_instances(InstanceIds=[node.instance_id])["TerminatingInstances"][0]
    assert (again["PreviousState"]["Name"], again["CurrentState"]["Name"]) == ("terminated", "terminated")


def _known(region: Region, eni_id: str) -> bool:
    found = ec2(region).describe_network_interfaces()["NetworkInterfaces"]
    return eni_id in [entry["NetworkInterfaceId"] for entry in found]


def test_attributes_keep_volumes_and_the_interface(region: Region, node: Node) -> None:
    first = primary_eni(region, node)
    keep_eni(region, first)
    kept = [{"DeviceName": "/dev/sda1", "Ebs": {"DeleteOnTermination": False}}]
    gone = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}]
    ec2(region).modify_instance_attribute(InstanceId=node.instance_id, BlockDeviceMappings=kept)
    ec2(region).modify_instance_attribute(InstanceId=node.instance_id, BlockDeviceMappings=gone)
    told = ec2(region).describe_instance_attribute(InstanceId=node.instance_id, Attribute="blockDeviceMapping")
    flags = {m["DeviceName"]: m["Ebs"]["DeleteOnTermination"] for m in told["BlockDeviceMappings"]}
    assert flags == {"/dev/sda1": False, "/dev/sdf": True}
    terminated(region, node.instance_id)
    assert volume(region, node.root_volume_id)["State"] == "available"
    refused(region, "InvalidVolume.NotFound", "describe_volumes", VolumeIds=[node.volumes["/dev/sdf"]])
    assert eventually(lambda: eni(region, first)["Status"] == "available")
    assert eni(region, first)["PrivateIpAddress"] == "10.77.0.11"
    unknown = [{"DeviceName": "/dev/sdz", "Ebs": {"DeleteOnTermination": False}}]
    other = region.launch_node("two", "10.77.0.12")
    request = {"InstanceId": other.instance_id, "BlockDeviceMappings": unknown}
    refused(region, "InvalidInstanceAttributeValue", "modify_instance_attribute", **request)


def test_a_stuck_instance_works_on_until_it_is_let_go(region: Region, node: Node, plane: FolderPlane) -> None:
    region.ec2.stick(node.instance_id, "shutting-down")
    ec2(region).terminate_instances(InstanceIds=[node.instance_id])
    assert not eventually(lambda: state(region, node.instance_id) == "terminated", within_s=0.3)
    assert state(region, node.instance_id) == "shutting-down"
    assert node.instance_id in plane.nodes
    assert volume(region, node.volumes["/dev/sdf"])["State"] == "in-use"
    region.ec2.unstick(node.instance_id, "shutting-down")
    becomes(region, node.instance_id, "terminated")
    assert plane.nodes == {}


def test_states_forbid_what_they_forbid_in_aws(region: Region, node: Node) -> None:
    ids = {"InstanceIds": [node.instance_id]}
    ec2(region).modify_instance_attribute(InstanceId=node.instance_id, DisableApiTermination={"Value": True})
    refused(region, "OperationNotPermitted", "terminate_instances", **ids)
    assert state(region, node.instance_id) == "running"
    ec2(region).modify_instance_attribute(InstanceId=node.instance_id, DisableApiTermination={"Value": False})
    text = {"InstanceId": node.instance_id, "UserData": {"Value": b"IyEvYmluL3No"}}
    refused(region, "IncorrectInstanceState", "modify_instance_attribute", **text)
    terminated(region, node.instance_id)
    refused(region, "IncorrectInstanceState", "stop_instances", **ids)
    refused(region, "IncorrectInstanceState", "start_instances", **ids)
    refused(region, "IncorrectInstanceState", "reboot_instances", **ids)
    refused(region, "InvalidInstanceID.NotFound", "stop_instances", InstanceIds=["i-0123456789abcdef0"])
    refused(region, "DryRunOperation", "terminate_instances", **ids, DryRun=True)


def test_status_checks_begin_pass_and_fail(region: Region, node: Node) -> None:
    def checks() -> list[str]:
        told = ec2(region).describe_instance_status(InstanceIds=[node.instance_id])["InstanceStatuses"][0]
        return [told[name]["Status"] for name in ("InstanceStatus", "SystemStatus", "AttachedEbsStatus")]

    assert eventually(lambda: checks() == ["ok", "ok", "ok"])
    region.ec2.impair(node.instance_id, "ebs")
    assert eventually(lambda: checks() == ["ok", "ok", "impaired"])
    region.ec2.heal(node.instance_id)
    assert checks() == ["ok", "ok", "ok"]
    ec2(region).reboot_instances(InstanceIds=[node.instance_id])
    assert checks() == ["initializing"] * 3
    region.power_loss(node.instance_id)
    assert eventually(lambda: checks()[:2] == ["impaired", "impaired"])
    ec2(region).stop_instances(InstanceIds=[node.instance_id], Force=True)
    becomes(region, node.instance_id, "stopped")
    every = ec2(region).describe_instance_status(InstanceIds=[node.instance_id], IncludeAllInstances=True)
    assert every["InstanceStatuses"][0]["InstanceStatus"]["Status"] == "not-applicable"


def test_power_loss_takes_the_node_and_its_agent_but_not_the_state(
    region: Region, node: Node, plane: FolderPlane
) -> None:
    region.power_loss(node.instance_id)
    assert plane.nodes == {}
    assert state(region, node.instance_id) == "running"
    assert volume(region, node.volumes["/dev/sdf"])["State"] == "in-use"
    listed = region.client("ssm").describe_instance_information()["InstanceInformationList"]
    assert [entry["PingStatus"] for entry in listed] == ["ConnectionLost"]
    ec2(region).reboot_instances(InstanceIds=[node.instance_id])
    assert plane.nodes == {}
    made = ec2(region).create_snapshots(InstanceSpecification={"InstanceId": node.instance_id})["Snapshots"]
    assert {entry["VolumeId"] for entry in made} == {node.root_volume_id, *node.volumes.values()}


def test_instance_stores_come_back_blank(region: Region, plane: FolderPlane) -> None:
    region.mirror.instance_stores["i4i.large"] = (2,)
    node = region.launch_node("n", "10.77.0.11", instance_type="i4i.large")
    assert plane.stores == [(node.instance_id, 2 * region.pace.gib_bytes)]
    ec2(region).stop_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "stopped")
    ec2(region).start_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "running")
    assert len(plane.stores) == 2


def test_what_a_relaunch_needs_can_be_read(region: Region, node: Node) -> None:
    text = base64.b64encode(b"#!/bin/sh\n").decode()
    ec2(region).stop_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "stopped")
    ec2(region).modify_instance_attribute(InstanceId=node.instance_id, UserData={"Value": b"#!/bin/sh\n"})
    data = ec2(region).get_launch_template_data(InstanceId=node.instance_id)["LaunchTemplateData"]
    assert data["UserData"] == text
    told = ec2(region).describe_instance_attribute(InstanceId=node.instance_id, Attribute="userData")
    assert told["UserData"] == {"Value": text}
    assert data["IamInstanceProfile"]["Arn"].endswith("instance-profile/nodes")
    assert [block["DeviceName"] for block in data["BlockDeviceMappings"]] == ["/dev/sda1", "/dev/sdf"]
    assert data["NetworkInterfaces"][0]["PrivateIpAddresses"] == [{"Primary": True, "PrivateIpAddress": "10.77.0.11"}]
    assert {"Key": "cluster", "Value": "demo"} in data["TagSpecifications"][0]["Tags"]
    assert data["Placement"]["AvailabilityZone"] == "eu-central-1a"
    plain = region.launch_node("two", "10.77.0.12")
    told = ec2(region).describe_instance_attribute(InstanceId=plain.instance_id, Attribute="userData")
    assert told["UserData"] == {}


def test_launch_template_data_name_the_interface_with_what_only_a_new_one_may_have(region: Region, node: Node) -> None:
    data = ec2(region).get_launch_template_data(InstanceId=node.instance_id)["LaunchTemplateData"]
    (interface,) = data["NetworkInterfaces"]
    assert (interface["NetworkInterfaceId"], interface["DeviceIndex"]) == (primary_eni(region, node), 0)
    assert interface["PrivateIpAddress"] == node.private_ip
    assert interface["PrivateIpAddresses"] == [{"Primary": True, "PrivateIpAddress": node.private_ip}]
    assert {block["DeviceName"] for block in data["BlockDeviceMappings"]} == {"/dev/sda1", *node.volumes}
    assert data["MetadataOptions"]["State"] == "applied"
    request = {"ImageId": data["ImageId"], "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    refused(region, "InvalidNetworkInterface.InUse", "run_instances", **request, NetworkInterfaces=[interface])


def test_delete_on_termination_is_changed_by_device_and_read_back_everywhere(region: Region, node: Node) -> None:
    def read() -> list[bool]:
        mappings = {m["DeviceName"]: m["Ebs"] for m in instance(region, node.instance_id)["BlockDeviceMappings"]}
        told = ec2(region).describe_instance_attribute(InstanceId=node.instance_id, Attribute="blockDeviceMapping")
        attribute = {m["DeviceName"]: m["Ebs"] for m in told["BlockDeviceMappings"]}
        of_volume = volume(region, node.root_volume_id)["Attachments"][0]
        return [one["DeleteOnTermination"] for one in (mappings["/dev/sda1"], attribute["/dev/sda1"], of_volume)]

    assert read() == [True] * 3
    mapping = [{"DeviceName": "/dev/sda1", "Ebs": {"DeleteOnTermination": False}}]
    for _ in range(2):
        ec2(region).modify_instance_attribute(InstanceId=node.instance_id, BlockDeviceMappings=mapping)
        assert read() == [False] * 3


def test_tags_come_and_go_on_volumes_instances_and_interfaces(region: Region, node: Node) -> None:
    resources = [node.root_volume_id, node.instance_id, primary_eni(region, node)]
    ours = [{"Key": "aerokeep:run", "Value": "r1"}, {"Key": "aerokeep:superseded", "Value": "r1"}]
    ec2(region).create_tags(Resources=resources, Tags=ours)
    ec2(region).create_tags(Resources=resources, Tags=ours)
    other = [{"Key": "aerokeep:run", "Value": "r2"}, {"Key": "never", "Value": "was"}]
    ec2(region).delete_tags(Resources=resources, Tags=[*other, ours[1]])
    found = ec2(region).describe_tags(Filters=[{"Name": "key", "Values": ["aerokeep:*", "never"]}])["Tags"]
    assert {(tag["ResourceId"], tag["Key"], tag["Value"]) for tag in found} == {
        (resource, "aerokeep:run", "r1") for resource in resources
    }


def test_a_terminated_instance_is_told_by_its_id_until_it_is_forgotten(region: Region, node: Node) -> None:
    region.power_loss(node.instance_id)
    ec2(region).stop_instances(InstanceIds=[node.instance_id], Force=True)
    becomes(region, node.instance_id, "stopped")
    ec2(region).stop_instances(InstanceIds=[node.instance_id], Force=True)
    terminated(region, node.instance_id)
    wanted = [{"Name": "instance-id", "Values": [node.instance_id, "i-0123456789abcdef0"]}]
    (reservation,) = ec2(region).describe_instances(Filters=wanted)["Reservations"]
    gone = reservation["Instances"][0]
    assert gone["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert (gone["BlockDeviceMappings"], gone["NetworkInterfaces"], "PrivateIpAddress" in gone) == ([], [], False)
    refused(region, "IncorrectInstanceState", "stop_instances", InstanceIds=[node.instance_id], Force=True)


def test_instances_are_found_by_interface_address_and_volume(region: Region, node: Node) -> None:
    region.launch_node("two", "10.77.0.12")
    wanted = {
        "network-interface.network-interface-id": primary_eni(region, node),
        "network-interface.addresses.private-ip-address": "10.77.0.11",
        "private-ip-address": "10.77.0.11",
        "block-device-mapping.volume-id": node.volumes["/dev/sdf"],
    }
    for name, value in wanted.items():
        found = ec2(region).describe_instances(Filters=[{"Name": name, "Values": [value]}])["Reservations"]
        assert [i["InstanceId"] for r in found for i in r["Instances"]] == [node.instance_id], name


def _listed(region: Region) -> list[str]:
    found = ec2(region).describe_instances()["Reservations"]
    return [entry["InstanceId"] for reservation in found for entry in reservation["Instances"]]


class TestForgetting:
    """Instances in a region that is slow to know and quick to forget."""

    @pytest.fixture
    def pace(self) -> Pace:
        return Pace(terminated_visible_s=0.2, instance_invisible_s=0.3)

    def test_an_instance_is_not_known_at_once_nor_forever(self, region: Region) -> None:
        region.launch_node("n", "10.77.0.11")
        instance_id = a_launch(region)["InstanceId"]
        refused(region, "InvalidInstanceID.NotFound", "describe_instances", InstanceIds=[instance_id])
        assert eventually(lambda: instance_id in region.managed())
        assert eventually(lambda: instance_id in _listed(region))
        becomes(region, instance_id, "running")
        ec2(region).terminate_instances(InstanceIds=[instance_id])
        becomes(region, instance_id, "terminated")
        assert eventually(lambda: instance_id not in [i.id for i in region.ec2.all_instances()])
        refused(region, "InvalidInstanceID.NotFound", "describe_instances", InstanceIds=[instance_id])


def test_a_command_on_a_node_that_loses_its_power_is_never_heard_of_again(region: Region, node: Node) -> None:
    ssm, seen = region.client("ssm"), region.plane.workdir / "began"
    document = json.dumps(a_document(f"touch {seen}; exec sleep 30"))
    ssm.create_document(Content=document, Name="long", DocumentType="Command", DocumentFormat="JSON")
    sent = ssm.send_command(DocumentName="long", InstanceIds=[node.instance_id])["Command"]["CommandId"]
    assert eventually(seen.exists)
    region.power_loss(node.instance_id)
    begun = region.commands.find(sent)[0].invocations[node.instance_id]
    assert eventually(lambda: begun.process is not None)
    assert begun.process is not None
    kill_group(begun.process)  # as the end of its node does

    def ended() -> bool:
        told = ssm.get_command_invocation(CommandId=sent, InstanceId=node.instance_id)
        return bool(told["Status"] != "InProgress")

    assert not eventually(ended, within_s=0.4)
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        ssm.send_command(DocumentName="long", InstanceIds=[node.instance_id])
