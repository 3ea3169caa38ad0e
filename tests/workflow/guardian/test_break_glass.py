"""An operator at night resumes writes on a whole cluster, whatever run holds it and whatever else is broken."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from sandbox.light.launch import LightCluster
from sandbox.region import ApiCall, ApiError
from tests.crash.field import Execution, Field
from tests.workflow.region.shapes import eventually

WRITE_STOP = {"lead_s": 8, "lease_s": 50, "budget_s": 45}
TOKEN = "ab" * 16
NUMBERS = (f"glass-{number}" for number in count())


@pytest.fixture
def cluster(field: Field) -> Iterator[LightCluster]:
    made = field.launch(next(NUMBERS), write_stop=WRITE_STOP, shortfall="degrade")
    yield made
    field.clear(made)


def press(field: Field, cluster: LightCluster, **request: str) -> Execution:
    name = f"{cluster.name}-pressed-{len(request)}-{time.monotonic_ns()}"
    return field.run("guardian", name, {"cluster": cluster.name, "resume": "all", **request})


def guarded(cluster: LightCluster) -> list[bool]:
    """Whether each namespace of each server rejects writes, by the clocks of their hosts."""
    with cluster.plane.lock:
        for member in cluster.members:
            cluster.plane.view(cluster.plane.host(member.instance_id))
        return [namespace.guarded for server in cluster.servers() for namespace in server.namespaces.values()]


def stop_writes(cluster: LightCluster, run: str) -> None:
    """Hosts hold a write stop of which nothing but they knows."""
    now = time.time() - 1
    parameters = {
        "Run": run,
        "Token": TOKEN,
        "StartAt": f"{now:.3f}",
        "EndAt": f"{now + 50:.3f}",
        "Namespaces": "test,raw",
        "Freeze": "none",
    }
    environment = {f"SSM_{name}": value for name, value in parameters.items()}
    for member in cluster.members:
        code, told = cluster.plane.run_document(member.instance_id, "aerokeep-stop-writes", environment)
        assert code == 0, told
    assert all(guarded(cluster))


def hold(field: Field, cluster: str, **changes: str) -> None:
    attributes = {
        "owner": field.arn_of("restore", "long-ago"),
        "run": f"{cluster}-restore-20260101T000000Z",
        "journey": "restore",
        "state": "halted",
        "acquired_at": "2026-01-01T00:00:00Z",
        "reason": "as the test wants it",
        **changes,
    }
    item = {"pk": f"cluster#{cluster}", "sk": "lock", **attributes}
    told = {**{name: {"S": value} for name, value in item.items()}, "epoch": {"N": "3"}}
    field.region.client("dynamodb").put_item(TableName=field.outputs["CatalogName"], Item=told)


@contextmanager
def refused(field: Field, *services: str) -> Iterator[None]:
    def refuse(call: ApiCall) -> None:
        if "ResumeAll" in call.caller and call.service in services:
            raise ApiError("AccessDenied", "as the test wants it", status=403)

    with field.region.faults.during(before=refuse):
        yield


def test_a_write_stop_that_nobody_but_the_hosts_knows_is_ended(field: Field, cluster: LightCluster) -> None:
    stop_writes(cluster, "unheard-of")
    pressed = press(field, cluster)
    assert pressed.status == "SUCCEEDED", pressed.words
    report = pressed.output["report"]
    assert report["resumed"] == {member.instance_id: ["unheard-of"] for member in cluster.members}
    assert pressed.output["holders"] == []
    assert not any(guarded(cluster))
    again = press(field, cluster)
    assert again.output["report"]["nothing_to_resume"] == sorted(member.instance_id for member in cluster.members)


def test_neither_the_vault_nor_the_catalog_is_needed(field: Field, cluster: LightCluster) -> None:
    stop_writes(cluster, "unheard-of")
    with refused(field, "s3", "dynamodb", "states"):
        pressed = press(field, cluster)
    assert pressed.status == "SUCCEEDED", pressed.words
    assert "the catalog can't be read" in pressed.output["holders"][0]
    assert not any(guarded(cluster))


def test_a_running_backup_loses_its_write_stop_and_says_so_in_its_label(field: Field, cluster: LightCluster) -> None:
    cutting, lifted = threading.Event(), threading.Event()

    def hold_the_cut(call: ApiCall) -> None:
        if call.action == "CreateSnapshots":
            cutting.set()
            assert lifted.wait(40)

    with field.region.faults.during(before=hold_the_cut):
        try:
            arn = field.start("backup", f"{cluster.name}-running", {"cluster": cluster.name})
            assert cutting.wait(60)
            assert all(guarded(cluster))
            pressed = press_while_running(field, cluster)
            assert not any(guarded(cluster))
        finally:
            lifted.set()
        backup = field.ended(arn)
    assert pressed["status"] == "SUCCEEDED"
    (holder,) = pressed["output"]["holders"]
    assert "whose execution is RUNNING: its write stop ends early" in holder
    assert len(pressed["output"]["report"]["resumed"]) == len(cluster.members)
    assert backup.status == "SUCCEEDED", backup.words
    assert backup.output["consistency"] == "crash"


def press_while_running(field: Field, cluster: LightCluster) -> Mapping[str, Any]:
    """`Field.ended` would wait for the backup's Lambda, too."""
    arn = field.start("guardian", f"{cluster.name}-pressed", {"cluster": cluster.name, "resume": "all"})
    states, found = field.region.client("stepfunctions"), dict[str, Any]()

    def ended() -> bool:
        found.update(states.describe_execution(executionArn=arn))
        return str(found["status"]) != "RUNNING"

    assert eventually(ended, within_s=60)
    return {**found, "output": json.loads(str(found.get("output") or "{}"))}


