"""What ``replace-node`` refuses, with nothing touched: judged by a record of all that its roles called."""

import pytest

from sandbox.light.launch import FILE_DEVICE, RAW_DEVICE, LightCluster
from sandbox.region import ApiCall
from tests.crash.field import Execution
from tests.crash.journeys import whole
from tests.workflow.replace_node.scene import Scene


def refused(scene: Scene, cluster: LightCluster, node: str, **more: str) -> Execution:
    """A refusal that left no lock and touched nothing."""
    with scene.acts() as acts:
        ended = scene.replace({"cluster": cluster.name, "node": node, **more})
    assert acts == set(), ended.words
    assert ended.status == "FAILED"
    assert "owner" not in scene.field.lock(cluster.name)
    return ended


def test_refusal_of_a_node_that_lives(scene: Scene) -> None:
    cluster = scene.protected("alive")
    ended = refused(scene, cluster, cluster.members[1].private_ip)
    assert (ended.error, ended.cause.partition(":")[0]) == ("RejectedError", "node_alive")
    assert whole(cluster)


def test_refusal_of_a_node_whose_agent_alone_is_dead(scene: Scene) -> None:
    cluster = scene.protected("agent")
    scene.region.set_agent(cluster.members[1].instance_id, online=False)
    ended = refused(scene, cluster, "A2")
    assert ended.cause.startswith("node_alive: ")
    assert "see to the SSM agent" in ended.cause
    assert whole(cluster)


def test_refusal_of_a_node_whose_server_alone_is_dead(scene: Scene) -> None:
    cluster = scene.protected("server")
    with scene.field.plane.lock:
        server = scene.field.plane.host(cluster.members[1].instance_id).server
        assert server is not None
        server.stop()
    assert refused(scene, cluster, "A2").cause.startswith("host_alive: ")


def test_refusal_of_three_nodes_at_once(scene: Scene) -> None:
    cluster = scene.protected("three")
    scene.power_loss(cluster, 1, 2, 3)
    ended = refused(scene, cluster, "A2")
    assert ended.cause.startswith("second_failure: besides node A2 A1, A3 can't be seen either")


def test_refusal_of_a_second_node_that_failed_with_the_first(scene: Scene) -> None:
    cluster = scene.protected("two")
    scene.power_loss(cluster, 2, 3)
    assert refused(scene, cluster, "A2").cause.startswith("second_failure: besides node A2 A3")


def test_refusal_of_a_second_node_while_one_is_being_replaced(scene: Scene) -> None:
    cluster = scene.protected("second")
    victim = scene.power_loss(cluster, 2)
    first = scene.begin({"cluster": cluster.name, "node": victim.node_id})
    scene.wait_for_state(first, "DiagnoseNode")
    second = scene.replace({"cluster": cluster.name, "node": "A3"})
    assert (second.error, second.cause.partition(":")[0]) == ("ConflictError", "cluster_busy")
    ended = scene.field.ended(first)
    assert ended.status == "SUCCEEDED", ended.words
    assert whole(cluster)


def test_refusal_of_a_second_replacement_within_the_cool_down(scene: Scene) -> None:
    cluster = scene.protected("cooling", cool_down_s=600)
    victim = scene.power_loss(cluster, 2)
    assert scene.replace({"cluster": cluster.name, "node": victim.node_id}).status == "SUCCEEDED"
    scene.power_loss(cluster, 3)
    assert refused(scene, cluster, "A3").cause.startswith("cool_down: node A2 was replaced by cooling-replace-")


def test_refusal_of_a_machine_that_ec2_calls_well(scene: Scene) -> None:
    cluster = scene.protected("well")
    victim = scene.power_loss(cluster, 2)
    scene.region.ec2.heal(victim.instance_id)
    ended = refused(scene, cluster, "A2")
    assert (ended.error, ended.cause.partition(":")[0]) == ("NotReadyError", "checks_pass")


def test_refusal_of_an_interface_that_a_stranger_has(scene: Scene) -> None:
    cluster = scene.protected("eni")
    interface_id = scene.terminated(cluster.members[1])
    stranger = scene.field.clusters.launch("eni-stranger", tag=("cluster", "eni-stranger"), nodes=1)
    scene.region.client("ec2").attach_network_interface(
        NetworkInterfaceId=interface_id, InstanceId=stranger.members[0].instance_id, DeviceIndex=1
    )
    ended = refused(scene, cluster, "A2")
    assert ended.cause.startswith(f"interface_taken: {interface_id}")
    assert stranger.members[0].instance_id in ended.cause


