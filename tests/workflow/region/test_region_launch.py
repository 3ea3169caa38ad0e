"""RunInstances: with kept or new interfaces, once per token, and refused where AWS refuses."""

import base64
from typing import Any

import pytest

from sandbox.region import Node, Pace, Region
from tests.workflow.region.ec2_shapes import (
    a_launch,
    a_volume,
    becomes,
    ec2,
    eni,
    image_id,
    instance,
    keep_eni,
    primary_eni,
    refused,
    subnet_id,
    terminated,
    volume,
)
from tests.workflow.region.folder_plane import FolderPlane
from tests.workflow.region.shapes import eventually


@pytest.fixture
def node(region: Region) -> Node:
    return region.launch_node("one", "10.77.0.11")


def _launch(region: Region, **request: Any) -> dict[str, Any]:  # noqa: ANN401  # a request's own fields
    return {"ImageId": image_id(region), "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, **request}


def _kept(region: Region, node: Node) -> str:
    """A terminated node's interface, available again."""
    eni_id = primary_eni(region, node)
    keep_eni(region, eni_id)
    terminated(region, node.instance_id)
    assert eventually(lambda: eni(region, eni_id)["Status"] == "available")
    return eni_id


def test_a_kept_interface_brings_address_mac_groups_and_zone(region: Region, node: Node, plane: FolderPlane) -> None:
    vpc = instance(region, node.instance_id)["VpcId"]
    group = ec2(region).create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    eni_id = _kept(region, node)
    ec2(region).modify_network_interface_attribute(NetworkInterfaceId=eni_id, Groups=[group])
    before = eni(region, eni_id)
    launched = a_launch(region, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": eni_id}])
    assert launched["State"]["Name"] == "pending"
    becomes(region, launched["InstanceId"], "running")
    found = instance(region, launched["InstanceId"])
    assert (found["PrivateIpAddress"], found["NetworkInterfaces"][0]["MacAddress"]) == (
        "10.77.0.11",
        before["MacAddress"],
    )
    assert [entry["GroupId"] for entry in found["SecurityGroups"]] == [group]
    assert found["Placement"]["AvailabilityZone"] == before["AvailabilityZone"]
    attachment = eni(region, eni_id)["Attachment"]
    assert (attachment["Status"], attachment["DeleteOnTermination"]) == ("attached", False)
    assert plane.nodes == {launched["InstanceId"]: "10.77.0.11"}


def test_interfaces_stand_alone_in_a_request(region: Region, node: Node) -> None:
    subnet = subnet_id(region, node)
    eni_id = _kept(region, node)
    given = {"DeviceIndex": 0, "NetworkInterfaceId": eni_id}
    for beside in (
        {"SubnetId": subnet},
        {"SecurityGroupIds": ["sg-1"]},
        {"PrivateIpAddress": "10.77.0.12"},
    ):
        request = _launch(region, NetworkInterfaces=[given], **beside)
        refused(region, "InvalidParameterCombination", "run_instances", **request)
    for inside in ({"DeleteOnTermination": True}, {"SubnetId": subnet}, {"Groups": ["sg-1"]}):
        request = _launch(region, NetworkInterfaces=[{**given, **inside}])
        refused(region, "InvalidParameterCombination", "run_instances", **request)
    assert eni(region, eni_id)["Status"] == "available"


def test_an_interface_in_use_is_refused(region: Region, node: Node) -> None:
    eni_id = primary_eni(region, node)
    request = _launch(region, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": eni_id}])
    refused(region, "InvalidNetworkInterface.InUse", "run_instances", **request)
    unknown = [{"DeviceIndex": 0, "NetworkInterfaceId": "eni-0123456789abcdef0"}]
    refused(region, "InvalidNetworkInterfaceID.NotFound", "run_instances", **_launch(region, NetworkInterfaces=unknown))


def test_a_new_interface_takes_an_address_that_nobody_holds(region: Region, node: Node) -> None:
    spec = {"DeviceIndex": 0, "SubnetId": subnet_id(region, node), "PrivateIpAddress": "10.77.0.11"}
    request = _launch(region, NetworkInterfaces=[spec])
    refused(region, "InvalidIPAddress.InUse", "run_instances", **request)
    outside = [{**spec, "PrivateIpAddress": "10.99.0.11"}]
    refused(region, "InvalidParameterValue", "run_instances", **_launch(region, NetworkInterfaces=outside))
    old = primary_eni(region, node)
    mac = eni(region, old)["MacAddress"]
    terminated(region, node.instance_id)
    assert eventually(lambda: old not in _interfaces(region))
    launched = a_launch(region, NetworkInterfaces=[spec])
    becomes(region, launched["InstanceId"], "running")
    made = instance(region, launched["InstanceId"])["NetworkInterfaces"][0]
    assert (made["PrivateIpAddress"], made["Attachment"]["DeleteOnTermination"]) == ("10.77.0.11", True)
    assert made["MacAddress"] != mac


def _interfaces(region: Region) -> set[str]:
    found = ec2(region).describe_network_interfaces()["NetworkInterfaces"]
    return {entry["NetworkInterfaceId"] for entry in found}


def test_a_token_launches_once(region: Region, node: Node) -> None:
    request = _launch(region, SubnetId=subnet_id(region, node), ClientToken="t1")
    first, second = (ec2(region).run_instances(**request)["Instances"][0]["InstanceId"] for _ in range(2))
    assert first == second
    other = {**request, "InstanceType": "m5.xlarge"}
    refused(region, "IdempotentParameterMismatch", "run_instances", **other)
    found = ec2(region).describe_instances(Filters=[{"Name": "client-token", "Values": ["t1"]}])["Reservations"]
    assert [entry["InstanceId"] for entry in found[0]["Instances"]] == [first]


def test_capacity_runs_short_by_type_and_zone(region: Region, node: Node) -> None:
    subnet = subnet_id(region, node)
    region.ec2.run_short("m5.large", "eu-central-1a")
    refused(region, "InsufficientInstanceCapacity", "run_instances", **_launch(region, SubnetId=subnet))
    other = a_launch(region, SubnetId=subnet, InstanceType="m5.xlarge")
    becomes(region, other["InstanceId"], "running")
    ec2(region).stop_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "stopped")
    refused(region, "InsufficientInstanceCapacity", "start_instances", InstanceIds=[node.instance_id])
    region.ec2.stock_up("m5.large", "eu-central-1a")
    a_launch(region, SubnetId=subnet)


def test_images_and_zones_must_exist(region: Region, node: Node) -> None:
    subnet = subnet_id(region, node)
    unknown = _launch(region, SubnetId=subnet, ImageId="ami-0123456789abcdef0")
    refused(region, "InvalidAMIID.NotFound", "run_instances", **unknown)
    elsewhere = _launch(region, SubnetId=subnet, Placement={"AvailabilityZone": "eu-central-1b"})
    refused(region, "InvalidParameterValue", "run_instances", **elsewhere)
    refused(region, "DryRunOperation", "run_instances", **_launch(region, SubnetId=subnet, DryRun=True))


def test_volumes_and_tags_are_as_asked(region: Region, node: Node, plane: FolderPlane) -> None:
    source = a_volume(region)
    snapshot = ec2(region).create_snapshot(VolumeId=source)["SnapshotId"]
    region.snapshots.hold(snapshot, 600)  # until this test lets it go, however slow the machine is
    ebs = {"SnapshotId": snapshot, "VolumeType": "gp3", "Iops": 5000, "Throughput": 200, "DeleteOnTermination": False}
    request = {
        "SubnetId": subnet_id(region, node),
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": ebs}],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": [{"Key": "of", "Value": kind}]}
            for kind in ("instance", "volume", "network-interface")
        ],
        "UserData": "#!/bin/sh\n",
        "DisableApiTermination": True,
    }
    refused(region, "IncorrectState", "run_instances", **_launch(region, **request))
    region.snapshots.hold(snapshot, 0)
    instance_id = a_launch(region, **request)["InstanceId"]
    becomes(region, instance_id, "running")
    found = instance(region, instance_id)
    mappings = {entry["DeviceName"]: entry["Ebs"] for entry in found["BlockDeviceMappings"]}
    root, data = (volume(region, mappings[device]["VolumeId"]) for device in ("/dev/sda1", "/dev/sdf"))
    assert (data["Iops"], data["Throughput"], data["SnapshotId"]) == (5000, 200, snapshot)
    assert [mappings[device]["DeleteOnTermination"] for device in ("/dev/sda1", "/dev/sdf")] == [True, False]
    assert plane.volumes[data["VolumeId"]] == snapshot
    tagged = [found["Tags"], root["Tags"], data["Tags"], eni(region, primary_eni_of(found))["TagSet"]]
    assert [tags[0]["Value"] for tags in tagged] == ["instance", "volume", "volume", "network-interface"]
    refused(region, "OperationNotPermitted", "terminate_instances", InstanceIds=[instance_id])
    told = ec2(region).describe_instance_attribute(InstanceId=instance_id, Attribute="disableApiTermination")
    assert told["DisableApiTermination"] == {"Value": True}


