"""A dead node comes back under its own address, by its alarm or by hand, and goes on where it was halted."""

import json
from typing import Any

from aerokeep.rules.relaunch import masking_user_data

from sandbox.light.launch import DATA_DEVICES, LightCluster
from tests.crash.field import Execution
from tests.crash.journeys import whole
from tests.workflow.replace_node.scene import Scene

STATUS_CHECK = "aerokeep-{}-node-A2-status-check"
TYPE, ZONE = "m5.large", "eu-central-1a"


def report(ended: Execution) -> dict[str, Any]:
    assert ended.status == "SUCCEEDED", ended.words
    return dict(ended.output)


def halted(scene: Scene, cluster: LightCluster, ended: Execution, code: str) -> None:
    """Ended half done: locked, with a reason, and nobody else may begin."""
    assert ended.status == "FAILED"
    assert ended.cause.startswith(f"{code}: "), ended.words
    assert "start replace-node with the same input again" in ended.cause
    lock = scene.field.lock(cluster.name)
    assert (lock["state"], lock["journey"]) == ("halted", "replace-node")
    assert code in lock["reason"]
    other = scene.field.run("backup", f"{cluster.name}-refused", {"cluster": cluster.name, "consistency": "crash"})
    assert other.cause.startswith("cluster_halted: ")


def test_a_dead_node_is_itself_again_on_a_new_instance(scene: Scene) -> None:
    cluster = scene.protected("itself")
    victim = scene.power_loss(cluster, 2)
    before, volumes = scene.instance(victim.instance_id), scene.volumes_of(victim)
    told = report(scene.replace({"cluster": cluster.name, "node": victim.private_ip}))
    assert (told["node"], told["ip"], told["replaced_instance"]) == ("A2", victim.private_ip, victim.instance_id)
    assert (told["same_ip"], told["same_mac"], told["same_node_id"], told["data"]) == (True, True, True, "reattach")
    assert whole(cluster)
    assert scene.is_gone(victim.instance_id)
    after = scene.instance(told["instance"])
    for part in ("NetworkInterfaceId", "MacAddress", "PrivateIpAddress"):
        assert after["NetworkInterfaces"][0][part] == before["NetworkInterfaces"][0][part]
    mappings = {m["DeviceName"]: m["Ebs"] for m in after["BlockDeviceMappings"] if m["DeviceName"] in DATA_DEVICES}
    assert {device: ebs["VolumeId"] for device, ebs in mappings.items()} == volumes
    assert not any(ebs["DeleteOnTermination"] for ebs in mappings.values())
    tags = {tag["Key"]: tag["Value"] for tag in after["Tags"]}
    assert tags["cluster"] == cluster.name
    assert tags["aerokeep:run"].startswith("itself-replace-")


def test_its_user_data_mask_the_server_first_and_inventory_and_alarms_follow_it(scene: Scene) -> None:
    cluster = scene.protected("follow")
    victim = scene.power_loss(cluster, 2)
    told = report(scene.replace({"cluster": cluster.name, "node": "A2"}))
    attribute = scene.region.client("ec2").describe_instance_attribute(
        InstanceId=told["instance"], Attribute="userData"
    )
    assert masking_user_data(attribute["UserData"]["Value"]).startswith(b"Content-Type: multipart/mixed")
    nodes = {node["node_id"]: node for node in scene.inventory(cluster.name)["nodes"]}
    assert nodes["A2"]["instance_id"] == told["instance"]
    assert nodes["A2"]["unprotected"] == []
    assert {node_id: node["instance_id"] for node_id, node in nodes.items() if node_id != "A2"} == {
        member.node_id: member.instance_id for member in cluster.members if member is not victim
    }
    watched = {dimensions["InstanceId"] for dimensions in scene.alarms(cluster.name).values()}
    assert watched == {node["instance_id"] for node in nodes.values()}


