"""What dead runs left in AWS goes when nobody can need it, and nothing else does."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.light.launch import LightCluster
from sandbox.region import ApiCall, ApiError
from tests.crash.field import CDK_OUT, Execution, Field

NAME = "left"
LONG_AGO = datetime.now(UTC) - timedelta(hours=5)
EXECUTION = "backup"


@dataclass(frozen=True)
class Estate:
    """A cluster with one committed point."""

    field: Field
    cluster: LightCluster
    point: str

    @property
    def manifest(self) -> dict[str, Any]:
        return self.field.manifest(NAME, self.point)

    @property
    def snapshot(self) -> str:
        return str(self.manifest["snapshots"][0]["id"])

    def run_id(self, *, journey: str = "", minutes: int = 0) -> str:
        at = f"{LONG_AGO + timedelta(minutes=minutes):%Y%m%dT%H%M%SZ}"
        return "-".join(part for part in (NAME, journey, at) if part)

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3's own type
        return self.field.region.client(service)

    def order(self, what: str = "delete") -> Execution:
        return self.field.run("guardian", f"orphans-{time.monotonic_ns()}", {"orphans": what, "cluster": NAME})

    def snapshots(self) -> set[str]:
        return {s["SnapshotId"] for s in self.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]}

    def volumes(self) -> set[str]:
        return {v["VolumeId"] for v in self.client("ec2").describe_volumes()["Volumes"]}

    def put(self, key: str, value: Any) -> None:  # noqa: ANN401  # any JSON
        self.client("s3").put_object(Bucket=self.field.outputs["VaultName"], Key=key, Body=json.dumps(value).encode())

    def entry(self, run: str, state: str) -> None:
        """What the catalog has of a run whose execution is gone."""
        item = {
            "pk": f"cluster#{NAME}",
            "sk": f"point#{run}",
            "state": state,
            "execution": self.field.arn_of(EXECUTION, f"gone-{run}"),
            "started_at": LONG_AGO.isoformat(),
        }
        told = {name: {"S": value} for name, value in item.items()}
        self.client("dynamodb").put_item(TableName=self.field.outputs["CatalogName"], Item=told)

    def left_snapshot(self, run: str, *, state: str | None = "running") -> str:
        """A snapshot of a run that never came to its commit."""
        ec2 = self.client("ec2")
        tags = {"aerokeep:cluster": NAME, "aerokeep:run": run, "aerokeep:point": run}
        volume = next(iter(self.manifest["snapshots"]))["volume_id"]
        made = ec2.create_snapshot(VolumeId=volume, TagSpecifications=[_tagged("snapshot", tags)])
        if state is not None:
            self.entry(run, state)
        return str(made["SnapshotId"])

    def left_volume(self, run: str, *, of: str | None, **tags: str) -> str:
        """A volume that a restore made."""
        made = {"SnapshotId": of} if of is not None else {"Size": 4}
        told = {"aerokeep:cluster": NAME, "aerokeep:run": run, **tags}
        ec2, zone = self.client("ec2"), f"{self.field.region.region}a"
        volume = ec2.create_volume(AvailabilityZone=zone, TagSpecifications=[_tagged("volume", told)], **made)
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume["VolumeId"]], WaiterConfig={"Delay": 1})
        return str(volume["VolumeId"])


def _tagged(kind: str, tags: dict[str, str]) -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    field = Field.open()
    try:
        cluster = field.launch(NAME)
        due = LONG_AGO - timedelta(minutes=10)
        request = {"cluster": NAME, "consistency": "crash", "scheduled_time": f"{due:%Y-%m-%dT%H:%M:%SZ}"}
        made = field.run("backup", "left-backup", request)
        assert made.status == "SUCCEEDED", made.words
        yield Estate(field, cluster, str(made.output["point"]))
    finally:
        field.close()


@contextmanager
def struck(estate: Estate, act: Callable[[ApiCall], None]) -> Iterator[None]:
    with estate.field.region.faults.during(before=act):
        yield


def deleted(ended: Execution) -> list[str]:
    assert ended.status == "SUCCEEDED", ended.words
    return list(ended.output.get("settled", {}).get("deleted", []))


def reasons(ended: Execution) -> dict[str, str]:
    found = ended.output.get("found", ended.output)
    return {told["id"]: told["reason"] for told in found["kept"]}


def test_a_committed_point_is_needed(estate: Estate) -> None:
    before = estate.snapshots()
    ended = estate.order()
    assert deleted(ended) == []
    assert ended.output["needed"] == len(estate.manifest["snapshots"])
    assert estate.snapshots() == before


def test_a_report_deletes_nothing_and_an_order_closes_the_point_first(estate: Estate) -> None:
    run = estate.run_id()
    orphan = estate.left_snapshot(run)
    told = estate.order("report")
    assert [one["id"] for one in told.output["doomed"]] == [orphan]
    assert orphan in estate.snapshots()
    assert estate.field.manifest(NAME, run) == {}
    assert deleted(estate.order()) == [orphan]
    assert orphan not in estate.snapshots()
    assert estate.field.manifest(NAME, run)["state"] == "abandoned"
    assert {s["id"] for s in estate.manifest["snapshots"]} <= estate.snapshots()


def test_a_point_that_is_committed_between_the_two_states_keeps_its_snapshots(estate: Estate) -> None:
    run = estate.run_id(minutes=1)
    orphan = estate.left_snapshot(run)
    first, *others = estate.manifest["snapshots"]
    committed = {**estate.manifest, "point_id": run, "snapshots": [{**first, "id": orphan}, *others]}

    def commit(call: ApiCall) -> None:
        if "SettleOrphans" in call.caller and call.action == "PutObject":
            estate.put(f"clusters/{NAME}/points/{run}/manifest.json", committed)

    with struck(estate, commit):
        ended = estate.order()
    assert deleted(ended) == []
    assert ended.output["settled"]["spared"] == {orphan: "its point was committed meanwhile"}
    assert orphan in estate.snapshots()
    assert deleted(estate.order()) == []
    estate.client("ec2").delete_snapshot(SnapshotId=orphan)


@pytest.mark.parametrize("service", ["s3 GetObject", "s3 ListObjectsV2"])
def test_a_vault_that_cannot_be_read_deletes_nothing(estate: Estate, service: str) -> None:
    run = estate.run_id(minutes=2)
    orphan = estate.left_snapshot(run)

    def refuse(call: ApiCall) -> None:
        named = f"{call.service} {call.action}" == service and f"clusters/{NAME}/points" in repr(call.params)
        if named and "Orphans" in call.caller:
            raise ApiError("AccessDenied", "as the test wants it", status=403)

    with struck(estate, refuse):
        ended = estate.order()
    assert deleted(ended) == []
    assert "what is needed can't be told" in reasons(ended)[orphan]
    assert orphan in estate.snapshots()
    estate.client("ec2").delete_snapshot(SnapshotId=orphan)


def test_a_committed_point_whose_manifest_is_gone_keeps_its_snapshots(estate: Estate) -> None:
    run = estate.run_id(minutes=3)
    orphan = estate.left_snapshot(run, state="committed")
    ended = estate.order()
    assert deleted(ended) == []
    assert "find the manifest first" in reasons(ended)[orphan]
    assert estate.field.manifest(NAME, run) == {}
    estate.client("ec2").delete_snapshot(SnapshotId=orphan)


def test_a_locked_snapshot_and_one_of_an_unknown_run_are_told_of(estate: Estate) -> None:
    locked = estate.left_snapshot(estate.run_id(minutes=4))
    unknown = estate.left_snapshot(estate.run_id(minutes=5), state=None)
    ec2 = estate.client("ec2")
    ec2.lock_snapshot(SnapshotId=locked, LockMode="governance", LockDuration=1)
    ended = estate.order()
    assert deleted(ended) == []
    assert "lock" in reasons(ended)[locked]
    assert "the catalog does not know its run" in reasons(ended)[unknown]
    ec2.unlock_snapshot(SnapshotId=locked)
    assert deleted(estate.order()) == [locked]
    ec2.delete_snapshot(SnapshotId=unknown)


def test_only_a_volume_that_a_snapshot_of_a_point_holds_and_no_server_ran_on_goes(estate: Estate) -> None:
    fresh, used, forgotten = (estate.run_id(journey="restore", minutes=minutes) for minutes in (6, 7, 8))
    for run in (fresh, used):
        estate.put(f"runs/{run}/order.json", {})
    estate.put(f"runs/{used}/mark-starting.json", {"at": LONG_AGO.isoformat()})
    goes = estate.left_volume(fresh, of=estate.snapshot)
    stays = {
        estate.left_volume(fresh, of=None): "no snapshot of a point holds what is on it",
        estate.left_volume(used, of=estate.snapshot): "a server may have written to it",
        estate.left_volume(forgotten, of=estate.snapshot): "nobody knows any more whether a server ran on it",
        estate.left_volume(fresh, of=estate.snapshot, **{"aerokeep:superseded-by": "x"}): "the former state",
        estate.left_volume(fresh, of=estate.snapshot, **{"aerokeep:rolled-back": "x"}): "the former state",
    }
    ended = estate.order()
    assert deleted(ended) == [goes]
    assert stays.keys() <= estate.volumes()
    for volume_id, reason in stays.items():
        assert reason in reasons(ended)[volume_id]


def test_an_interface_goes_only_if_it_is_nobodys_address(estate: Estate) -> None:
    ec2, run = estate.client("ec2"), estate.run_id(journey="replace", minutes=9)
    tags = _tagged("network-interface", {"aerokeep:cluster": NAME, "aerokeep:run": run, "aerokeep:node": "A1"})
    subnet = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.77.0.0/16"]}])["Subnets"][0]
    made = ec2.create_network_interface(
        SubnetId=subnet["SubnetId"], PrivateIpAddress="10.77.9.9", TagSpecifications=[tags]
    )
    interface = str(made["NetworkInterface"]["NetworkInterfaceId"])
    assert deleted(estate.order()) == [interface]
    taken = {n["PrivateIpAddress"] for n in ec2.describe_network_interfaces()["NetworkInterfaces"]}
    assert {member.private_ip for member in estate.cluster.members} <= taken


def test_two_orders_at_once_are_refused(estate: Estate) -> None:
    ended = estate.field.run("guardian", "two-orders", {"cluster": NAME, "resume": "all", "orphans": "report"})
    assert (ended.status, ended.error) == ("FAILED", "RejectedError")
    assert "two orders" in ended.cause
