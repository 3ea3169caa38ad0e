"""Images hold the volumes of an instance, take their time, and are found again."""

from typing import Any

import pytest

from sandbox.region import Node, Pace, Region, VolumeSpec
from tests.workflow.region.ec2_shapes import a_launch, becomes, ec2, instance, refused, subnet_id
from tests.workflow.region.folder_plane import FolderPlane
from tests.workflow.region.shapes import eventually


@pytest.fixture
def node(region: Region) -> Node:
    return region.launch_node("one", "10.77.0.11")


@pytest.mark.parametrize("pace", [Pace(stopping_s=0.05, snapshot_pending_s=2.0)])
def test_an_image_holds_the_root_volume_and_costs_a_reboot_unless_told(
    region: Region, node: Node, plane: FolderPlane
) -> None:
    boots: list[str] = []
    region.ec2.instances.at_boot.append(boots.append)
    made = ec2(region).create_image(InstanceId=node.instance_id, Name="kept", NoReboot=True)["ImageId"]
    assert boots == []
    assert ec2(region).describe_images(ImageIds=[made])["Images"][0]["State"] == "pending"
    refused(region, "InvalidAMIID.Unavailable", "run_instances", ImageId=made, MinCount=1, MaxCount=1)
    assert eventually(lambda: ec2(region).describe_images(ImageIds=[made])["Images"][0]["State"] == "available")
    mapping = ec2(region).describe_images(ImageIds=[made])["Images"][0]["BlockDeviceMappings"][0]
    assert plane.cuts[-1] == (node.instance_id, {node.root_volume_id: mapping["Ebs"]["SnapshotId"]})
    assert region.snapshots.state(mapping["Ebs"]["SnapshotId"]) == "completed"
    launched = a_launch(region, ImageId=made, SubnetId=subnet_id(region, node))["InstanceId"]
    becomes(region, launched, "running")
    root = instance(region, launched)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert plane.volumes[root] == mapping["Ebs"]["SnapshotId"]
    refused(region, "InvalidAMIName.Duplicate", "create_image", InstanceId=node.instance_id, Name="kept")
    ec2(region).create_image(InstanceId=node.instance_id, Name="rebooted")
    assert boots == [launched, node.instance_id]


def test_an_image_of_the_root_alone_leaves_the_data_out_and_is_found_by_its_tags(region: Region) -> None:
    node = region.launch_node("data", "10.77.0.21", volumes=(VolumeSpec(device="/dev/sdf"),))
    request = {
        "InstanceId": node.instance_id,
        "Name": "the-root",
        "NoReboot": True,
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "NoDevice": ""}],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": [{"Key": "aerokeep:cluster", "Value": kind}]}
            for kind in ("image", "snapshot")
        ],
    }
    made = ec2(region).create_image(**request)["ImageId"]
    refused(region, "InvalidAMIName.Duplicate", "create_image", **request)

    def found(name: str, value: str) -> list[dict[str, Any]]:
        images: list[dict[str, Any]] = ec2(region).describe_images(Filters=[{"Name": name, "Values": [value]}])[
            "Images"
        ]
        return images

    for name, value in (("image-id", made), ("name", "the-root"), ("tag:aerokeep:cluster", "image")):
        assert [image["ImageId"] for image in found(name, value)] == [made]
    assert found("image-id", "ami-0123456789abcdef0") == []
    (mapping,) = found("image-id", made)[0]["BlockDeviceMappings"]
    assert mapping["DeviceName"] == "/dev/sda1"
    told = ec2(region).describe_snapshots(SnapshotIds=[mapping["Ebs"]["SnapshotId"]])["Snapshots"][0]
    assert (told["VolumeId"], told["Tags"]) == (
        node.root_volume_id,
        [{"Key": "aerokeep:cluster", "Value": "snapshot"}],
    )
