"""What ``health`` records: a node that nobody hears or sees is silent, and a dead agent alone is not."""

import time

from sandbox.light.launch import LightCluster
from sandbox.region import ApiCall
from tests.workflow.region.shapes import eventually
from tests.workflow.replace_node.scene import Scene


def recorded(scene: Scene, cluster: LightCluster, *, every: bool = False) -> dict[str, float]:
    """What one execution put of a cluster, by node or by name; `every`: it was asked about all clusters."""
    calls = list[ApiCall]()
    with scene.region.faults.during(before=calls.append):
        ended = scene.field.run("health", f"{cluster.name}-health", {} if every else {"cluster": cluster.name})
    assert ended.status == "SUCCEEDED", ended.words
    values: dict[str, float] = {}
    for call in calls:
        if call.action == "PutMetricData" and call.caller.startswith("AerokeepWorkflow-Health"):
            assert call.params["Namespace"] == "Aerokeep"
            for datum in call.params["MetricData"]:
                dimensions = {d["Name"]: d["Value"] for d in datum["Dimensions"]}
                if dimensions["cluster"] == cluster.name:
                    values[dimensions.get("node", datum["MetricName"])] = float(datum["Value"])
    return values


def test_a_cluster_that_is_well_answers_node_by_node(scene: Scene) -> None:
    cluster = scene.protected("well")
    told = recorded(scene, cluster)
    assert {name: told[name] for name in ("A1", "A2", "A3")} == {"A1": 1, "A2": 1, "A3": 1}
    assert (told["NodesExpected"], told["NodesAnswering"], told["ClusterKeys"]) == (3, 3, 1)


def test_a_node_without_power_is_silent_and_one_without_its_agent_is_not(scene: Scene) -> None:
    cluster = scene.protected("silent")
    scene.region.set_agent(cluster.members[0].instance_id, online=False)
    scene.power_loss(cluster, 2)
    told = recorded(scene, cluster)
    assert (told["A1"], told["A2"], told["A3"]) == (1, 0, 1)
    assert (told["NodesExpected"], told["NodesAnswering"]) == (3, 2)


def test_without_a_name_every_cluster_is_asked(scene: Scene) -> None:
    first, second = scene.protected("every"), scene.protected("each")
    assert recorded(scene, first, every=True)["A1"] == 1
    assert recorded(scene, second, every=True)["A1"] == 1


def test_before_the_first_inventory_there_is_nothing_to_say_of_nodes(scene: Scene) -> None:
    cluster = scene.field.launch("unknown")
    told = recorded(scene, cluster)
    assert told["NodesExpected"] == 0
    assert "A1" not in told


def test_the_newest_points_have_an_age_by_what_their_labels_meet(scene: Scene) -> None:
    cluster = scene.protected("aging")
    assert not any(name.startswith("Newest") for name in ages(scene, cluster))
    backup = scene.field.run("backup", "aging-backup", {"cluster": "aging", "consistency": "crash"})
    assert backup.status == "SUCCEEDED", backup.words
    told = ages(scene, cluster)
    assert set(told) == {"NewestPointAgeSeconds crash", "NewestPointRank"}
    assert told["NewestPointRank"] == 1
    assert 0 <= told["NewestPointAgeSeconds crash"] < 3600


def ages(scene: Scene, cluster: LightCluster) -> dict[str, float]:
    """What one execution put of a cluster's points, by name and label."""
    calls = list[ApiCall]()
    with scene.region.faults.during(before=calls.append):
        ended = scene.field.run("health", f"{cluster.name}-ages-{time.monotonic_ns()}", {"cluster": cluster.name})
    assert ended.status == "SUCCEEDED", ended.words
    values: dict[str, float] = {}
    for call in calls:
        if call.action == "PutMetricData" and "RecordAges" in call.caller:
            for datum in call.params["MetricData"]:
                labels = [d["Value"] for d in datum["Dimensions"] if d["Name"] == "label"]
                values[" ".join([datum["MetricName"], *labels])] = float(datum["Value"])
    return values


def test_an_age_that_nobody_tells_becomes_an_alarm_that_starts_no_replacement(scene: Scene) -> None:
    """The alarm of the deployed template, by its own name."""
    alarm = "aerokeep.demo.recovery-point-age"
    found = scene.region.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert [one["TreatMissingData"] for one in found] == ["breaching"]
    topic = scene.field.outputs["FailuresTopicArn"]
    scene.region.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
    # If nobody has told the age for long enough, the region was faster than the test, and told it of itself.
    assert eventually(lambda: any(alarm in message for message in scene.region.topic_messages(topic)))
    states = scene.region.client("stepfunctions")
    (machine,) = (m for m in states.list_state_machines()["stateMachines"] if m["name"] == "aerokeep-replace-node")
    started = states.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
    assert started == []
