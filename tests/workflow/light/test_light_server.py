"""The light server refuses what the real one refuses, and keeps what the real one keeps."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.dataplane.plane import DataPlaneError
from sandbox.light import LightPlane
from sandbox.light.content import BLANK, Data
from sandbox.light.host import Host
from sandbox.light.server import Server
from tests.workflow.light.light_host import MOUNT_POINT, a_host, ask, volume

OLD = Data("then", 100)
NEW = Data("now", 120)


@pytest.fixture
def plane() -> Iterator[LightPlane]:
    made = LightPlane(start_s=0.0, migrate_s=0.0)
    yield made
    made.close()


def server_of(host: Host) -> Server:
    assert host.server is not None, host.log
    return host.server


def again(plane: LightPlane, host: Host) -> Server | None:
    """Stop the server and start it anew."""
    server_of(host).stop()
    plane.boot(host.instance_id)
    return host.server


def held(host: Host) -> tuple[str, str]:
    server = server_of(host)
    return server.data("test").timeline, server.data("raw").timeline


def test_a_snapshot_stays_as_it_was_cut(plane: LightPlane) -> None:
    host = a_host(plane)
    plane.write("demo", "raw", OLD)
    members = {volume(host, device).volume_id: f"snap-{device}" for device in ("sdg", "sdh")}
    plane.cut(host.instance_id, members)
    plane.write("demo", "raw", NEW)
    plane.create_volume("vol-copy", size_bytes=1 << 30, snapshot_id="snap-sdg")
    assert plane.store.volumes["vol-copy"].content.parts == {("raw", "then", "A1")}
    assert volume(host, "sdg").content.parts == {("raw", "now", "A1")}


def test_a_copy_of_a_snapshot_is_the_same_text_and_outlives_it(plane: LightPlane) -> None:
    host = a_host(plane)
    data = volume(host, "sdg")
    plane.create_volume("vol-blank", size_bytes=1 << 20)
    plane.cut(host.instance_id, {data.volume_id: "snap-1"})
    plane.cut_volume("vol-blank", "snap-blank")
    plane.copy_snapshot("snap-1", "snap-copy")
    text = plane.read_snapshot("snap-1", offset=0, length=4096)
    plane.delete_snapshot("snap-1")
    assert plane.read_snapshot("snap-copy", offset=0, length=4096) == text
    assert text.strip(b"\0")
    assert plane.read_snapshot("snap-blank", offset=0, length=8) == bytes(8)


def test_what_is_deleted_is_remembered_and_who_else_holds_it(plane: LightPlane) -> None:
    host = a_host(plane)
    plane.write("demo", "raw", OLD)
    gone = volume(host, "sdg").volume_id
    plane.cut(host.instance_id, {gone: "snap-1"})
    plane.detach(gone)
    plane.delete_volume(gone)
    part = ("raw", "then", "A1")
    assert [deleted.content.parts for deleted in plane.store.deleted] == [{part}]
    assert set(plane.store.holders(part)) == {"snap-1", volume(host, "sdh").volume_id}


def test_records_survive_a_restart_and_a_power_loss_under_a_new_signature(plane: LightPlane) -> None:
    host = a_host(plane)
    for name in ("test", "raw"):
        plane.write("demo", name, OLD)
    before = volume(host, "sdg").content.raw
    assert before is not None
    assert again(plane, host) is not None
    after = volume(host, "sdg").content.raw
    assert after is not None
    assert held(host) == ("then", "then")
    assert before.header.random != after.header.random
    root = host.root
    volumes = list(host.devices.values())
    plane.remove_node(host.instance_id)
    plane.add_node("i-other", private_ip="10.77.0.10")
    assert root is not None
    plane.attach(root.volume_id, "i-other", device="/dev/sda1", root=True)
    for one in volumes:
        plane.attach(one.volume_id, "i-other", device=one.device)
    plane.boot("i-other")
    assert held(plane.host("i-other")) == ("then", "then")


def test_a_clean_stop_leaves_trusted_headers_and_a_power_loss_does_not(plane: LightPlane) -> None:
    host = a_host(plane)
    raw = volume(host, "sdg")
    assert raw.content.raw is not None
    assert not raw.content.raw.header.trusted
    ask(plane, host, "stop", Run="r", Unmount="none")
    assert raw.content.raw.header.trusted


@pytest.mark.parametrize("harm", ["missing", "blank", "other set", "other namespace"])
def test_a_set_that_is_not_whole_is_refused(plane: LightPlane, harm: str) -> None:
    host = a_host(plane)
    server_of(host).stop()
    second = volume(host, "sdh")
    extent = second.content.raw
    assert extent is not None
    if harm == "missing":
        plane.detach(second.volume_id)
    elif harm == "blank":
        second.content = BLANK
    elif harm == "other set":
        second.content = replace(second.content, raw=replace(extent, header=replace(extent.header, random=1)))
    else:
        second.content = replace(second.content, raw=replace(extent, header=replace(extent.header, namespace="x")))
    plane.boot(host.instance_id)
    assert host.server is None
    assert "CRITICAL" in host.log[-1]


def test_a_mounted_volume_is_busy_until_it_is_unmounted(plane: LightPlane) -> None:
    host = a_host(plane)
    mounted = volume(host, "sdf").volume_id
    with pytest.raises(DataPlaneError, match="busy"):
        plane.detach(mounted)
    code, reply = ask(plane, host, "stop", Run="r", Unmount=MOUNT_POINT)
    assert (code, reply["state"], reply["unmounted"]) == (0, "stopped", [MOUNT_POINT])
    plane.detach(mounted)


def test_an_empty_member_gets_its_records_from_the_others(plane: LightPlane) -> None:
    first = a_host(plane)
    plane.write("demo", "raw", OLD)
    second = a_host(plane, ip="10.77.0.11", node_id="A2")
    assert server_of(second).data("raw") == Data()
    remaining = ask(plane, first, "health")[1]["cluster"]["migrations_remaining"]
    assert remaining == 1
    time.sleep(0.01)
    health = ask(plane, first, "health")[1]
    assert health["cluster"]["migrations_remaining"] == 0
    assert server_of(second).data("raw") == replace(OLD, part="A2")
    counted = [ask(plane, host, "health")[1]["namespaces"][1]["master_objects"] for host in (first, second)]
    assert sum(counted) == OLD.records


def test_two_servers_of_one_node_id_are_seen_by_both(plane: LightPlane) -> None:
    first, second = a_host(plane), a_host(plane, ip="10.77.0.11")
    for host in (first, second):
        cluster = ask(plane, host, "health")[1]["cluster"]
        assert (cluster["duplicate_nodes"], cluster["integrity"]) == (["A1"], False)