def test_an_alarm_starts_it_and_one_of_an_instance_that_is_no_longer_the_node_is_not_followed(scene: Scene) -> None:
    cluster = scene.protected("alarmed")
    victim = scene.power_loss(cluster, 2)
    name = STATUS_CHECK.format(cluster.name)
    cloudwatch, states = scene.region.client("cloudwatch"), scene.region.client("stepfunctions")
    machine = scene.field.outputs["ReplaceNodeMachineArn"]

    def executions() -> list[dict[str, Any]]:
        listed = states.list_executions(stateMachineArn=machine)["executions"]
        inputs = [(e, json.loads(states.describe_execution(executionArn=e["executionArn"])["input"])) for e in listed]
        return [{**execution, "input": told} for execution, told in inputs if told.get("alarm") == name]

    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="the host is gone")
    scene.until(lambda: bool(executions()), "an execution of the alarm")
    (begun,) = executions()
    assert begun["input"] == {"alarm": name, "instance": victim.instance_id}
    told = report(scene.field.ended(begun["executionArn"]))
    assert told["replaced_instance"] == victim.instance_id
    with scene.acts() as acts:
        stale = scene.replace(begun["input"])
    assert acts == set()
    assert report(stale)["suppressed"] is True
    assert f"{victim.instance_id} is no longer node A2" in stale.output["reason"]


def test_an_alarm_is_not_followed_against_the_policy(scene: Scene) -> None:
    cluster = scene.protected("byhand", automatic=False)
    victim = scene.power_loss(cluster, 2)
    ended = scene.replace({"alarm": STATUS_CHECK.format(cluster.name), "instance": victim.instance_id})
    assert report(ended)["suppressed"] is True
    assert "replace.automatic is false" in ended.output["reason"]
    other = scene.replace({"alarm": "aerokeep-of-something-else", "instance": victim.instance_id})
    assert report(other)["reason"] == "aerokeep-of-something-else watches no node"


def test_an_alarm_is_not_followed_while_the_cluster_is_held(scene: Scene) -> None:
    cluster = scene.protected("held")
    victim = scene.power_loss(cluster, 2)
    holder = scene.begin({"cluster": cluster.name, "node": "A2"})
    scene.wait_for_state(holder, "DiagnoseNode")
    ended = scene.replace({"alarm": STATUS_CHECK.format(cluster.name), "instance": victim.instance_id})
    assert report(ended)["suppressed"] is True
    assert "replace-node held-replace-" in ended.output["reason"]
    report(scene.field.ended(holder))


def test_an_instance_that_a_person_ended_is_replaced_by_hand_alone(scene: Scene) -> None:
    cluster = scene.protected("person")
    victim = cluster.members[1]
    scene.terminated(victim)
    alarm = {"alarm": STATUS_CHECK.format(cluster.name), "instance": victim.instance_id}
    assert scene.replace(alarm).cause.startswith("ended_by_hand: ")
    assert report(scene.replace({"cluster": cluster.name, "node": "A2"}))["same_mac"] is True
    assert whole(cluster)


def test_where_the_interface_is_gone_too_address_and_node_id_come_back_all_the_same(scene: Scene) -> None:
    cluster = scene.protected("newmac")
    victim = cluster.members[1]
    interface_id = scene.terminated(victim)
    scene.region.client("ec2").delete_network_interface(NetworkInterfaceId=interface_id)
    told = report(scene.replace({"cluster": cluster.name, "node": "A2"}))
    assert (told["same_ip"], told["same_mac"], told["same_node_id"]) == (True, False, True)
    assert whole(cluster)


def test_without_capacity_it_is_halted_and_goes_on_when_there_is_some(scene: Scene) -> None:
    cluster = scene.protected("capacity")
    scene.power_loss(cluster, 2)
    request = {"cluster": cluster.name, "node": "A2"}
    scene.region.ec2.run_short(TYPE, ZONE)
    try:
        halted(scene, cluster, scene.replace(request), "no_capacity")
    finally:
        scene.region.ec2.stock_up(TYPE, ZONE)
    told = report(scene.replace({"cluster": cluster.name, "node": cluster.members[1].private_ip}))
    assert told["same_mac"] is True
    assert whole(cluster)


def test_an_instance_that_does_not_end_halts_it_and_an_operator_can_go_on(scene: Scene) -> None:
    cluster = scene.protected("stuck")
    victim = scene.power_loss(cluster, 2)
    request = {"cluster": cluster.name, "node": "A2"}
    scene.region.ec2.stick(victim.instance_id, "shutting-down")
    ended = scene.replace(request)
    halted(scene, cluster, ended, "fence_stuck")
    assert "do not launch anything with its address" in ended.cause
    with scene.acts() as acts:
        alarmed = scene.replace({"alarm": STATUS_CHECK.format(cluster.name), "instance": victim.instance_id})
    assert acts == set()
    assert "(halted)" in report(alarmed)["reason"]
    scene.region.ec2.unstick(victim.instance_id, "shutting-down")
    report(scene.replace(request))
    assert whole(cluster)
