"""What ``protect`` and every backup keep, write down and watch; what they can't is told, and fails nothing."""

import time
from collections.abc import Mapping
from typing import Any

from aerokeep.model.inventory import Inventory

from sandbox.light.launch import DATA_DEVICES, FILE_DEVICE, MOUNT_POINT, LightCluster
from sandbox.region import ApiCall
from sandbox.region.faults import ApiError
from tests.crash.field import Execution
from tests.workflow.replace_node.scene import Scene

CHANGES = ("Modify", "Create", "PutMetricAlarm", "DeleteAlarms")
CRASH = {"consistency": "crash"}


def run(scene: Scene, journey: str, name: str, **request: Any) -> Execution:  # noqa: ANN401 - any input
    """An execution that must succeed; runs are named to the second, and each is to have its own."""
    time.sleep(1.0 - time.time() % 1.0)
    ended = scene.field.run(journey, name, request)
    assert ended.status == "SUCCEEDED", ended.words
    return ended


def protect(scene: Scene, cluster: LightCluster, number: int, **request: Any) -> Execution:  # noqa: ANN401 - any input
    return run(scene, "protect", f"{cluster.name}-{number}", cluster=cluster.name, **request)


def kept(scene: Scene, cluster: LightCluster) -> dict[str, bool]:
    """Whether each data volume, and each interface, would outlive its instance."""
    found = {}
    for member in cluster.members:
        instance = scene.instance(member.instance_id)
        for mapping in instance["BlockDeviceMappings"]:
            if mapping["DeviceName"] in DATA_DEVICES:
                found[f"{member.node_id} {mapping['DeviceName']}"] = not mapping["Ebs"]["DeleteOnTermination"]
        found[member.node_id] = not instance["NetworkInterfaces"][0]["Attachment"]["DeleteOnTermination"]
    return found


def changes(calls: list[ApiCall]) -> list[str]:
    return sorted(c.action for c in calls if c.action.startswith(CHANGES) and c.service in {"ec2", "monitoring"})


def test_protect_keeps_volumes_and_addresses_and_watches_every_node(scene: Scene) -> None:
    cluster = scene.field.launch("keeping")
    assert not any(kept(scene, cluster).values())
    told = protect(scene, cluster, 1).output
    assert (told["nodes"], told["unprotected"], told["alarms_put"], told["alarms_deleted"]) == (3, {}, 6, 0)
    assert all(kept(scene, cluster).values())
    inventory = Inventory.model_validate(scene.inventory(cluster.name))
    for member in cluster.members:
        node = inventory.node(member.private_ip)
        assert node is not None
        assert (node.node_id, node.instance_id, node.unprotected) == (member.node_id, member.instance_id, ())
        assert {volume.device for volume in node.data_volumes} == set(DATA_DEVICES)
        (file_volume,) = [volume for volume in node.volumes if volume.device == FILE_DEVICE]
        assert file_volume.mount is not None
        assert (file_volume.mount.point, file_volume.namespaces) == (MOUNT_POINT, ("test",))
        assert [file.key.rpartition("/")[2] for file in node.conf] == ["aerospike.conf"]
        assert node.image_holds_build
        assert node.launch["ImageId"] == node.image_id
    assert {d["InstanceId"] for d in scene.alarms(cluster.name).values()} == {m.instance_id for m in cluster.members}


def test_a_second_protect_changes_nothing_and_uploads_nothing(scene: Scene) -> None:
    cluster = scene.field.launch("again")
    protect(scene, cluster, 1)
    first, calls = Inventory.model_validate(scene.inventory(cluster.name)), list[ApiCall]()
    with scene.region.faults.during(before=calls.append):
        told = protect(scene, cluster, 2).output
    assert (told["alarms_put"], told["alarms_deleted"]) == (0, 0)
    assert changes([call for call in calls if call.caller.startswith("AerokeepWorkflow-Protect")]) == []
    second = Inventory.model_validate(scene.inventory(cluster.name))
    assert [node.conf for node in second.nodes] == [node.conf for node in first.nodes]
    assert second.run_id != first.run_id


def test_a_dead_node_keeps_its_entry_and_its_alarms_and_one_that_was_taken_out_is_forgotten(scene: Scene) -> None:
    cluster = scene.field.launch("absent")
    protect(scene, cluster, 1)
    before = {node["node_id"]: node for node in scene.inventory(cluster.name)["nodes"]}
    scene.power_loss(cluster, 3)
    told = protect(scene, cluster, 2).output
    assert (told["nodes"], told["alarms_deleted"]) == (2, 0)
    after = {node["node_id"]: node for node in scene.inventory(cluster.name)["nodes"]}
    assert after["A3"] == before["A3"]
    told = protect(scene, cluster, 3, forget=["a3"]).output
    assert told["alarms_deleted"] == 2
    assert {node["node_id"] for node in scene.inventory(cluster.name)["nodes"]} == {"A1", "A2"}