def test_refusal_of_an_address_that_a_stranger_has(scene: Scene) -> None:
    cluster = scene.protected("address")
    victim = cluster.members[1]
    ec2, interface_id = scene.region.client("ec2"), scene.terminated(victim)
    subnet_id = scene.interface(interface_id)["SubnetId"]
    ec2.delete_network_interface(NetworkInterfaceId=interface_id)
    taken = ec2.create_network_interface(SubnetId=subnet_id, PrivateIpAddress=victim.private_ip)
    ended = refused(scene, cluster, victim.private_ip)
    assert ended.cause.startswith(f"ip_taken: {victim.private_ip}")
    assert taken["NetworkInterface"]["NetworkInterfaceId"] in ended.cause


def test_refusal_of_a_volume_that_a_stranger_has(scene: Scene) -> None:
    cluster = scene.protected("volume")
    victim = cluster.members[1]
    volume_id = scene.volumes_of(victim)[RAW_DEVICE]
    scene.terminated(victim)
    stranger = scene.field.clusters.launch("volume-stranger", tag=("cluster", "volume-stranger"), nodes=1)
    scene.region.client("ec2").attach_volume(
        VolumeId=volume_id, InstanceId=stranger.members[0].instance_id, Device="/dev/sdx"
    )
    assert refused(scene, cluster, "A2").cause.startswith(f"volume_taken: {volume_id}")


def test_refusal_of_blank_volumes_for_data_in_files(scene: Scene) -> None:
    cluster = scene.protected("blank")
    scene.power_loss(cluster, 2)
    ended = refused(scene, cluster, "A2", data="empty")
    assert ended.cause.startswith("empty_refused: test are in files")


@pytest.mark.parametrize("device", [FILE_DEVICE, RAW_DEVICE])
def test_refusal_of_a_fence_that_would_delete_a_volume(scene: Scene, device: str) -> None:
    """Somebody sets the attribute after it was seen to be right."""
    cluster = scene.protected(f"doomed{device[-1]}")
    victim = scene.power_loss(cluster, 2)

    def spoil(call: ApiCall) -> None:
        if call.action == "DescribeImages" and call.caller.startswith("AerokeepWorkflow-ReplaceNodeProtectNode"):
            scene.region.client("ec2").modify_instance_attribute(
                InstanceId=victim.instance_id,
                BlockDeviceMappings=[{"DeviceName": device, "Ebs": {"DeleteOnTermination": True}}],
            )

    with scene.region.faults.during(before=spoil):
        ended = refused(scene, cluster, "A2")
    assert ended.cause.startswith(f"delete_on_termination: {scene.volumes_of(victim)[device]} at {device}")
    assert scene.instance(victim.instance_id)["State"]["Name"] == "running"


def test_refusal_of_a_termination_when_the_attribute_changes_at_the_last_moment(scene: Scene) -> None:
    """The instance was stopped by then, so the cluster stays locked; corrected and started again it goes on."""
    cluster = scene.protected("lastmoment")
    victim = scene.power_loss(cluster, 2)
    ec2, request = scene.region.client("ec2"), {"cluster": cluster.name, "node": "A2"}

    def set_to(value: bool) -> None:  # noqa: FBT001 - it is the value that is set
        mapping = {"DeviceName": RAW_DEVICE, "Ebs": {"DeleteOnTermination": value}}
        ec2.modify_instance_attribute(InstanceId=victim.instance_id, BlockDeviceMappings=[mapping])

    def spoil(call: ApiCall) -> None:
        if call.action == "DescribeInstanceAttribute" and call.caller.startswith("AerokeepWorkflow-ReplaceNode"):
            set_to(True)

    with scene.region.faults.during(before=spoil), scene.acts() as acts:
        ended = scene.replace(request)
    assert acts == {"StopInstances"}
    assert ended.cause.startswith("delete_on_termination: ")
    assert "start replace-node with the same input again" in ended.cause
    assert scene.field.lock(cluster.name)["state"] == "halted"
    set_to(False)
    again = scene.replace(request)
    assert again.status == "SUCCEEDED", again.words
    assert whole(cluster)


def test_refusal_of_unknown_nodes_and_fields_names_what_is_known(scene: Scene) -> None:
    cluster = scene.protected("names")
    ended = refused(scene, cluster, "B7")
    assert ended.cause.startswith("unknown_node: field 'node': 'B7' is no node of names; known are A1 (10.77.")
    with scene.acts() as acts:
        wrong = scene.replace({"cluster": "names", "node": "A2", "force": True})
    assert acts == set()
    assert wrong.cause.startswith("bad_input: field force: ")
    assert "(known fields: cluster, node, data)" in wrong.cause
