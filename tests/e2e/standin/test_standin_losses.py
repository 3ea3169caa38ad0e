"""What is lost and what is not, in crash copies, cold starts and clusters that change: as measured on a real server."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest
from aerospike import exception

from tests.e2e.standin.standin_cluster import StandinNode, eventually, start_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import aerospike

DEVICES = """
  storage-engine device {{
    device {directory}/{namespace}-a
    device {directory}/{namespace}-b
    flush-max-ms 1000
  }}
"""
DEVICE_BYTES = 64 << 20
GUARD = "set-config:context=namespace;id=test;reject-non-xdr-writes="


def with_devices(folder: Path, size: int) -> None:
    for index in range(size):
        (folder / f"n{index + 1}").mkdir(parents=True)
        for name in ("test-a", "test-b"):
            with (folder / f"n{index + 1}" / name).open("wb") as device:
                device.truncate(DEVICE_BYTES)


def a_key(number: int) -> tuple[str, str, int]:
    return ("test", "demo", number)


def present(client: aerospike.Client, numbers: range) -> int:
    batch = client.batch_read([a_key(number) for number in numbers])
    return sum(record.result == 0 for record in batch.batch_records)


def total(nodes: list[StandinNode], field: str) -> int:
    return sum(int(node.fields("namespace/test")[field]) for node in nodes)


def crash(nodes: list[StandinNode]) -> None:
    """Keep the devices as they are now: a plain file without O_DIRECT holds what a device would."""
    for node in nodes:
        node.kill()


def test_a_crash_loses_acknowledged_writes_and_the_guard_with_a_pause_loses_none(
    folder: Path, launch: Callable[..., list[StandinNode]], connect: Callable[..., aerospike.Client]
) -> None:
    with_devices(folder, 1)
    nodes = launch(size=1, storage=DEVICES)
    client = connect(*nodes)
    client.put(a_key(0), {"n": 0})
    node = nodes[0]

    def flushed() -> bool:
        fields = node.fields("namespace/test")
        return any(int(fields[f"storage-engine.device[{i}].partial_writes"]) > 0 for i in range(2))

    eventually(flushed)
    for number in range(1, 400):
        client.put(a_key(number), {"n": number})
    crash(nodes)  # at once: what was acknowledged within the last second is in memory only
    start_all(nodes)
    lost = 400 - present(connect(*nodes), range(400))
    assert 0 < lost < 400

    client = connect(*nodes)
    for number in range(400):
        client.put(a_key(number), {"n": number + 1})
    assert node.info(GUARD + "true") == "ok"
    with pytest.raises(exception.ForbiddenError):
        client.put(a_key(1), {"n": 99})
    time.sleep(1.5)
    crash(nodes)
    start_all(nodes)
    client = connect(*nodes)
    assert present(client, range(400)) == 400
    assert [client.get(a_key(n))[2]["n"] for n in (0, 1, 399)] == [1, 2, 400]
    client.put(a_key(1), {"n": 99})  # a restart resets the guard


def test_the_guard_on_one_of_two_nodes_rejects_part_and_replica_writes_still_land_there(
    launch: Callable[..., list[StandinNode]], connect: Callable[..., aerospike.Client]
) -> None:
    nodes = launch(size=2)
    client = connect(*nodes)
    assert nodes[0].info(GUARD + "true") == "ok"
    before = int(nodes[0].fields("namespace/test")["prole_objects"])
    accepted = rejected = 0
    for number in range(400):
        try:
            client.put(a_key(number), {"n": number})
            accepted += 1
        except exception.ForbiddenError:
            rejected += 1
    assert 100 < rejected < 300
    fields = nodes[0].fields("namespace/test")
    assert int(fields["prole_objects"]) - before == accepted
    assert int(fields["fail_xdr_forbidden"]) == rejected
    assert int(fields["client_write_success"]) == 0


def test_volumes_of_different_lifetimes_end_the_start_in_the_real_words(
    folder: Path, launch: Callable[..., list[StandinNode]]
) -> None:
    with_devices(folder, 1)
    (node,) = launch(size=1, storage=DEVICES)
    old = folder / "old"
    assert node.stop() == 0
    shutil.copy(node.directory / "test-b", old)
    node.start()
    assert node.stop() == 0
    shutil.copy(old, node.directory / "test-b")
    node.log.unlink()
    node.start(wait=False)
    assert node.process is not None
    assert node.process.wait(10) == 1
    assert "drive set with unmatched headers - devices" in node.log_text()
    assert "have different signatures" in node.log_text()


def test_a_killed_node_comes_back_with_its_data_and_updates_made_meanwhile_win(
    launch: Callable[..., list[StandinNode]], connect: Callable[..., aerospike.Client]
) -> None:
    nodes = launch(size=3)
    client = connect(*nodes)
    for number in range(600):
        client.put(a_key(number), {"n": number})
    time.sleep(1.2)  # all is flushed
    nodes[2].kill()
    eventually(lambda: nodes[0].fields("statistics")["cluster_size"] == "2", what="node missed")
    eventually(lambda: total(nodes[:2], "master_objects") == total(nodes[:2], "prole_objects") == 600, what="refilled")
    client = connect(*nodes[:2])
    for number in range(100):
        client.remove(a_key(number))
    for number in range(100, 200):
        client.put(a_key(number), {"n": -number})
    for number in range(600, 700):
        client.put(a_key(number), {"n": number})
    nodes[2].start()
    settled = "cluster-stable:size=3;ignore-migrations=false"
    eventually(lambda: not any(node.info(settled).startswith("ERROR") for node in nodes), what="settled")
    client = connect(*nodes)
    assert [client.get(a_key(n))[2]["n"] for n in range(100, 200)] == [-n for n in range(100, 200)]
    assert present(client, range(100, 700)) == 600
    # Without tombstones the deletes come back where the returning node had a copy: about two thirds.
    assert 40 < present(client, range(100)) < 90
    master, prole = total(nodes, "master_objects"), total(nodes, "prole_objects")
    assert master == prole == 600 + present(client, range(100))
    assert total(nodes, "non_replica_objects") == 0


def test_migrations_are_counted_down_and_reads_are_right_while_they_last(
    launch: Callable[..., list[StandinNode]], connect: Callable[..., aerospike.Client]
) -> None:
    nodes = launch(size=2)
    client = connect(*nodes)
    for number in range(500):
        client.put(a_key(number), {"n": number})
    for node in nodes:
        assert node.info("set-config:context=service;migrate-threads=0") == "ok"
    assert nodes[1].stop() == 0
    eventually(lambda: nodes[0].fields("statistics")["cluster_size"] == "1")
    client = connect(nodes[0])
    for number in range(500):
        client.put(a_key(number), {"n": number + 1000})
    nodes[1].start()
    assert nodes[1].info("set-config:context=service;migrate-threads=0") == "ok"
    eventually(lambda: nodes[0].fields("statistics")["cluster_size"] == "2")
    remaining = [int(node.fields("statistics")["migrate_partitions_remaining"]) for node in nodes]
    assert sum(remaining) > 0
    assert "ERROR:7:unstable cluster" in {node.info("cluster-stable:") for node in nodes}
    client = connect(*nodes)
    assert [client.get(a_key(n))[2]["n"] for n in range(500)] == [n + 1000 for n in range(500)]
    for node in nodes:
        assert node.info("set-config:context=service;migrate-threads=4") == "ok"
    eventually(lambda: not any(node.info("cluster-stable:size=2").startswith("ERROR") for node in nodes))
    assert total(nodes, "prole_objects") == 500


def test_sigterm_while_idle_is_clean_and_leaves_a_trusted_header(launch: Callable[..., list[StandinNode]]) -> None:
    (node,) = launch(size=1)
    assert node.stop() == 0
    assert "finished clean shutdown - exiting" in node.log_text()
    assert (node.directory / "test.dat").read_bytes()[0x38] == 1


def test_a_conf_for_the_enterprise_edition_ends_the_start(folder: Path) -> None:
    node = StandinNode(folder / "n1", ip="127.78.1.1", node_id="A1", extra="strong-consistency true")
    node.start(wait=False)
    assert node.process is not None
    assert node.process.wait(10) == 1
    assert "'strong-consistency' is enterprise-only" in (node.directory / "stderr").read_text()


def test_records_expire_in_every_namespace_that_has_an_expiry_period(
    launch: Callable[..., list[StandinNode]], connect: Callable[..., aerospike.Client]
) -> None:
    (node,) = launch(size=1, namespaces=("test", "raw"), extra="nsup-period 1")
    client = connect(node)
    for namespace in ("test", "raw"):
        client.put((namespace, "demo", "soon"), {"n": 1}, policy={"ttl": 1})
        client.put((namespace, "demo", "later"), {"n": 1}, policy={"ttl": 1000})
    for namespace in ("test", "raw"):
        eventually(lambda name=namespace: node.fields(f"namespace/{name}")["expired_objects"] == "1")  # type: ignore[misc] # default binds the loop's value
        assert node.fields(f"namespace/{namespace}")["objects"] == "1"
