"""Commands and nodes of a light cluster are struck at their moment, and only those that the plan names."""

import pytest
from botocore.exceptions import ClientError

from sandbox.faults import armed
from sandbox.light.launch import LightCluster
from tests.workflow.faults.scene import Scene, plan
from tests.workflow.region.shapes import eventually

pytestmark = pytest.mark.sampled


@pytest.fixture(scope="module")
def cluster(scene: Scene) -> LightCluster:
    return scene.launch("struck")


def statuses(scene: Scene, command: str, cluster: LightCluster) -> list[str]:
    return [scene.status(command, cluster, number) for number in (1, 2, 3)]


def cancel(scene: Scene, command: str) -> None:
    scene.region.client("ssm").cancel_command(CommandId=command)


@pytest.mark.parametrize(
    ("fate", "stays"), [("lost", "Pending"), ("hung", "InProgress"), ("late, late_s: 60", "Pending")]
)
def test_a_command_does_not_end_on_one_node(scene: Scene, cluster: LightCluster, fate: str, stays: str) -> None:
    with armed(scene.region, plan(f"kind: command, document: survey, node: 2, fate: {fate}"), cluster="struck"):
        command = scene.send(cluster, "survey")
        assert eventually(lambda: statuses(scene, command, cluster) == ["Success", stays, "Success"])
        another = scene.send(cluster, "survey")
        assert eventually(lambda: statuses(scene, another, cluster) == ["Success"] * 3)
    cancel(scene, command)
    assert eventually(lambda: statuses(scene, command, cluster) == ["Success", "Cancelled", "Success"])


def test_a_late_command_runs_late(scene: Scene, cluster: LightCluster) -> None:
    fault = plan("kind: command, document: aerokeep-survey, node: 3, fate: late, late_s: 0.5")
    with scene.region.recorder.recording() as record, armed(scene.region, fault, cluster="struck"):
        command = scene.send(cluster, "survey")
        assert eventually(lambda: statuses(scene, command, cluster) == ["Success"] * 3)
        assert eventually(lambda: len(record.acts) == 3)
    late = cluster.members[2].instance_id
    on_time = max(act.at for act in record.acts if act.instance_id != late)
    assert next(act.at for act in record.acts if act.instance_id == late) - on_time > 0.3


def test_an_agent_dies_as_a_document_ends_elsewhere_and_comes_back(scene: Scene, cluster: LightCluster) -> None:
    fault = plan("kind: agent, node: 2, at: {document: survey, node: 1, phase: ended}, for_s: 1")
    with armed(scene.region, fault, cluster="struck") as arms:
        command = scene.send(cluster, "survey")
        assert eventually(lambda: arms.struck == 1)
        assert scene.status(command, cluster, 1) == "Success"
        with pytest.raises(ClientError, match="InvalidInstanceId"):
            scene.send(cluster, "survey")
    assert "as survey ended on node 1" in arms.lines[0]
    assert eventually(lambda: scene.region.commands.agent(cluster.members[1].instance_id).listens)


def test_a_server_crashes_as_an_api_is_called_the_second_time(scene: Scene) -> None:
    cluster = scene.launch("crashing")
    fault = plan("kind: node, act: asd_crash, node: 3, at: {call: ec2.DescribeVolumes, nth: 2}")
    with armed(scene.region, fault, cluster="crashing"):
        scene.region.client("ec2").describe_volumes()
        assert len(cluster.servers()) == 3
        scene.region.client("ec2").describe_volumes()
        assert {server.node_id for server in cluster.servers()} == {m.node_id for m in cluster.members[:2]}


def test_a_server_restarts_some_time_after_the_plan_was_armed(scene: Scene, cluster: LightCluster) -> None:
    before = {server.node_id: server.pid for server in cluster.servers()}
    with armed(
        scene.region, plan("kind: node, act: asd_restart, node: 1, at: {after_s: 0.1}"), cluster="struck"
    ) as arms:
        assert eventually(lambda: arms.struck == 1)
    after = {server.node_id: server.pid for server in cluster.servers()}
    changed = {node_id for node_id in before if before[node_id] != after.get(node_id)}
    assert changed == {cluster.members[0].node_id}
    assert set(after) == set(before)


def test_a_disk_is_full_and_a_clock_jumps(scene: Scene, cluster: LightCluster) -> None:
    faults = (
        "kind: node, act: disk_full, node: 1, at: {after_s: 0}",
        "kind: node, act: clock_step, node: 2, at: {after_s: 0}, step_s: -30, synchronised: false",
        "kind: node, act: clock_step, node: 3, at: {after_s: 0}, step_s: 5, noticed: false",
    )
    with armed(scene.region, plan(*faults), cluster="struck"):
        pass
    full, unsynchronised, unnoticed = (scene.plane.host(member.instance_id) for member in cluster.members)
    assert full.server is not None
    assert all(namespace.full for namespace in full.server.namespaces.values())
    assert (unsynchronised.clock.offset_s, unsynchronised.clock.synchronised) == (-30, False)
    assert unsynchronised.clock.reported_offset_s is None
    assert (unnoticed.clock.offset_s, unnoticed.clock.reported_offset_s) == (5, 0)


def test_a_node_loses_its_power_as_a_document_starts_on_it(scene: Scene) -> None:
    cluster = scene.launch("dark")
    fault = plan("kind: node, act: power_loss, node: 2, at: {document: survey, node: 2}")
    with armed(scene.region, fault, cluster="dark"):
        command = scene.send(cluster, "survey")
        assert eventually(lambda: len(cluster.servers()) == 2)
    assert not scene.region.mirror.is_on(cluster.members[1].instance_id)
    cancel(scene, command)
