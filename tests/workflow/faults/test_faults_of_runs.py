"""Executions are stopped and Lambdas killed at the state that the plan names, and what follows is the run's own way."""

import json

import pytest

from sandbox.faults import armed
from sandbox.faults.known import states_named
from sandbox.light.launch import LightCluster
from tests.workflow.faults.scene import Scene, plan
from tests.workflow.region.shapes import eventually

pytestmark = pytest.mark.sampled


@pytest.fixture(scope="module")
def cluster(scene: Scene) -> LightCluster:
    rules = scene.region.client("events").list_rules()["Rules"]
    for rule in rules:  # what a run leaves is looked at before the guardian comes
        if "left something behind" in rule.get("Description", ""):
            scene.region.client("events").disable_rule(Name=rule["Name"])
    return scene.launch("run-over")


def words(ended: dict[str, str]) -> str:
    return f"{ended['status']} {ended.get('error')}: {ended.get('cause')}"


@pytest.mark.parametrize("killed", ["before", "midway", "after"])
def test_a_killed_lambda_fails_the_run_which_cleans_up(scene: Scene, cluster: LightCluster, killed: str) -> None:
    with armed(scene.region, plan(f"kind: lambda, state: backup.CutSnapshots, killed: {killed}")) as arms:
        ended = scene.backup(cluster)
    assert ended["status"] == "FAILED", words(ended)
    assert "Runtime.ExitError" in words(ended)
    assert arms.struck == 1
    assert scene.lock(cluster) == ""


def test_only_a_lambda_killed_before_its_work_has_left_no_trace_of_it(scene: Scene, cluster: LightCluster) -> None:
    cuts = []
    for killed in ("before", "after"):
        fault = plan(f"kind: lambda, state: backup.CutSnapshots, killed: {killed}")
        with scene.region.recorder.recording() as record, armed(scene.region, fault):
            scene.backup(cluster)
        cuts.append(sum(call.action == "CreateSnapshots" and call.outcome == "" for call in record.calls))
    assert cuts == [0, 3]


def test_a_stopped_execution_is_aborted_at_its_state_and_holds_its_lock(scene: Scene) -> None:
    cluster = scene.launch("stopped")
    with armed(scene.region, plan("kind: stop, state: backup.PlanBackup"), cluster="stopped") as arms:
        ended = scene.backup(cluster)
    assert (ended["status"], ended["error"]) == ("ABORTED", "Stopped")
    assert ended["executionArn"].rpartition(":")[2] in arms.lines[0]
    assert scene.lock(cluster) == "held"


def test_an_error_strikes_the_call_of_one_state_only(scene: Scene, cluster: LightCluster) -> None:
    fault = plan("kind: api, call: ssm.SendCommand, answer: error, code: AccessDeniedException, state: CaptureMetadata")
    with scene.region.recorder.recording() as record, armed(scene.region, fault) as arms:
        ended = scene.backup(cluster)
    refused = [call.state for call in record.calls if call.outcome == "AccessDeniedException"]
    sent = {call.state for call in record.calls if call.action == "SendCommand" and call.outcome == ""}
    assert refused == ["backup.capture_metadata"], words(ended)
    assert "backup.discover_cluster" in sent
    assert "ssm.SendCommand by backup.capture_metadata" in arms.lines[0]


def test_a_run_in_whose_set_a_snapshot_fails_leaves_no_point_and_no_snapshot(
    scene: Scene, cluster: LightCluster
) -> None:
    before = set(scene.region.ec2.backend.snapshots)
    with armed(scene.region, plan("kind: snapshot, fate: error, node: 2"), cluster="run-over"):
        ended = scene.backup(cluster)
    assert ended["status"] == "FAILED"
    assert "CorruptError" in words(ended)
    assert set(scene.region.ec2.backend.snapshots) == before


def test_a_moment_may_be_the_beginning_of_a_state(scene: Scene) -> None:
    cluster = scene.launch("moment")
    fault = plan("kind: agent, node: 1, at: {state: backup.CaptureMetadata}")
    with armed(scene.region, fault, cluster="moment") as arms:
        scene.backup(cluster)
    assert "as backup.CaptureMetadata began" in arms.lines[0]
    assert not scene.region.commands.agent(cluster.members[0].instance_id).listens


def test_only_the_execution_that_is_meant_is_struck(scene: Scene, cluster: LightCluster) -> None:
    fault = plan("kind: lambda, state: backup.PlanBackup, killed: before")
    other = "arn:aws:states:eu-central-1:111122223333:execution:aerokeep-backup:another"
    with armed(scene.region, fault, execution=other, must_strike=False) as arms:
        ended = scene.backup(cluster)
    assert (ended["status"], arms.struck) == ("SUCCEEDED", 0), words(ended)


@pytest.mark.parametrize(("fate", "copies"), [("lost", 0), ("twice", 2), ("late, late_s: 0.3", 1)])
def test_an_event_is_lost_comes_twice_or_late(scene: Scene, fate: str, copies: int) -> None:
    sqs, events, name = scene.region.client("sqs"), scene.region.client("events"), f"event-{copies}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.test"]}), State="ENABLED")
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    def arrived() -> int:
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(told["Attributes"]["ApproximateNumberOfMessages"])

    with armed(scene.region, plan(f"kind: event, source: aws.t*, detail_type: Something, fate: {fate}")):
        scene.region.bus.put("aws.test", "Something", {}, [])
        scene.region.bus.drain()
        at_once = arrived()
        scene.region.bus.put("aws.test", "Something", {}, [])
        scene.region.bus.drain()
    assert at_once == (0 if fate.startswith("late") else copies)
    assert eventually(lambda: arrived() == copies + 1)
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)


def test_a_state_may_be_named_alone_and_then_means_every_journey_that_has_it() -> None:
    assert {state.journey for state in states_named("StopWrites")} == {"backup", "export"}
