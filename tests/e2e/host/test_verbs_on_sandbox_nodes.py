"""The verbs of a restore on nodes of the sandbox: they drive systemctl, mounts and a server as they would real ones."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cluster import FILE_DEVICE, MOUNT_POINT, NAMESPACES, Build, Cluster, Member, launch
from sandbox.database import REPOSITORY, UNIT
from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import TRUE_CLOCK, DataPlane
from sandbox.dataplane.probe import probe
from sandbox.region import Region
from sandbox.region.documents import check_parameters, script_of
from tests.e2e.host.a_store import FileStore

DOCUMENTS = REPOSITORY / "build/node/documents"
RUN = "demo-restore-20261123T000000Z"
Result = dict[str, Any]


@pytest.fixture(params=[pytest.param("namespaces", marks=pytest.mark.root), "directory"])
def plane(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DataPlane]:
    if not DOCUMENTS.exists():
        pytest.skip("the host program is not packed: make layer")
    if request.param == "namespaces" and not probe().suffices:
        pytest.skip(f"this machine lacks {'; '.join(probe().missing)}; run as root with them installed")
    made = choose(tmp_path, mode=request.param)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def cluster(plane: DataPlane) -> Iterator[Cluster]:
    """One node, whose namespace ``test`` is in a file where there can be a mount."""
    region = Region(plane)
    try:
        region.start()
        build = Build(test_on_device=plane.mode == "directory")
        yield launch(region, plane, tag=("aerospike", "one"), clocks=(TRUE_CLOCK,), build=build)
    finally:
        region.stop()


@pytest.fixture
def store(plane: DataPlane) -> Iterator[FileStore]:
    made = FileStore()
    plane.relay(int(made.url.rpartition(":")[2]))
    yield made
    made.close()


def only(cluster: Cluster) -> Member:
    [member] = cluster.members.values()
    return member


def call(cluster: Cluster, verb: str, **parameters: str) -> Result:
    """Run a verb's document as the SSM agent does; it must not refuse."""
    content = json.loads((DOCUMENTS / f"{verb}.json").read_text())
    script = script_of(content, check_parameters(content, {name: [value] for name, value in parameters.items()}))
    instance_id = only(cluster).node.instance_id
    file = cluster.plane.host_dir(instance_id) / f"{verb}.sh"
    file.write_text(script.text)
    seen = f"{cluster.plane.seen_as(instance_id)}/{verb}.sh"
    process = cluster.plane.spawn(
        instance_id, ["sh", seen], env=script.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, words = process.communicate(timeout=60)
    assert out, words.decode()
    result: Result = json.loads(out)
    assert result["ok"], result
    return result


def seen(cluster: Cluster, shell: str) -> str:
    """What a command says on the node."""
    process = cluster.plane.spawn(only(cluster).node.instance_id, ["sh", "-c", shell], stdout=subprocess.PIPE)
    return str(process.communicate(timeout=20)[0].decode())


def an_order(cluster: Cluster, survey: Result) -> Result:
    """Stage what is there: same volumes, same paths, writes rejected."""
    volumes: list[Result] = [
        {"volume_id": volume_id, "mount": None} for volume_id in only(cluster).node.volumes.values()
    ]
    if cluster.plane.mode == "namespaces":
        mount = {"point": MOUNT_POINT, "fs_type": "ext4", "options": "rw"}
        volumes[0] = {"volume_id": only(cluster).node.volumes[FILE_DEVICE], "mount": mount}
    devices = [
        {"namespace": ns["name"], "path": path["path"], "role": path["role"], "volume_id": path["volume_id"]}
        for ns in survey["namespaces"]
        for path in ns["paths"]
    ]
    counts = {ns["name"]: len(ns["paths"]) for ns in survey["namespaces"]}
    return {
        "node_id": "A1",
        "volumes": volumes,
        "devices": devices,
        "sets": [
            {"namespace": name, "n_devices": count, "random": None, "version": 4, "blank": False}
            for name, count in counts.items()
        ],
        "smd": {"action": "keep", "files": []},
        "conf": {"action": "keep", "files": []},
        "first_start": {"reject_writes": list(NAMESPACES), "cold_start_empty": []},
        "cut_at": None,
        "clock_error_s": 1.0,
    }


def asked_until(cluster: Cluster, verb: str, state: str, **parameters: str) -> Result:
    """Ask again as the controller does, until it is done."""
    for _ in range(20):
        result = call(cluster, verb, Run=RUN, **parameters)
        if result["state"] == state:
            return result
    raise AssertionError(result)


def test_a_node_is_stopped_staged_started_with_writes_rejected_and_opened(cluster: Cluster, store: FileStore) -> None:
    server, point = only(cluster).server, MOUNT_POINT if cluster.plane.mode == "namespaces" else "none"
    cluster.put("test", "kept", 20)
    before = call(cluster, "survey")
    stopped = asked_until(cluster, "stop", "stopped", Unmount=point)
    assert stopped["clean"] is True
    assert server.systemctl("is-enabled", UNIT)[1].strip() == "masked"
    order = an_order(cluster, before)
    staged = call(cluster, "stage", Run=RUN, Spec=store.order(order))
    assert staged["staged"]
    assert len(staged["headers"]) == 3
    entries = seen(cluster, "cat /etc/fstab || true")
    assert bool(
        re.fullmatch(rf"UUID=\S+ {point} ext4 \S*nofail,x-systemd\.before=aerospike\.service 0 2\n", entries)
    ) == (cluster.plane.mode == "namespaces")
    started = asked_until(cluster, "start", "ready", Mode="first")
    assert started["cold_start"]
    surveyed = call(cluster, "survey")
    assert surveyed["asd"]["unit"] == {"active": "active", "masked": False, "first_start": True, "enabled": True}
    with pytest.raises(RuntimeError, match="records failed"):
        cluster.put("test", "more", 1, wait_s=0.5)
    opened = call(cluster, "open-writes", Run=RUN, Namespaces=",".join(NAMESPACES))
    assert opened["open"]
    cluster.put("test", "more", 5)
    assert cluster.count("test", "kept", 20) == 20
    assert "first-start" not in server.systemctl("cat", UNIT)[1]


def test_a_stage_is_put_back_and_the_node_serves_as_before(cluster: Cluster, store: FileStore) -> None:
    point = MOUNT_POINT if cluster.plane.mode == "namespaces" else "none"
    cluster.put("test", "kept", 20)
    order = an_order(cluster, call(cluster, "survey"))
    asked_until(cluster, "stop", "stopped", Unmount=point)
    call(cluster, "stage", Run=RUN, Spec=store.order(order))
    back = call(cluster, "stage", Run=RUN, Spec="back")
    assert not back["staged"]
    asked_until(cluster, "start", "ready", Mode="normal")
    assert cluster.count("test", "kept", 20) == 20
    cluster.put("test", "more", 5)