def test_a_halted_cluster_is_left_alone_until_its_run_is_named(field: Field, cluster: LightCluster) -> None:
    stop_writes(cluster, "unheard-of")
    hold(field, cluster.name)
    run = f"{cluster.name}-restore-20260101T000000Z"
    pressed = press(field, cluster)
    assert (pressed.status, pressed.error) == ("FAILED", "RejectedError")
    assert f'add "halted": "{run}"' in pressed.cause
    assert all(guarded(cluster))
    other = press(field, cluster, halted=run.replace("2026", "2025"))
    assert other.error == "RejectedError"
    assert f"{run} holds it" in other.cause
    assert all(guarded(cluster))
    named = press(field, cluster, halted=run)
    assert named.status == "SUCCEEDED", named.words
    assert not any(guarded(cluster))
    assert field.lock(cluster.name)["state"] == "halted"


def test_a_node_that_is_not_heard_fails_the_execution_by_its_name_and_no_other_node(
    field: Field, cluster: LightCluster
) -> None:
    stop_writes(cluster, "unheard-of")
    deaf, *others = (member.instance_id for member in cluster.members)
    field.region.set_agent(deaf, online=False)
    pressed = press(field, cluster)
    assert (pressed.status, pressed.error) == ("FAILED", "NotReadyError")
    assert f"not_resumed: {deaf} not reached through SSM: a write stop there ends by its own lease" in pressed.cause
    assert not any(other in pressed.cause for other in others)
    assert sorted(guarded(cluster)) == [False] * 4 + [True] * 2


def test_a_guard_of_nobody_is_reported_and_lifted_only_on_request(field: Field, cluster: LightCluster) -> None:
    cluster.servers()[0].namespaces["raw"].guarded = True
    pressed = press(field, cluster)
    assert (pressed.status, pressed.error) == ("FAILED", "NotReadyError")
    assert "rejects writes to raw (reject-non-xdr-writes=true): not set by a run of ours that lives" in pressed.cause
    assert any(guarded(cluster))
    lifted = press(field, cluster, resume="everything")
    assert lifted.status == "SUCCEEDED", lifted.words
    assert list(lifted.output["report"]["lifted"].values()) == [["raw"]]
    assert not any(guarded(cluster))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"resume": "all"}, "needs field 'cluster'"),
        ({"resume": "some", "cluster": "a"}, "field resume"),
        ({"halted": "a-restore-20260101T000000Z", "cluster": "a"}, "goes with field 'resume'"),
        ({"resume": "all", "cluster": "nobody-knows"}, "unknown_cluster"),
        ({"resume": "all", "cluster": "a", "all": True}, "field all"),
    ],
)
def test_a_wrong_order_is_refused_by_the_name_of_the_field(field: Field, request_: object, words: str) -> None:
    assert isinstance(request_, dict)
    refused_ = field.run("guardian", f"wrong-{time.monotonic_ns()}", request_)
    assert (refused_.status, refused_.error) == ("FAILED", "RejectedError")
    assert words in refused_.cause
