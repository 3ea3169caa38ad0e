"""Instances, volumes and snapshots behave as EC2's, and the data plane follows."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.region import Node, Region, VolumeSpec
from tests.workflow.region.ec2_shapes import ZONE
from tests.workflow.region.folder_plane import FolderPlane
from tests.workflow.region.shapes import eventually, state_of

TWO = (VolumeSpec(device="/dev/sdf"), VolumeSpec(device="/dev/sdg", size_gib=20, encrypted=True))


@pytest.fixture
def node(region: Region) -> Node:
    return region.launch_node("one", "10.77.0.11", volumes=TWO, tags={"cluster": "demo"}, profile="nodes")


def _cut(region: Region, node: Node, **spec: object) -> list[dict[str, Any]]:
    specification = {"InstanceId": node.instance_id, "ExcludeBootVolume": True, **spec}
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "run", "Value": "r1"}]}]
    made: list[dict[str, Any]] = region.client("ec2").create_snapshots(
        InstanceSpecification=specification, TagSpecifications=tags
    )["Snapshots"]
    return made


def test_a_launched_node_runs_with_its_address_and_its_volumes_in_the_plane(
    region: Region, node: Node, plane: FolderPlane
) -> None:
    filters = [{"Name": "tag:cluster", "Values": ["demo"]}, {"Name": "instance-state-name", "Values": ["running"]}]
    found = region.client("ec2").describe_instances(Filters=filters)["Reservations"][0]["Instances"][0]
    assert (found["InstanceId"], found["PrivateIpAddress"]) == (node.instance_id, "10.77.0.11")
    assert found["NetworkInterfaces"][0]["PrivateIpAddress"] == "10.77.0.11"
    assert found["IamInstanceProfile"]["Arn"].endswith("instance-profile/nodes")
    attached = [{"Name": "attachment.instance-id", "Values": [node.instance_id]}]
    volumes = region.client("ec2").describe_volumes(Filters=[*attached, {"Name": "status", "Values": ["in-use"]}])
    assert {volume["VolumeId"] for volume in volumes["Volumes"]} == {node.root_volume_id, *node.volumes.values()}
    assert plane.nodes == {node.instance_id: "10.77.0.11"}
    assert plane.attached[node.root_volume_id] == (node.instance_id, "/dev/sda1", True)
    assert plane.attached[node.volumes["/dev/sdg"]] == (node.instance_id, "/dev/sdg", False)


def test_a_stopped_node_has_no_processes_and_its_agent_is_lost(region: Region, node: Node, plane: FolderPlane) -> None:
    region.client("ec2").stop_instances(InstanceIds=[node.instance_id])
    assert eventually(lambda: state_of(region, node.instance_id) == "stopped")
    information = region.client("ssm").describe_instance_information()["InstanceInformationList"]
    assert plane.nodes == {}
    assert [entry["PingStatus"] for entry in information] == ["ConnectionLost"]
    region.client("ec2").start_instances(InstanceIds=[node.instance_id])
    assert eventually(lambda: state_of(region, node.instance_id) == "running")
    assert set(plane.attached) == {node.root_volume_id, *node.volumes.values()}


def test_a_set_is_cut_at_one_instant_then_pending_then_completed(
    region: Region, node: Node, plane: FolderPlane
) -> None:
    made = _cut(region, node)
    ec2 = region.client("ec2")
    assert plane.cuts == [(node.instance_id, {entry["VolumeId"]: entry["SnapshotId"] for entry in made})]
    assert {entry["VolumeId"] for entry in made} == set(node.volumes.values())
    assert {entry["State"] for entry in made} == {"pending"}
    assert len({entry["StartTime"] for entry in made}) == 1

    def found() -> list[dict[str, Any]]:
        snapshots: list[dict[str, Any]] = ec2.describe_snapshots(
            OwnerIds=["self"], Filters=[{"Name": "tag:run", "Values": ["r1"]}]
        )["Snapshots"]
        return snapshots

    shares = [int(entry["Progress"].rstrip("%")) for _ in range(3) for entry in found()[:1]]
    assert shares == sorted(shares)
    assert eventually(lambda: {(e["State"], e["Progress"]) for e in found()} == {("completed", "100%")})
    by_volume = {entry["VolumeId"]: entry for entry in found()}
    encrypted = by_volume[node.volumes["/dev/sdg"]]
    key = ec2.describe_volumes(VolumeIds=[encrypted["VolumeId"]])["Volumes"][0]["KmsKeyId"]
    assert (encrypted["Encrypted"], encrypted["KmsKeyId"], encrypted["VolumeSize"]) == (True, key, 20)
    assert not by_volume[node.volumes["/dev/sdf"]]["Encrypted"]


def test_volumes_can_be_left_out_but_not_the_root_volume_by_its_id(region: Region, node: Node) -> None:
    out = node.volumes["/dev/sdf"]
    for wrong in (node.root_volume_id, "vol-00000000000000000"):
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            _cut(region, node, ExcludeDataVolumeIds=[wrong])
    assert [entry["VolumeId"] for entry in _cut(region, node, ExcludeDataVolumeIds=[out])] == [node.volumes["/dev/sdg"]]


def test_the_same_volume_is_not_cut_twice_within_seconds(region: Region, node: Node, plane: FolderPlane) -> None:
    _cut(region, node)
    with pytest.raises(ClientError, match="SnapshotCreationPerVolumeRateExceeded"):
        _cut(region, node)
    assert len(plane.cuts) == 1


def test_snapshots_are_listed_in_pages_and_by_id_and_can_be_tagged_and_deleted(
    region: Region, node: Node, plane: FolderPlane
) -> None:
    ids = [entry["SnapshotId"] for entry in _cut(region, node)]
    ec2 = region.client("ec2")
    more = [
        ec2.create_snapshot(VolumeId=ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]) for _ in range(4)
    ]
    wanted = [{"Name": "snapshot-id", "Values": [*ids, *(entry["SnapshotId"] for entry in more)]}]
    pages = list(ec2.get_paginator("describe_snapshots").paginate(Filters=wanted, PaginationConfig={"PageSize": 5}))
    assert [len(page["Snapshots"]) for page in pages] == [5, 1]
    ec2.create_tags(Resources=ids[:1], Tags=[{"Key": "aerokeep:device", "Value": "/dev/sdf"}])
    tags = ec2.describe_snapshots(SnapshotIds=ids[:1])["Snapshots"][0]["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"run": "r1", "aerokeep:device": "/dev/sdf"}
    ec2.delete_snapshot(SnapshotId=ids[0])
    assert ids[0] not in plane.snapshots
    assert ids[1] in plane.snapshots
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.NotFound.*" + ids[0]):
        ec2.describe_snapshots(SnapshotIds=ids)


def test_a_member_can_fail_with_the_words_of_aws(region: Region, node: Node) -> None:
    first = _cut(region, node)[0]["SnapshotId"]
    region.snapshots.fail(first, "Client.InvalidKmsKey.InvalidState")
    found = region.client("ec2").describe_snapshots(SnapshotIds=[first])["Snapshots"][0]
    assert (found["State"], found["StateMessage"]) == ("error", "Client.InvalidKmsKey.InvalidState")


def test_a_volume_from_a_snapshot_is_one_in_the_plane_too(region: Region, node: Node, plane: FolderPlane) -> None:
    snapshot_id = _cut(region, node)[0]["SnapshotId"]
    ec2 = region.client("ec2")
    with pytest.raises(ClientError, match="IncorrectState"):
        ec2.create_volume(SnapshotId=snapshot_id, AvailabilityZone="eu-central-1a")
    region.snapshots.hold(snapshot_id, 0)
    volume_id = ec2.create_volume(SnapshotId=snapshot_id, AvailabilityZone="eu-central-1a")["VolumeId"]
    assert plane.volumes[volume_id] == snapshot_id
