"""Faults of nodes strike real processes, disks and clocks in each mode that can do them."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.cluster import Cluster, Member, launch
from sandbox.dataplane import DataPlane, choose, probe
from sandbox.dataplane.plane import NodeClock
from sandbox.faults import armed
from sandbox.faults.plan import Plan
from sandbox.faults.plan_file import plan_of
from sandbox.region import Region

pytestmark = pytest.mark.sampled

MODES = [pytest.param("namespaces", marks=pytest.mark.root), "directory"]
STEP_S = 40
SOON_S = 60.0


@pytest.fixture(scope="module", params=MODES)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one."""
    if request.param == "namespaces" and not probe().suffices:
        pytest.skip(f"this machine lacks {'; '.join(probe().missing)}; run as root with them installed")
    plane = choose(tmp_path_factory.mktemp("plane"), mode=request.param)
    region = Region(plane, layer=Path())
    try:
        plane.start()
        region.start()
        clock = NodeClock(offset_s=0.1) if probe().clocks else NodeClock()
        made = launch(region, plane, tag=("cluster", "one"), clocks=[clock])
        yield made
        made.stop()
    finally:
        region.stop()
        plane.close()


@pytest.fixture
def member(cluster: Cluster) -> Member:
    return next(iter(cluster.members.values()))


def plan(act: str, **more: object) -> Plan:
    told = "".join(f", {name}: {value}" for name, value in more.items())
    return plan_of(f"title: a test\nfaults: [{{kind: node, act: {act}, node: 1, at: {{after_s: 0}}{told}}}]")


def out(plane: DataPlane, member: Member, script: str) -> str:
    argv = ["sh", "-c", script]
    process = plane.spawn(member.node.instance_id, argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return process.communicate(timeout=SOON_S)[0].decode().strip()


def pid(member: Member) -> str:
    return member.server.systemctl("show", "--property=MainPID", "aerospike")[1].strip()


def becomes(cluster: Cluster, member: Member, *, running: bool) -> None:
    give_up = time.monotonic() + SOON_S
    while member.server.runs is not running:
        assert time.monotonic() < give_up, cluster.plane.mode
        time.sleep(0.1)


def test_a_server_restarts_as_another_process(cluster: Cluster, member: Member) -> None:
    before = pid(member)
    with armed(cluster.region, plan("asd_restart")):
        give_up = time.monotonic() + SOON_S
        while pid(member) == before or not member.server.runs:
            assert time.monotonic() < give_up
            time.sleep(0.1)


def test_a_clock_jumps_and_tells_or_not(cluster: Cluster, member: Member) -> None:
    if not probe().clocks:
        pytest.skip("this machine has no C compiler; install gcc and libc6-dev")
    with armed(cluster.region, plan("clock_step", step_s=STEP_S, synchronised="false", noticed="false", error_s=0.5)):
        pass
    told = out(cluster.plane, member, "date +%s; chronyc -c tracking").splitlines()
    assert STEP_S - 10 < float(told[0]) - time.time() < STEP_S + 10
    fields = told[1].split(",")
    assert abs(float(fields[4])) == pytest.approx(0.1, abs=0.01), "chronyd has not noticed"
    assert fields[-1] == "Not synchronised"
    assert float(fields[10]) / 2 + float(fields[11]) == pytest.approx(0.5)


def test_a_full_disk_takes_no_byte_more(cluster: Cluster, member: Member) -> None:
    if cluster.plane.mode == "directory":
        pytest.skip("refused in directory mode, where nodes have no disks of their own; run as root")
    with armed(cluster.region, plan("disk_full")):
        pass
    said = out(cluster.plane, member, "dd if=/dev/zero of=/opt/aerospike/more bs=64k count=16 2>&1 || true")
    assert "No space left on device" in said


def test_a_server_crashes_and_stays_down(cluster: Cluster, member: Member) -> None:
    becomes(cluster, member, running=True)
    with armed(cluster.region, plan("asd_crash")):
        becomes(cluster, member, running=False)


def test_a_node_loses_its_power(cluster: Cluster, member: Member) -> None:
    with armed(cluster.region, plan("power_loss")):
        assert not cluster.region.mirror.is_on(member.node.instance_id)
