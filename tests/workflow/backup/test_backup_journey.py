"""A backup through the shipped templates, machine, functions and host program leaves one complete recovery point."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pytest
from aerokeep.model.consistency import Consistency
from aerokeep.model.recovery_point import Manifest

from sandbox.dataplane.plane import NodeClock
from tests.workflow.backup.estate import PATIENT, Ended, Estate, point_of, tags_of
from tests.workflow.backup.picture import settings
from tests.workflow.backup.small_cluster import Addresses, SmallCluster, launch_small

NAME = "pair"
AT = "2026-01-31T23:30:00Z"
POINT = "pair-20260131T233000Z"
PATH = f"clusters/{NAME}/points/{POINT}"
LONGEST_STATE_BYTES = 32 * 1024
HAPPY_PATH = [
    "AcquireLock",
    "DiscoverCluster",
    "PlanBackup",
    "ProtectNodes",
    "StopWrites",
    "CutSnapshots",
    "ResumeWrites",
    "TagSnapshots",
    "CaptureMetadata",
    "CheckSnapshots",
    "VerifyPoint",
    "CommitPoint",
    "ReleaseLock",
    "PointCommitted",
]


@dataclass(frozen=True)
class Taken:
    """One backup of the cluster, from before to after."""

    cluster: SmallCluster
    settings_before: dict[str, str]
    ended: Ended


@pytest.fixture(scope="module")
def taken(estate: Estate, addresses: Addresses) -> Taken:
    clocks = (NodeClock(error_s=0.004), NodeClock(error_s=0.006))
    tag = estate.configure(NAME, write_stop=PATIENT)
    cluster = launch_small(estate.region, estate.plane, addresses, tag=tag, clocks=clocks)
    cluster.wait_ready()
    index = "sindex-create:namespace=test;set=s;bin=n;type=numeric;indexname=by_n"
    assert cluster.ask(cluster.ids[0], index) == "ok"
    before = settings(cluster)
    return Taken(cluster, before, estate.run(cluster=NAME, scheduled_time=AT))


@pytest.fixture(scope="module")
def manifest(estate: Estate, taken: Taken) -> Manifest:
    """The manifest, read by its schema: nothing else is needed to understand it."""
    assert taken.ended.status == "SUCCEEDED", taken.ended.message
    return Manifest.model_validate_json(estate.object(f"{PATH}/manifest.json"))


def test_every_state_was_entered_in_order_and_the_execution_tells_the_point(taken: Taken, manifest: Manifest) -> None:
    entered = [state for state in dict.fromkeys(taken.ended.states) if state in HAPPY_PATH]
    assert entered == HAPPY_PATH
    assert "AbandonPoint" not in taken.ended.states
    assert taken.ended.output == {
        "point": POINT,
        "consistency": manifest.label.consistency,
        "write_stop_s": manifest.label.write_stop_s,
        "snapshots": len(manifest.snapshots),
    }


def test_the_label_is_what_the_evidence_supports(manifest: Manifest) -> None:
    # Nobody writes here, so nodes are at rest whether a filesystem is frozen or not: the mode can show ``cluster``.
    assert manifest.label.consistency is Consistency.CLUSTER, manifest.label.reasons
    assert manifest.label.reasons == ()
    assert manifest.label.namespaces == ("raw", "test")
    assert manifest.label.write_stop_s is not None
    assert manifest.window is not None
    assert manifest.window.start_at < manifest.first_request <= manifest.last_response < manifest.window.end_at


def test_the_write_stop_left_nothing_behind(taken: Taken, manifest: Manifest, estate: Estate) -> None:
    assert manifest.state == "committed"
    assert settings(taken.cluster) == taken.settings_before
    for instance_id in taken.cluster.ids:
        folder = estate.plane.tree(instance_id) / "run/aerokeep" / POINT
        evidence = json.loads((folder / "evidence.json").read_text())
        assert evidence["ended_by"] == "resume"
        assert evidence["errors"] == []


def test_the_lock_is_free_and_the_catalog_tells_the_point(estate: Estate, taken: Taken, manifest: Manifest) -> None:
    assert estate.owner(NAME) is None
    entry = estate.entry(NAME, POINT)
    assert (entry["state"], entry["execution"]) == ("committed", taken.ended.arn)
    assert entry["consistency"] == manifest.label.consistency
    assert int(entry["snapshots"]) == len(manifest.snapshots)


def test_the_snapshots_are_those_of_the_data_volumes_with_all_six_tags(
    estate: Estate, taken: Taken, manifest: Manifest
) -> None:
    nodes = {instance_id: node.volumes for instance_id, node in taken.cluster.nodes.items()}
    held = estate.snapshots(POINT)
    assert {s["SnapshotId"] for s in held} == {s.id for s in manifest.snapshots}
    for cut in manifest.cuts:
        devices = {volume_id: device for device, volume_id in nodes[cut.instance_id].items()}
        planned = {v.volume_id for n in manifest.plan.nodes if n.instance_id == cut.instance_id for v in n.volumes}
        assert cut.snapshots.keys() == planned
        for snapshot in (s for s in held if s["SnapshotId"] in cut.snapshots.values()):
            volume_id = snapshot["VolumeId"]
            tags = {key: value for key, value in tags_of(snapshot).items() if key.startswith("aerokeep:")}
            assert tags == {
                "aerokeep:cluster": NAME,
                "aerokeep:point": POINT,
                "aerokeep:run": POINT,
                "aerokeep:try": "1",
                "aerokeep:node": cut.node_id,
                "aerokeep:device": devices.get(volume_id, "/dev/sda1"),
            }
            assert snapshot["State"] == "completed"


def test_metadata_and_conf_of_every_node_are_in_the_vault_as_they_were_in_the_window(
    estate: Estate, taken: Taken, manifest: Manifest
) -> None:
    assert {plan.instance_id for plan in manifest.plan.nodes} == set(taken.cluster.ids)
    for plan, files in zip(manifest.plan.nodes, manifest.files, strict=True):
        assert plan.node_id == files.node_id
        prefix = f"{PATH}/nodes/{files.node_id}/"
        assert {file.key.removeprefix(prefix) for file in files.files} >= {"smd/sindex.smd", "conf/aerospike.conf"}
        for file in files.files:
            body = estate.object(file.key)
            assert (hashlib.sha256(body).hexdigest(), len(body)) == (file.sha256, file.size_bytes)
        own = estate.plane.etc_dir(plan.instance_id) / "aerospike/aerospike.conf"
        assert estate.object(f"{prefix}conf/aerospike.conf") == own.read_bytes()
        assert b"by_n" in estate.object(f"{prefix}smd/sindex.smd")


def test_the_manifest_suffices_to_restore(estate: Estate, taken: Taken, manifest: Manifest) -> None:
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert manifest.cluster.name == NAME
    assert set(manifest.instances) == set(taken.cluster.ids)
    for instance_id, node in taken.cluster.nodes.items():
        spec = manifest.instances[instance_id]
        assert spec["PrivateIpAddress"] == node.private_ip
        assert {"InstanceType", "ImageId", "SubnetId", "Placement", "Tags"} <= spec.keys()
    assert set(manifest.builds) == {cut.node_id for cut in manifest.cuts}
    assert json.loads(estate.object(manifest.evidence_key))["evidence"].keys() == set(taken.cluster.ids)


def test_the_vault_holds_the_point_and_the_objects_of_its_run_and_nothing_else_of_it(
    estate: Estate, manifest: Manifest
) -> None:
    files = {file.key for node in manifest.files for file in node.files}
    assert estate.keys(PATH) == files | {f"{PATH}/manifest.json", f"{PATH}/evidence.json"}
    written = {key.removeprefix(f"runs/{POINT}/").removesuffix(".json") for key in estate.keys(f"runs/{POINT}/")}
    wanted = {
        "order",
        "found",
        "surveys",
        "plan",
        "protected",
        "inventory",
        "window",
        "let-go",
        "cut",
        "evidence",
        "label",
        "capture",
        "captured",
        "members",
    }
    assert wanted <= written


def test_states_carry_little(taken: Taken) -> None:
    payloads: list[tuple[str, Any]] = [
        (key, details[key])
        for event in taken.ended.events
        for name, details in event.items()
        if name.endswith("EventDetails")
        for key in ("input", "output", "parameters")
        if key in details
    ]
    assert len(payloads) > 2 * len(HAPPY_PATH)
    assert max(len(str(payload).encode()) for _, payload in payloads) <= LONGEST_STATE_BYTES


def test_the_same_scheduled_time_again_is_a_success_that_does_nothing(estate: Estate, manifest: Manifest) -> None:
    keys, snapshots, entry = estate.keys(), estate.snapshots(POINT), estate.entry(NAME, POINT)
    estate.calls.clear()
    again = estate.run(cluster=NAME, scheduled_time=AT)
    assert again.status == "SUCCEEDED", again.message
    assert again.states[-1] == "DuplicateIgnored"
    assert not any(act.startswith(("ec2:", "ssm:SendCommand", "s3:Put")) for act in estate.acts())
    assert (estate.keys(), estate.snapshots(POINT), estate.entry(NAME, POINT)) == (keys, snapshots, entry)
    assert estate.owner(NAME) is None
    assert manifest.execution == entry["execution"] != again.arn


def test_two_deliveries_of_one_scheduled_time_at_once_make_one_point(estate: Estate, taken: Taken) -> None:
    at = "2026-02-01T23:30:00Z"
    arns = [estate.start(cluster=NAME, scheduled_time=at, consistency="crash") for _ in range(2)]
    ends = [estate.ended(arn) for arn in arns]
    assert [end.status for end in ends] == ["SUCCEEDED", "SUCCEEDED"], [end.message for end in ends]
    assert sorted(end.states[-1] for end in ends) == ["DuplicateIgnored", "PointCommitted"]
    point = point_of(NAME, at)
    outcome = estate.outcome(NAME, point)
    assert isinstance(outcome, Manifest)
    assert {s["SnapshotId"] for s in estate.snapshots(point)} == {s.id for s in outcome.snapshots}
    assert outcome.label.consistency is Consistency.CRASH
    assert settings(taken.cluster) == taken.settings_before
