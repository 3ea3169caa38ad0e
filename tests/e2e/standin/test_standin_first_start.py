"""What a first start after a restore relies on: guards and emptiness from the conf, and what statistics then say."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aerospike import exception

from tests.e2e.standin.standin_cluster import StandinNode, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    import aerospike

    Launch = Callable[..., list[StandinNode]]
    Connect = Callable[..., aerospike.Client]

GUARD = "set-config:context=namespace;id=test;reject-non-xdr-writes="


def a_key(number: int) -> tuple[str, str, int]:
    return ("test", "s", number)


def rewrite(node: StandinNode, old: str, new: str) -> None:
    text = node.conf.read_text()
    assert old in text
    node.conf.write_text(text.replace(old, new))


def test_a_guard_in_the_conf_counts_from_the_start_and_can_be_lifted_at_run_time(
    launch: Launch, connect: Connect
) -> None:
    (node,) = launch(size=1, extra="reject-non-xdr-writes true")
    client = connect(node)
    with pytest.raises(exception.ForbiddenError):
        client.put(a_key(1), {"n": 1})
    assert node.fields("get-config:context=namespace;id=test")["reject-non-xdr-writes"] == "true"
    assert node.info(GUARD + "false") == "ok"
    client.put(a_key(1), {"n": 1})
    node.stop()
    node.start()
    assert node.fields("get-config:context=namespace;id=test")["reject-non-xdr-writes"] == "true"


def test_cold_start_empty_forgets_everything_once(launch: Launch, connect: Connect) -> None:
    (node,) = launch(size=1)
    client = connect(node)
    for number in range(20):
        client.put(a_key(number), {"n": number})
    node.stop()
    plain = node.conf.read_text()
    rewrite(node, "filesize 64M", "filesize 64M\n    cold-start-empty true")
    node.start()
    shown = node.fields("get-config:context=namespace;id=test")["storage-engine.cold-start-empty"]
    assert (shown, node.fields("namespace/test")["objects"]) == ("true", "0")
    node.stop()
    node.conf.write_text(plain)
    node.start()
    assert node.fields("namespace/test")["objects"] == "0"


def test_statistics_tell_of_truncation_and_of_a_cluster_that_is_whole(launch: Launch, connect: Connect) -> None:
    nodes = launch(size=2)
    client = connect(*nodes)
    client.put(a_key(1), {"n": 1})
    client.put(("test", "other", 1), {"n": 1})
    assert nodes[1].info("truncate:namespace=test;set=s") == "ok"
    eventually(lambda: all(lut_of_set(node) > 0 for node in nodes))
    assert nodes[0].fields("namespace/test")["truncate_lut"] == "0"
    assert nodes[1].info("truncate-namespace:namespace=test") == "ok"
    eventually(lambda: all(int(node.fields("namespace/test")["truncate_lut"]) > 0 for node in nodes))
    told = nodes[0].fields("statistics")
    wanted = ("cluster_integrity", "cluster_is_member", "migrate_allowed", "cluster_duplicate_nodes", "cluster_size")
    assert [told[name] for name in wanted] == ["true", "true", "true", "null", "2"]


def lut_of_set(node: StandinNode) -> int:
    return int(
        dict(pair.partition("=")[::2] for pair in node.info("smd-show:module=truncate").split(";")).get("test|s", 0)
    )


def test_a_node_that_comes_back_empty_is_filled_and_deleted_records_stay_away(launch: Launch, connect: Connect) -> None:
    nodes = launch(size=3)
    client = connect(*nodes)
    for number in range(300):
        client.put(a_key(number), {"n": number})
    nodes[0].kill()
    eventually(lambda: settled(nodes[1:]))
    survivors = connect(*nodes[1:])
    for number in range(100):
        survivors.remove(a_key(number))
    (nodes[0].directory / "test.dat").unlink()
    nodes[0].start()
    eventually(lambda: settled(nodes))
    masters = sum(int(node.fields("namespace/test")["master_objects"]) for node in nodes)
    replicas = sum(int(node.fields("namespace/test")["prole_objects"]) for node in nodes)
    assert (masters, replicas) == (200, 200)


def test_migrations_of_a_rejoin_count_down_to_none(launch: Launch, connect: Connect) -> None:
    nodes = launch(size=3)
    nodes[2].kill()
    eventually(lambda: settled(nodes[:2]))
    client = connect(*nodes[:2])
    for number in range(600):
        client.put(a_key(number), {"n": number})
    nodes[2].start()
    seen: list[int] = []
    deadline = time.monotonic() + 30
    while not seen or seen[-1] > 0 or not settled(nodes):
        assert time.monotonic() < deadline
        seen.append(sum(int(node.fields("statistics")["migrate_partitions_remaining"]) for node in nodes))
        time.sleep(0.02)
    assert max(seen) > 0
    assert sum(int(node.fields("namespace/test")["master_objects"]) for node in nodes) == 600


def settled(nodes: list[StandinNode]) -> bool:
    replies = {node.info(f"cluster-stable:size={len(nodes)};ignore-migrations=false") for node in nodes}
    return len(replies) == 1 and not replies.pop().startswith("ERROR")


def _hears_sigterm(node: StandinNode) -> bool:
    """It has a handler for it; before, as any process, it just ends."""
    assert node.process is not None
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_a_server_that_is_told_to_end_before_it_serves_ends_cleanly(folder: Path) -> None:
    node = StandinNode(folder / "n1", ip="127.78.251.10", node_id="A1", seeds=["127.78.251.11"])
    node.start(wait=False)
    eventually(lambda: "loaded: objects" in node.log_text() and _hears_sigterm(node))
    assert node.stop() == 0
    assert "finished clean shutdown" in node.log_text()