def test_where_no_image_is_known_to_hold_the_build_one_is_made_of_the_boot_volume_once(scene: Scene) -> None:
    ec2 = scene.region.client("ec2")
    cluster = scene.field.launch("images")
    own = scene.instance(cluster.members[0].instance_id)["ImageId"]
    build = [{"Key": "aerokeep:build"}]
    (tag,) = [t for t in ec2.describe_images(ImageIds=[own])["Images"][0]["Tags"] if t["Key"] == build[0]["Key"]]
    ec2.delete_tags(Resources=[own], Tags=build)
    try:
        protect(scene, cluster, 1)
        protect(scene, cluster, 2)
    finally:
        ec2.create_tags(Resources=[own], Tags=[tag])
    wanted = [{"Name": "tag:aerokeep:cluster", "Values": [cluster.name]}]
    images = ec2.describe_images(Filters=wanted)["Images"]
    assert len(images) == len(cluster.members)
    for image in images:
        tags = {t["Key"]: t["Value"] for t in image["Tags"]}
        assert tags["aerokeep:build"] == tag["Value"]
        assert [mapping["DeviceName"] for mapping in image["BlockDeviceMappings"]] == [image["RootDeviceName"]]
    nodes = scene.inventory(cluster.name)["nodes"]
    assert {node["image_id"] for node in nodes} == {image["ImageId"] for image in images}
    # A backup that is given up deletes what carries its run: the image's own snapshot must not.
    for snapshot in ec2.describe_snapshots(Filters=wanted)["Snapshots"]:
        assert "aerokeep:run" not in {t["Key"] for t in snapshot["Tags"]}


def refusing(action: str, *, caller: str) -> Mapping[str, Any]:
    """A fault: AWS does not allow one action to one step."""

    def refuse(call: ApiCall) -> None:
        if call.action == action and call.caller.startswith(f"AerokeepWorkflow-{caller}"):
            raise ApiError("UnauthorizedOperation", "You are not authorized to perform this operation.", status=403)

    return {"before": refuse}


def test_a_backup_tells_what_it_could_not_protect_and_is_taken_all_the_same(scene: Scene) -> None:
    scene.field.launch("denied")
    with scene.region.faults.during(**refusing("ModifyInstanceAttribute", caller="BackupProtectNodes")):
        point = run(scene, "backup", "denied-1", cluster="denied", **CRASH).output["point"]
    inventory = Inventory.model_validate(scene.field.manifest("denied", point)["inventory"])
    reasons = [reason.partition(":")[0] for node in inventory.nodes for reason in node.unprotected]
    assert reasons.count("not_kept") == 3 * (1 + len(DATA_DEVICES))  # what AWS said, and each volume
    with scene.region.faults.during(**refusing("GetLaunchTemplateData", caller="BackupProtectNodes")):
        ended = run(scene, "backup", "denied-2", cluster="denied", **CRASH)
    assert scene.field.manifest("denied", ended.output["point"])["inventory"] is None


def test_a_backups_inventory_names_the_points_own_conf_and_serves_a_replacement(scene: Scene) -> None:
    cluster = scene.field.launch("bybackup", replace={"patience_s": 3})
    point = run(scene, "backup", "bybackup-1", cluster=cluster.name, **CRASH).output["point"]
    inventory = Inventory.model_validate(scene.inventory(cluster.name))
    assert inventory == Inventory.model_validate(scene.field.manifest(cluster.name, point)["inventory"])
    assert all(file.key.startswith(f"clusters/bybackup/points/{point}/") for n in inventory.nodes for file in n.conf)
    assert all(kept(scene, cluster).values())
    assert scene.alarms(cluster.name) == {}, "alarms are the business of protect"


def test_nothing_is_touched_while_a_cluster_is_being_put_together(scene: Scene) -> None:
    cluster = scene.protected("yielding")
    scene.power_loss(cluster, 2)
    holder = scene.begin({"cluster": cluster.name, "node": "A2"})
    scene.wait_for_state(holder, "FenceNode")
    calls: list[ApiCall] = []
    with scene.region.faults.during(before=calls.append):
        told = protect(scene, cluster, 2).output
        asked = run(scene, "health", "yielding-health", cluster=cluster.name).output
    assert told["skipped"] is True
    assert asked == {"recorded": 0}, "it has no point whose age could be told"
    ours = [c for c in calls if c.caller.startswith(("AerokeepWorkflow-Protect", "AerokeepWorkflow-Health"))]
    assert changes(ours) == []
    assert not any(call.action in {"SendCommand", "PutMetricData"} for call in ours)
    assert scene.field.ended(holder).status == "SUCCEEDED"