def primary_eni_of(found: dict[str, Any]) -> str:
    return str(found["NetworkInterfaces"][0]["NetworkInterfaceId"])


def test_a_relaunch_is_what_it_was_asked_for(region: Region, node: Node) -> None:
    region.launch_node("two", "10.77.0.12", profile="node-role")
    profiles = region.client("iam").list_instance_profiles()["InstanceProfiles"]
    text, token = "#cloud-config\n", "relaunch-1"
    request = _launch(
        region,
        NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": _kept(region, node)}],
        Placement={"AvailabilityZone": "eu-central-1a", "GroupName": "", "Tenancy": "default"},
        IamInstanceProfile={"Arn": profiles[0]["Arn"]},
        UserData=text,
        MetadataOptions={"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 2},
        EbsOptimized=True,
        Monitoring={"Enabled": True},
        InstanceInitiatedShutdownBehavior="stop",
        CapacityReservationSpecification={"CapacityReservationPreference": "open"},
        MaintenanceOptions={"AutoRecovery": "default"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "aerokeep:node", "Value": "A1"}]}],
        ClientToken=token,
    )
    launched = ec2(region).run_instances(**request)["Instances"][0]["InstanceId"]
    assert ec2(region).run_instances(**request)["Instances"][0]["InstanceId"] == launched
    again = {**request, "ClientToken": "relaunch-2"}
    refused(region, "InvalidNetworkInterface.InUse", "run_instances", **again)
    becomes(region, launched, "running")
    found = instance(region, launched)
    assert found["IamInstanceProfile"]["Arn"] == profiles[0]["Arn"]
    assert (found["ClientToken"], found["Tags"]) == (token, [{"Key": "aerokeep:node", "Value": "A1"}])
    assert (found["PrivateIpAddress"], found["Placement"]["AvailabilityZone"]) == ("10.77.0.11", "eu-central-1a")
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    data = ec2(region).get_launch_template_data(InstanceId=launched)["LaunchTemplateData"]
    assert base64.b64decode(data["UserData"]).decode() == text
    assert data["IamInstanceProfile"] == {"Arn": profiles[0]["Arn"]}
    assert data["TagSpecifications"] == [
        {"ResourceType": "instance", "Tags": [{"Key": "aerokeep:node", "Value": "A1"}]}
    ]


