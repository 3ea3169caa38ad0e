"""What may not be restored is refused before anything is touched: every AWS and host call is recorded."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from sandbox.light.launch import RAW_DEVICE, LightCluster
from tests.crash.field import Field
from tests.crash.journeys import done
from tests.workflow.restore.recorded import recorded, touching

NAMES = (f"refused-{number}" for number in count())
CRASH = {"consistency": "crash"}
OTHER_ZONE = "eu-central-1b"
Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A cluster with a committed point of its own."""

    field: Field
    cluster: LightCluster
    point: str

    @property
    def key(self) -> str:
        """The manifest's key."""
        return f"clusters/{self.cluster.name}/points/{self.point}/manifest.json"

    def change_manifest(self, change: Callable[[Json], None]) -> None:
        """Put another manifest in its place, as no run of ours ever would."""
        told = self.field.manifest(self.cluster.name, self.point)
        change(told)
        vault = self.field.outputs["VaultName"]
        self.field.region.client("s3").put_object(Bucket=vault, Key=self.key, Body=json.dumps(told).encode())

    @property
    def ec2(self) -> Any:  # noqa: ANN401  # boto3 makes its clients at run time
        """EC2 as an operator has it."""
        return self.field.region.client("ec2")

    def request(self, **changes: Any) -> Json:  # noqa: ANN401  # any field
        """A restore that accepts the label."""
        return {"cluster": self.cluster.name, "point": self.point, "accept_label": "crash", **changes}

    def plan(self) -> str:
        """The plan of a dry run."""
        shown = self.field.run("restore", f"{next(NAMES)}-dry", self.request(dry_run=True))
        return str(done(shown).output["plan"])


def a_case(field: Field) -> Case:
    cluster = field.launch(next(NAMES))
    backup = done(field.run("backup", f"{cluster.name}-backup", {"cluster": cluster.name, **CRASH}))
    return Case(field, cluster, str(backup.output["point"]))


