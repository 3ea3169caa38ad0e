"""Exports and imports that are stopped, repeated, raced or fail half way leave nothing half done in sight."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from sandbox.light.launch import LightCluster
from sandbox.region import ApiCall
from tests.crash.field import GUARDIAN, Execution, Field
from tests.crash.invariants import longest_lambda
from tests.crash.journeys import done
from tests.workflow.transfer.vaulted import (
    NAMES,
    WRITE_STOP,
    entry,
    exported,
    full,
    hosts_of,
    launched,
    manifests,
    run,
    wiped,
)

pytestmark = pytest.mark.sampled

LANE = "export-lock"
SLICED = {"namespaces": ["test"], "slices": 2}
"""On a slow host the first slice is there at once, and the second one much later."""
LONGEST_LAMBDA_S, LONGEST_COMMAND_S = 30, 60
SOON_S = 30.0
POLL_S = 0.05


def until(question: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + SOON_S
    while not question():
        assert time.monotonic() < give_up, f"never: {what}"
        time.sleep(POLL_S)


def takes(cluster: LightCluster, seconds: float) -> None:
    """Jobs take so long on every host."""
    for host in hosts_of(cluster):
        host.job_s = seconds


def fails(cluster: LightCluster, code: str | None) -> None:
    """Every part of a job fails so, on every host."""
    for host in hosts_of(cluster):
        host.job_error = code


def half_an_export(field: Field, cluster: LightCluster, **request: Any) -> tuple[str, str]:  # noqa: ANN401
    """An export under way, of which one slice is in the vault → ARN and id."""
    takes(cluster, 600)
    arn = field.start("export", next(NAMES), {"cluster": cluster.name, **SLICED, **request})
    prefix = f"clusters/{cluster.name}/exports/"
    before = set(manifests(field, cluster.name))
    until(lambda: bool(set(manifests(field, cluster.name)) - before), "an object of the export")
    (export_id,) = set(manifests(field, cluster.name)) - before
    assert field.sizes(f"{prefix}{export_id}/")
    return arn, export_id


def stopped(field: Field, arn: str) -> Execution:
    field.region.client("stepfunctions").stop_execution(executionArn=arn, error="Test", cause="somebody stopped it")
    return field.ended(arn)


def guardian_round(field: Field, cluster: LightCluster) -> Execution:
    field.let_busy_time_pass(cluster.name)
    return done(field.run(GUARDIAN, next(NAMES), {"cluster": cluster.name}))


def objects(field: Field, cluster: LightCluster, export_id: str) -> list[str]:
    """What an export has in the vault, by the ends of their keys."""
    prefix = f"clusters/{cluster.name}/exports/{export_id}/"
    return sorted(key.removeprefix(prefix) for key in field.sizes(prefix))


def test_an_export_that_was_stopped_is_invisible_and_gone_after_a_round_of_the_guardian(field: Field) -> None:
    cluster = launched(field)
    arn, export_id = half_an_export(field, cluster)
    assert stopped(field, arn).status == "ABORTED"
    assert manifests(field, cluster.name) == {export_id: {}}, "half an export has no manifest"
    guardian_round(field, cluster)
    assert objects(field, cluster, export_id) == ["manifest.json"]
    assert manifests(field, cluster.name)[export_id]["state"] == "abandoned"
    assert entry(field, cluster.name, export_id)["state"] == "abandoned"
    assert "owner" not in field.lock(cluster.name, lane=LANE)
    assert [host.cancelled for host in hosts_of(cluster) if host.job is not None] == [{export_id}]
    refused = run(field, "import", wiped(cluster), export=export_id)
    assert f"{export_id} of cluster {cluster.name}: it was given up" in refused.cause


def test_after_an_export_that_was_given_up_the_next_one_is_whole(field: Field) -> None:
    cluster = launched(field)
    arn, given_up = half_an_export(field, cluster)
    stopped(field, arn)
    guardian_round(field, cluster)
    takes(cluster, 0.2)
    export_id = exported(field, cluster, **SLICED)
    assert {found: told["state"] for found, told in manifests(field, cluster.name).items()} == {
        given_up: "abandoned",
        export_id: "committed",
    }


def test_of_two_exports_at_once_the_second_is_refused_while_a_backup_goes_on_beside_it(field: Field) -> None:
    cluster = launched(field)
    arn, export_id = half_an_export(field, cluster)
    second = run(field, "export", cluster)
    assert (second.status, second.error) == ("FAILED", "ConflictError")
    assert f"cluster_busy: cluster {cluster.name} is held by export {export_id}" in second.cause
    done(run(field, "backup", cluster, consistency="crash"))
    takes(cluster, 0.01)
    assert done(field.ended(arn)).output["export"] == export_id
    assert [told["state"] for told in manifests(field, cluster.name).values()] == ["committed"]
    assert "owner" not in field.lock(cluster.name, lane=LANE)


def test_a_scheduled_time_that_is_delivered_twice_makes_one_export(field: Field) -> None:
    cluster, at = launched(field), "2026-11-25T03:00:00Z"
    arn, export_id = half_an_export(field, cluster, scheduled_time=at)
    assert export_id == f"{cluster.name}-export-20261125T030000Z"
    assert done(run(field, "export", cluster, scheduled_time=at)).output["duplicate"] is True
    takes(cluster, 0.01)
    assert done(field.ended(arn)).output["export"] == export_id
    again = done(run(field, "export", cluster, scheduled_time="2026-11-25T04:00:00+01:00"))
    assert again.output["duplicate"] is True
    assert list(manifests(field, cluster.name)) == [export_id]


def test_an_export_that_was_given_up_by_somebody_else_is_never_committed(field: Field) -> None:
    cluster = launched(field)
    taken: list[str] = []

    def take(call: ApiCall) -> None:
        key = str(call.params.get("Key", ""))
        by_commit = "CommitExport" in call.caller and call.action == "PutObject"
        if by_commit and cluster.name in key and key.endswith("manifest.json") and not taken:
            taken.append(key)
            told = {
                "export_id": key.split("/")[-2],
                "execution": "arn:aws:states:eu-central-1:111122223333:execution:guardian:one",
                "abandoned_at": "2026-11-25T03:00:00Z",
                "reason": "a race",
            }
            vault = field.outputs["VaultName"]
            field.region.client("s3").put_object(Bucket=vault, Key=key, Body=json.dumps(told).encode())

    with field.region.faults.during(before=take):
        ended = run(field, "export", cluster)
    assert (ended.status, ended.error) == ("FAILED", "ConflictError"), ended.words
    assert "export_taken: " in ended.cause
    (export_id,) = manifests(field, cluster.name)
    assert objects(field, cluster, export_id) == ["manifest.json"]
    assert entry(field, cluster.name, export_id)["state"] == "abandoned"


def test_an_export_whose_manifest_was_written_stays_whatever_becomes_of_its_execution(field: Field) -> None:
    cluster = launched(field)
    arn = field.arn_of("export", name := next(NAMES))

    def stop(call: ApiCall) -> None:
        key = str(call.params.get("Key", ""))
        if "CommitExport" in call.caller and cluster.name in key and key.endswith("manifest.json"):
            states = field.region.client("stepfunctions")
            states.stop_execution(executionArn=arn, error="Test", cause="right after the commit mark")

    with field.region.faults.during(after=stop):
        assert field.run("export", name, {"cluster": cluster.name}).status == "ABORTED"
    (export_id,) = manifests(field, cluster.name)
    before = objects(field, cluster, export_id)
    guardian_round(field, cluster)
    assert objects(field, cluster, export_id) == before
    assert len(before) == 5
    assert "owner" not in field.lock(cluster.name, lane=LANE)
    done(run(field, "import", wiped(cluster), export=export_id))
    assert full(cluster, f"{cluster.name}/first")


def test_an_import_that_may_have_written_is_halted_and_goes_on_with_the_same_input_when_it_is_seen_to(
    field: Field,
) -> None:
    cluster = launched(field)
    export_id = exported(field, cluster)
    fails(wiped(cluster), "records_ignored")
    halted = run(field, "import", cluster, export=export_id)
    assert (halted.status, halted.error) == ("FAILED", "RejectedError")
    assert "records_ignored: " in halted.cause
    assert "lift what rejects writes there" in halted.cause
    assert "start import with the same input again to go on" in halted.cause
    assert field.lock(cluster.name)["state"] == "halted"
    assert "cluster_halted" in run(field, "import", cluster, export=export_id, existing="allow").cause
    assert "cluster_busy: import" in run(field, "export", cluster).cause
    fails(cluster, None)
    assert done(run(field, "import", cluster, export=export_id)).output["counters"]["inserted"] == 600
    assert full(cluster, f"{cluster.name}/first")
    assert "owner" not in field.lock(cluster.name)


def test_an_export_that_lacks_an_index_and_was_accepted_so_is_imported_with_those_that_it_has(field: Field) -> None:
    cluster = launched(field)
    export_id = exported(field, cluster)
    key = f"clusters/{cluster.name}/exports/{export_id}/manifest.json"
    manifest = field.json(key)
    (test,) = [namespace for namespace in manifest["namespaces"] if namespace["namespace"] == "test"]
    assert (test["indexes"], test["sindexes"]) == (["by_n"], 1)
    test["indexes"].append("by_context")  # the cluster had it, and the tool skipped it
    manifest["udfs"].append("skipped.lua")
    body = json.dumps(manifest).encode()
    field.region.client("s3").put_object(Bucket=field.outputs["VaultName"], Key=key, Body=body)
    assert done(run(field, "import", wiped(cluster), export=export_id)).output["counters"]["inserted"] == 600
    test["sindexes"] = 2
    field.region.client("s3").put_object(Bucket=field.outputs["VaultName"], Key=key, Body=json.dumps(manifest).encode())
    arn = field.start("import", next(NAMES), {"cluster": wiped(cluster).name, "export": export_id})
    until(lambda: full(cluster, f"{cluster.name}/first"), "all records")
    time.sleep(2)
    running = field.region.client("stepfunctions").describe_execution(executionArn=arn)
    assert running["status"] == "RUNNING", "it still waits for the second index"
    stopped(field, arn)


def test_an_export_gives_way_to_whoever_puts_the_cluster_together(field: Field) -> None:
    cluster = launched(field)
    earlier = exported(field, cluster)
    arn, export_id = half_an_export(field, cluster)
    fails(wiped(cluster), "records_ignored")  # the import is halted, and so holds the cluster
    run(field, "import", cluster, export=earlier)
    ended = field.ended(arn)
    assert (ended.status, ended.error) == ("FAILED", "ConflictError")
    assert "cluster_busy: import" in ended.cause
    assert manifests(field, cluster.name)[export_id]["state"] == "abandoned"


def test_an_exact_export_proves_between_which_instants_nobody_wrote(field: Field) -> None:
    cluster = launched(field, write_stop=WRITE_STOP)
    export_id = exported(field, cluster, exact=True)
    exact = manifests(field, cluster.name)[export_id]["exact"]
    from_, until_ = (datetime.fromisoformat(exact[name]) for name in ("guarded_from", "guarded_until"))
    assert 0 < (until_ - from_).total_seconds() < WRITE_STOP["lease_s"]
    assert not any(ns.guarded for server in cluster.servers() for ns in server.namespaces.values())


def test_no_lambda_and_no_command_waits_for_a_job_however_long_it_takes(field: Field) -> None:
    cluster = launched(field)
    takes(cluster, 4)
    began = time.time()
    export = done(run(field, "export", cluster, **SLICED))
    import_ = done(run(field, "import", wiped(cluster), export=export.output["export"]))
    looks = [e for e in (*export.events, *import_.events) if e["type"] == "TaskStateEntered"]
    looked = [e["stateEnteredEventDetails"]["name"] for e in looks]
    assert min(looked.count("RunExport"), looked.count("RunImport"), looked.count("VerifyExport")) > 1
    seconds, state = longest_lambda([export, import_])
    assert 0 < seconds <= LONGEST_LAMBDA_S, state
    mine = {member.instance_id for member in cluster.members}
    commands = [
        invocation
        for command in field.region.commands.find()
        for instance_id, invocation in command.invocations.items()
        if instance_id in mine and invocation.requested_at >= began
    ]
    assert {invocation.document.rpartition("aerokeep-")[2] for invocation in commands} >= {"export", "import", "status"}
    for invocation in commands:
        assert invocation.started_at is not None
        assert invocation.ended_at is not None
        assert invocation.ended_at - invocation.started_at <= LONGEST_COMMAND_S, invocation.document
