"""EBS volumes pass through their states, and each state forbids what it forbids in AWS."""

import pytest

from sandbox.region import Node, Pace, Region, VolumeSpec
from tests.workflow.region.ec2_shapes import ZONE, a_volume, attached, becomes, ec2, refused, state, terminated, volume
from tests.workflow.region.folder_plane import FolderPlane
from tests.workflow.region.shapes import eventually


@pytest.fixture
def node(region: Region) -> Node:
    return region.launch_node("one", "10.77.0.11", volumes=(VolumeSpec(device="/dev/sdf"),))


def test_a_volume_is_creating_then_available_and_keeps_what_was_asked_for(region: Region) -> None:
    asked = {"VolumeType": "gp3", "Iops": 4000, "Throughput": 250, "Encrypted": True, "Size": 9}
    made = ec2(region).create_volume(AvailabilityZone=ZONE, **asked)
    assert made["State"] == "creating"
    assert eventually(lambda: volume(region, made["VolumeId"])["State"] == "available")
    found = volume(region, made["VolumeId"])
    assert {name: found[name] for name in asked} == asked
    assert found["KmsKeyId"]


class TestCreating:
    """Volumes that take long."""

    @pytest.fixture
    def pace(self) -> Pace:
        return Pace(volume_creating_s=0.5)

    def test_a_volume_that_is_being_created_cannot_be_used(self, region: Region, node: Node) -> None:
        volume_id = ec2(region).create_volume(AvailabilityZone=ZONE, Size=8)["VolumeId"]
        request = {"VolumeId": volume_id, "InstanceId": node.instance_id, "Device": "/dev/sdg"}
        refused(region, "IncorrectState", "attach_volume", **request)
        refused(region, "IncorrectState", "delete_volume", VolumeId=volume_id)


class TestDeleting:
    """Volumes that take long to go."""

    @pytest.fixture
    def pace(self) -> Pace:
        return Pace(volume_deleting_s=0.3)

    def test_a_volume_that_is_being_deleted_is_still_told_and_cannot_be_used(
        self, region: Region, node: Node, plane: FolderPlane
    ) -> None:
        volume_id = a_volume(region)
        ec2(region).delete_volume(VolumeId=volume_id)
        assert volume(region, volume_id)["State"] == "deleting"
        request = {"VolumeId": volume_id, "InstanceId": node.instance_id, "Device": "/dev/sdg"}
        refused(region, "IncorrectState", "attach_volume", **request)
        refused(region, "IncorrectState", "delete_volume", VolumeId=volume_id)
        wanted = [{"Name": "volume-id", "Values": [volume_id]}]
        assert eventually(lambda: ec2(region).describe_volumes(Filters=wanted)["Volumes"] == [])
        assert volume_id not in plane.volumes
        refused(region, "InvalidVolume.NotFound", "delete_volume", VolumeId=volume_id)


def test_a_gp3_volume_has_the_throughput_that_comes_with_it(region: Region) -> None:
    assert volume(region, a_volume(region, VolumeType="gp3"))["Throughput"] == 125
    assert "Throughput" not in volume(region, a_volume(region, VolumeType="gp2"))


@pytest.mark.parametrize("other", [False, True])
def test_a_volume_from_an_encrypted_snapshot_has_its_key_unless_another_is_named(region: Region, other: bool) -> None:  # noqa: FBT001  # one of two cases
    key = region.client("kms").create_key()["KeyMetadata"]["Arn"] if other else None
    source = a_volume(region, Encrypted=True)
    snapshot_id = ec2(region).create_snapshot(VolumeId=source)["SnapshotId"]
    region.snapshots.hold(snapshot_id, 0)
    asked = {"SnapshotId": snapshot_id, **({"Encrypted": True, "KmsKeyId": key} if key else {})}
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "aerokeep:run", "Value": "r"}]}]
    made = volume(region, a_volume(region, **asked, TagSpecifications=tags))
    assert (made["SnapshotId"], made["Encrypted"]) == (snapshot_id, True)
    assert made["KmsKeyId"] == (key or volume(region, source)["KmsKeyId"])
    assert made["Tags"] == [{"Key": "aerokeep:run", "Value": "r"}]


def test_a_token_makes_one_volume(region: Region) -> None:
    request = {"AvailabilityZone": ZONE, "Size": 8, "ClientToken": "t1"}
    first, second = (ec2(region).create_volume(**request)["VolumeId"] for _ in range(2))
    assert first == second
    refused(region, "IdempotentParameterMismatch", "create_volume", **{**request, "Size": 9})


def test_only_what_fits_becomes_a_volume(region: Region, node: Node) -> None:
    snapshot_id = ec2(region).create_snapshot(VolumeId=node.volumes["/dev/sdf"])["SnapshotId"]
    request = {"AvailabilityZone": ZONE, "SnapshotId": snapshot_id}
    refused(region, "IncorrectState", "create_volume", **request)
    region.snapshots.hold(snapshot_id, 0)
    refused(region, "InvalidParameterValue", "create_volume", **request, Size=1)
    unknown = {**request, "SnapshotId": "snap-0123456789abcdef0"}
    assert "snap-0123456789abcdef0" in refused(region, "InvalidSnapshot.NotFound", "create_volume", **unknown)
    refused(region, "InvalidZone.NotFound", "create_volume", AvailabilityZone="mars-1a", Size=8)


