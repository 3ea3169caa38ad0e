"""A restore that fails before writes are opened puts the old cluster back: real servers, real volumes."""

import subprocess
from threading import Lock

import pytest

from sandbox.cluster import RAW_DEVICES, Cluster
from sandbox.demo_estate import CLUSTER, DemoEstate, DemoFailedError
from sandbox.region import ApiCall

pytestmark = pytest.mark.sampled

RECORDS = 200
BEFORE, AFTER = 1, 2
VICTIM = "A2"
GARBAGE_BYTES = 4096


class Saboteur:
    """Spoils a new volume of one node after its header was checked, so that its server refuses to start."""

    def __init__(self, estate: DemoEstate, cluster: Cluster) -> None:
        self._estate, self._instance_id = estate, cluster.member(VICTIM).node.instance_id
        self._lock = Lock()
        self.struck = False

    def __call__(self, call: ApiCall) -> None:
        if call.action != "SendCommand" or not str(call.params["DocumentName"]).endswith("-start"):
            return
        with self._lock:
            if self.struck or call.params["Parameters"]["Mode"] != ["first"]:
                return
            self.struck = True
        plane = self._estate.plane
        device = plane.device_path(self._instance_id, RAW_DEVICES[0])
        argv = ["dd", "if=/dev/urandom", f"of={device}", f"bs={GARBAGE_BYTES}", "count=1", "conv=notrunc,fsync"]
        process = plane.spawn(self._instance_id, argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert process.wait(30) == 0


def test_a_server_that_refuses_to_start_brings_the_old_volumes_back_and_keeps_the_new_ones(
    demo_estate: DemoEstate, living: Cluster
) -> None:
    ec2 = demo_estate.region.client("ec2")
    living.put("raw", "kept", RECORDS, value=BEFORE)
    _write_back(demo_estate, living)
    demo_estate.run("backup", cluster=CLUSTER)
    living.put("raw", "later", RECORDS, value=AFTER)
    attached = {member.node_id: dict(member.node.volumes) for member in living.members.values()}
    point = demo_estate.vault.newest_manifest(CLUSTER)
    request = {"cluster": CLUSTER, "point": point.point_id, "accept_label": "crash"}
    shown = demo_estate.run("restore", **request, dry_run=True)
    saboteur = Saboteur(demo_estate, living)
    with (
        demo_estate.region.faults.during(before=saboteur),
        pytest.raises(DemoFailedError, match=r"asd_failed.*rolled back"),
    ):
        demo_estate.run("restore", **request, plan=shown["plan"])
    assert saboteur.struck
    living.find_again()
    living.wait_settled()
    # What was written after the cut is there: these are the old volumes, not the point's.
    assert living.count("raw", "kept", RECORDS) == RECORDS
    assert living.count("raw", "later", RECORDS) == RECORDS
    living.put("raw", "again", RECORDS)
    assert {member.node_id: dict(member.node.volumes) for member in living.members.values()} == attached
    new = ec2.describe_volumes(Filters=[{"Name": "tag-key", "Values": ["aerokeep:rolled-back"]}])["Volumes"]
    assert len(new) == sum(len(cut.snapshots) for cut in point.cuts)
    assert {volume["State"] for volume in new} == {"available"}
    old = ec2.describe_volumes(Filters=[{"Name": "tag-key", "Values": ["aerokeep:superseded-by"]}])["Volumes"]
    assert old == []
    for member in living.members.values():
        assert "aerokeep-first-start" not in member.server.systemctl("cat", "aerospike")[1]
        assert member.server.systemctl("is-enabled", "aerospike")[1].strip() == "enabled"


def _write_back(estate: DemoEstate, cluster: Cluster) -> None:
    """A backup without a write stop takes files as they are on disk: give the nodes' page caches no part in this."""
    for instance_id in cluster.members:
        assert estate.plane.spawn(instance_id, ["sync"]).wait(60) == 0