def test_a_launch_that_the_plane_refuses_ends_terminated(region: Region, node: Node, plane: FolderPlane) -> None:
    plane.full = True
    instance_id = a_launch(region, SubnetId=subnet_id(region, node))["InstanceId"]
    becomes(region, instance_id, "terminated")
    assert instance(region, instance_id)["StateReason"]["Code"] == "Server.InternalError"


MIME = b"""MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=="

--==
Content-Type: text/x-shellscript; charset="utf-8"

#!/bin/sh
echo first >> "$OUT"; exit 1
--==
Content-Type: text/cloud-config

packages: [asd]
--==
Content-Type: text/x-shellscript

#!/bin/sh
echo "second $INSTANCE_ID" >> "$OUT"
--==
Content-Type: text/cloud-boothook

#cloud-boothook
echo hook >> "$OUT"
--==--
"""


class TestBoot:
    """What happens in a node after its power is on, with an agent that is slow."""

    @pytest.fixture
    def pace(self) -> Pace:
        return Pace(agent_online_s=0.4)

    def test_user_data_run_in_order_once_per_instance_and_hooks_at_every_boot(
        self, region: Region, node: Node, plane: FolderPlane
    ) -> None:
        written = plane.workdir / "out"
        text = MIME.replace(b'"$OUT"', str(written).encode())
        launched = a_launch(region, SubnetId=subnet_id(region, node), UserData=text.decode())["InstanceId"]
        expected = f"hook\nfirst\nsecond {launched}\n"
        assert eventually(lambda: written.exists() and written.read_text() == expected)
        becomes(region, launched, "running")
        ec2(region).stop_instances(InstanceIds=[launched])
        becomes(region, launched, "stopped")
        ec2(region).start_instances(InstanceIds=[launched])
        assert eventually(lambda: written.read_text() == expected + "hook\n")
        stored = ec2(region).describe_instance_attribute(InstanceId=launched, Attribute="userData")["UserData"]
        assert base64.b64decode(stored["Value"]) == text

    def test_the_agent_comes_some_time_after_the_power(self, region: Region, node: Node) -> None:
        launched = a_launch(region, SubnetId=subnet_id(region, node))["InstanceId"]
        becomes(region, launched, "running")
        listed = region.client("ssm").describe_instance_information()["InstanceInformationList"]
        assert [entry["InstanceId"] for entry in listed] == [node.instance_id]
        assert eventually(lambda: launched in region.managed())
        ec2(region).stop_instances(InstanceIds=[launched])
        becomes(region, launched, "stopped")
        assert region.instance_information(launched)["PingStatus"] == "ConnectionLost"
        ec2(region).start_instances(InstanceIds=[launched])
        becomes(region, launched, "running")
        assert region.instance_information(launched)["PingStatus"] == "ConnectionLost"
        assert eventually(lambda: region.instance_information(launched)["PingStatus"] == "Online")
