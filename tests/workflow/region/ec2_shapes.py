"""Requests and looks at EC2 that several tests of the region share."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.region import Node, Region
from sandbox.region.nodes import IMAGE_NAME
from tests.workflow.region.shapes import eventually

ZONE = "eu-central-1a"


def ec2(region: Region) -> Any:  # noqa: ANN401  # boto clients are made at run time
    """A client that tries once, so that refusals are seen at once."""
    return region.client("ec2", attempts=1)


def refused(region: Region, code: str, action: str, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """The call is refused with exactly this code; → the message."""
    with pytest.raises(ClientError) as caught:
        getattr(ec2(region), action)(**request)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    return str(error["Message"])


def instance(region: Region, instance_id: str) -> dict[str, Any]:
    """What DescribeInstances says."""
    found: dict[str, Any] = ec2(region).describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return found


def state(region: Region, instance_id: str) -> str:
    """An instance's state."""
    return str(instance(region, instance_id)["State"]["Name"])


def volume(region: Region, volume_id: str) -> dict[str, Any]:
    """What DescribeVolumes says."""
    found: dict[str, Any] = ec2(region).describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    return found


def eni(region: Region, eni_id: str) -> dict[str, Any]:
    """What DescribeNetworkInterfaces says."""
    found: dict[str, Any] = ec2(region).describe_network_interfaces(NetworkInterfaceIds=[eni_id])["NetworkInterfaces"][
        0
    ]
    return found


def becomes(region: Region, instance_id: str, wanted: str) -> None:
    """Wait for a state."""
    assert eventually(lambda: state(region, instance_id) == wanted), state(region, instance_id)


def a_volume(region: Region, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """A new volume that is available."""
    given = {"AvailabilityZone": ZONE, "Size": 8, **request}
    if "SnapshotId" in request and "Size" not in request:
        del given["Size"]
    volume_id = str(ec2(region).create_volume(**given)["VolumeId"])
    assert eventually(lambda: volume(region, volume_id)["State"] == "available")
    return volume_id


def attached(region: Region, volume_id: str, instance_id: str, device: str) -> None:
    """Attach, and wait for it."""
    ec2(region).attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device=device)
    assert eventually(lambda: volume(region, volume_id)["Attachments"][0]["State"] == "attached")


def primary_eni(region: Region, node: Node) -> str:
    """A node's first interface."""
    return str(instance(region, node.instance_id)["NetworkInterfaces"][0]["NetworkInterfaceId"])


def keep_eni(region: Region, eni_id: str) -> None:
    """Let an ENI survive its instance."""
    change = {"AttachmentId": eni(region, eni_id)["Attachment"]["AttachmentId"], "DeleteOnTermination": False}
    ec2(region).modify_network_interface_attribute(NetworkInterfaceId=eni_id, Attachment=change)


def terminated(region: Region, instance_id: str) -> None:
    """Terminate, and wait for it."""
    ec2(region).terminate_instances(InstanceIds=[instance_id])
    becomes(region, instance_id, "terminated")


def image_id(region: Region) -> str:
    """The image that nodes are launched from."""
    wanted = [{"Name": "name", "Values": [IMAGE_NAME]}]
    return str(ec2(region).describe_images(Owners=["self"], Filters=wanted)["Images"][0]["ImageId"])


def subnet_id(region: Region, node: Node) -> str:
    """The subnet of a node."""
    return str(instance(region, node.instance_id)["SubnetId"])


def a_launch(region: Region, **request: Any) -> dict[str, Any]:  # noqa: ANN401  # a request's own fields
    """RunInstances of one instance; → what it answers about it."""
    given = {"ImageId": image_id(region), "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, **request}
    found: dict[str, Any] = ec2(region).run_instances(**given)["Instances"][0]
    return found