def test_an_attachment_takes_its_time_both_ways(region: Region, node: Node, plane: FolderPlane) -> None:
    volume_id = a_volume(region)
    told = ec2(region).attach_volume(VolumeId=volume_id, InstanceId=node.instance_id, Device="/dev/sdg")
    assert told["State"] == "attaching"
    assert eventually(lambda: volume(region, volume_id)["Attachments"][0]["State"] == "attached")
    found = volume(region, volume_id)
    assert (found["State"], found["Attachments"][0]["DeleteOnTermination"]) == ("in-use", False)
    assert plane.attached[volume_id] == (node.instance_id, "/dev/sdg", False)
    assert ec2(region).detach_volume(VolumeId=volume_id)["State"] == "detaching"
    assert eventually(lambda: volume(region, volume_id)["State"] == "available")
    assert volume_id not in plane.attached


def test_what_aws_does_not_attach_is_not_attached(region: Region, node: Node) -> None:
    other, data = a_volume(region), node.volumes["/dev/sdf"]
    request = {"InstanceId": node.instance_id, "Device": "/dev/sdg"}
    refused(region, "VolumeInUse", "attach_volume", **request, VolumeId=data)
    message = refused(
        region, "InvalidParameterValue", "attach_volume", **{**request, "Device": "/dev/sdf"}, VolumeId=other
    )
    assert "already in use" in message
    elsewhere = a_volume(region, AvailabilityZone="eu-central-1b")
    refused(region, "InvalidVolume.ZoneMismatch", "attach_volume", **request, VolumeId=elsewhere)
    refused(region, "InvalidVolume.NotFound", "attach_volume", **request, VolumeId="vol-0123456789abcdef0")
    unknown = {**request, "InstanceId": "i-0123456789abcdef0"}
    refused(region, "InvalidInstanceID.NotFound", "attach_volume", **unknown, VolumeId=other)
    terminated(region, node.instance_id)
    refused(region, "IncorrectState", "attach_volume", **request, VolumeId=other)


def test_what_aws_does_not_detach_is_not_detached(region: Region, node: Node) -> None:
    refused(region, "OperationNotPermitted", "detach_volume", VolumeId=node.root_volume_id)
    free = a_volume(region)
    refused(region, "IncorrectState", "detach_volume", VolumeId=free)
    wrong = {"VolumeId": node.volumes["/dev/sdf"], "InstanceId": "i-0123456789abcdef0"}
    refused(region, "InvalidAttachment.NotFound", "detach_volume", **wrong)
    ec2(region).stop_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "stopped")
    ec2(region).detach_volume(VolumeId=node.root_volume_id)
    assert eventually(lambda: volume(region, node.root_volume_id)["State"] == "available")


def test_only_a_free_volume_can_be_deleted(region: Region, node: Node, plane: FolderPlane) -> None:
    refused(region, "VolumeInUse", "delete_volume", VolumeId=node.volumes["/dev/sdf"])
    free = a_volume(region)
    ec2(region).delete_volume(VolumeId=free)
    assert free not in plane.volumes
    refused(region, "InvalidVolume.NotFound", "delete_volume", VolumeId=free)


def test_a_volume_that_the_guest_uses_is_busy_until_it_is_let_go(
    region: Region, node: Node, plane: FolderPlane
) -> None:
    data = node.volumes["/dev/sdf"]
    plane.busy.add(data)
    ec2(region).detach_volume(VolumeId=data)
    assert eventually(lambda: volume(region, data)["Attachments"][0]["State"] == "busy")
    plane.busy.clear()
    assert eventually(lambda: volume(region, data)["State"] == "available")


def test_a_dead_guest_lets_a_volume_go_by_force_only(region: Region, node: Node) -> None:
    data = node.volumes["/dev/sdf"]
    region.power_loss(node.instance_id)
    ec2(region).detach_volume(VolumeId=data)
    assert not eventually(lambda: volume(region, data)["State"] == "available", within_s=0.3)
    assert volume(region, data)["Attachments"][0]["State"] == "detaching"
    ec2(region).detach_volume(VolumeId=data, Force=True)
    assert eventually(lambda: volume(region, data)["State"] == "available")
    assert state(region, node.instance_id) == "running"


def test_a_volume_for_a_stopped_instance_is_there_when_it_starts(
    region: Region, node: Node, plane: FolderPlane
) -> None:
    ec2(region).stop_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "stopped")
    volume_id = a_volume(region)
    attached(region, volume_id, node.instance_id, "/dev/sdg")
    assert volume_id not in plane.attached
    ec2(region).start_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "running")
    assert plane.attached[volume_id] == (node.instance_id, "/dev/sdg", False)


def test_volumes_are_found_by_what_they_are(region: Region, node: Node) -> None:
    def found(name: str, value: str) -> set[str]:
        filters = [{"Name": name, "Values": [value]}, {"Name": "attachment.instance-id", "Values": [node.instance_id]}]
        return {entry["VolumeId"] for entry in ec2(region).describe_volumes(Filters=filters)["Volumes"]}

    assert found("attachment.delete-on-termination", "true") == {node.root_volume_id}
    assert found("volume-type", "gp3") == {node.root_volume_id, *node.volumes.values()}
    assert found("status", "available") == set()


def test_a_volume_can_fail(region: Region, node: Node) -> None:
    volume_id = a_volume(region)
    region.ec2.volumes.fail(volume_id)
    assert volume(region, volume_id)["State"] == "error"
    request = {"VolumeId": volume_id, "InstanceId": node.instance_id, "Device": "/dev/sdg"}
    refused(region, "IncorrectState", "attach_volume", **request)