def picture(case: Case) -> Json:
    """Hosts, servers, volumes, snapshots, interfaces and tags, as values."""
    plane, cluster = case.field.plane, case.cluster
    with plane.lock:
        hosts = {m.instance_id: plane.hosts.get(m.instance_id) for m in cluster.members}
        files = {i: None if host is None else dict(host.files) for i, host in hosts.items()}
        servers = {server.node_id: (server.pid, server.conf_path) for server in cluster.servers()}
    ours = [{"Name": "tag:cluster", "Values": [cluster.name]}]
    living = [*ours, {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    made = [{"Name": "tag:aerokeep:cluster", "Values": [cluster.name]}]
    return {
        "files": files,
        "servers": servers,
        "timelines": cluster.timelines(),
        "volumes": case.ec2.describe_volumes(Filters=ours)["Volumes"],
        "made": case.ec2.describe_volumes(Filters=made)["Volumes"],
        "snapshots": case.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"],
        "interfaces": case.ec2.describe_network_interfaces()["NetworkInterfaces"],
        "instances": [r["Instances"] for r in case.ec2.describe_instances(Filters=living)["Reservations"]],
    }


def wrong_zone(case: Case) -> Json:
    def change(manifest: Json) -> None:
        manifest["inventory"]["nodes"][1]["zone"] = OTHER_ZONE

    case.change_manifest(change)
    return case.request(dry_run=True)


def one_snapshot_missing(case: Case) -> Json:
    lost = next(iter(case.field.manifest(case.cluster.name, case.point)["cuts"][0]["snapshots"].values()))
    case.ec2.delete_snapshot(SnapshotId=lost)
    return case.request(dry_run=True)


def volumes_of_mixed_points(case: Case) -> Json:
    other = done(case.field.run("backup", f"{case.cluster.name}-other", {"cluster": case.cluster.name, **CRASH}))
    theirs = case.field.manifest(case.cluster.name, str(other.output["point"]))["cuts"][1]["snapshots"]

    def change(manifest: Json) -> None:
        volume_id = min(theirs)
        manifest["cuts"][1]["snapshots"][volume_id] = theirs[volume_id]

    case.change_manifest(change)
    return case.request(dry_run=True)


def fewer_devices_than_the_header_says(case: Case) -> Json:
    def change(manifest: Json) -> None:
        for device in manifest["inventory"]["nodes"][1]["devices"]:
            device["header"]["n_devices"] += 1

    case.change_manifest(change)
    return case.request(dry_run=True)


def a_smaller_shadow(case: Case) -> Json:
    """The host says that the device in front of the shadow is larger than the shadow in the point."""

    def change(manifest: Json) -> None:
        for device in manifest["inventory"]["nodes"][1]["devices"]:
            if device["namespace"] == "raw":
                device.update(role="shadow", size_bytes=1 << 20)

    case.change_manifest(change)
    plane, instance_id, honest = case.field.plane, case.cluster.members[1].instance_id, case.field.plane.run_document

    def larger(asked: str, document: str, environment: Mapping[str, str]) -> tuple[int, str]:
        code, told = honest(asked, document, environment)
        if asked != instance_id or not document.endswith("-survey"):
            return code, told
        reply = json.loads(told)
        (raw,) = [ns for ns in reply["namespaces"] if ns["name"] == "raw"]
        raw["paths"].append(
            {"path": "/dev/nvme9n1", "role": "device", "index": 0, "instance_store": True, "size_bytes": 2 << 20}
        )
        return code, json.dumps(reply)

    vars(plane)["run_document"] = larger  # a host of another instance type
    return case.request(dry_run=True)


def a_foreign_volume(case: Case) -> Json:
    """Somebody took the node's volume off and put one of their own there."""
    member = case.cluster.members[1]
    zone = f"{case.field.region.region}a"
    at = {"Name": "attachment.instance-id", "Values": [member.instance_id]}
    found = case.ec2.describe_volumes(Filters=[at, {"Name": "attachment.device", "Values": [RAW_DEVICE]}])["Volumes"]
    with case.field.plane.lock:
        next(s for s in case.cluster.servers() if s.node_id == member.node_id).stop()
    case.ec2.detach_volume(VolumeId=found[0]["VolumeId"])
    case.ec2.get_waiter("volume_available").wait(VolumeIds=[found[0]["VolumeId"]], WaiterConfig={"Delay": 1})
    theirs = case.ec2.create_volume(AvailabilityZone=zone, Size=4, VolumeType="gp3")["VolumeId"]
    case.ec2.get_waiter("volume_available").wait(VolumeIds=[theirs], WaiterConfig={"Delay": 1})
    case.ec2.attach_volume(VolumeId=theirs, InstanceId=member.instance_id, Device=RAW_DEVICE)
    case.ec2.get_waiter("volume_in_use").wait(VolumeIds=[theirs], WaiterConfig={"Delay": 1})
    return case.request(dry_run=True)


def no_plan_is_named(case: Case) -> Json:
    return case.request()


def the_plan_has_changed(case: Case) -> Json:
    """A node died after the dry run, and somebody has deleted its volumes: there is no way back any more."""
    plan = case.plan()
    case.field.clear_member(case.cluster, 2)
    node = case.field.manifest(case.cluster.name, case.point)["inventory"]["nodes"][2]
    for volume in node["volumes"]:
        if not volume["root"]:
            case.ec2.delete_volume(VolumeId=volume["volume_id"])
    return case.request(plan=plan)


CASES: dict[str, tuple[Callable[[Case], Json], str]] = {
    "wrong zone": (wrong_zone, "wrong_zone"),
    "one snapshot missing": (one_snapshot_missing, "snapshot_missing"),
    "volumes of mixed points": (volumes_of_mixed_points, "mixed_points"),
    "fewer devices than the header says": (fewer_devices_than_the_header_says, "devices_missing"),
    "a smaller shadow": (a_smaller_shadow, "shadow_too_small"),
    "a foreign volume": (a_foreign_volume, "foreign_volume"),
    "a live cluster without the plan's hash": (no_plan_is_named, "plan_not_named"),
    "a live cluster with a changed plan": (the_plan_has_changed, "plan_changed"),
}


@pytest.mark.parametrize(("prepare", "code"), CASES.values(), ids=list(CASES))
def test_a_restore_that_would_harm_is_refused_and_touches_nothing(
    field: Field, prepare: Callable[[Case], Json], code: str
) -> None:
    case = a_case(field)
    request = prepare(case)
    before = picture(case)
    try:
        with recorded(field, case.cluster.name) as calls:
            ended = field.run("restore", f"{case.cluster.name}-restore", request)
    finally:
        vars(field.plane).pop("run_document", None)
    assert (ended.status, ended.error) == ("FAILED", "RejectedError"), ended.words
    assert code in ended.cause
    assert touching(calls) == []
    assert picture(case) == before
    assert "owner" not in field.lock(case.cluster.name)


def test_a_wrong_field_is_named(field: Field) -> None:
    case = a_case(field)
    with recorded(field, case.cluster.name) as calls:
        ended = field.run("restore", f"{case.cluster.name}-restore", {**case.request(), "pont": "x", "plan": "zz"})
    assert ended.error == "RejectedError"
    assert "field pont" in ended.cause
    assert "field plan" in ended.cause
    assert touching(calls) == []


def test_a_label_below_cluster_must_be_accepted_by_name(field: Field) -> None:
    case = a_case(field)
    request = {"cluster": case.cluster.name, "point": case.point, "dry_run": True}
    ended = field.run("restore", f"{case.cluster.name}-restore", request)
    assert ended.error == "RejectedError"
    assert "label_not_accepted" in ended.cause
    assert '"accept_label": "crash"' in ended.cause
