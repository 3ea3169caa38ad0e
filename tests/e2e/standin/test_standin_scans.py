"""Scans of the stand-in by the official client: every record once, in part, filtered, and while others write."""

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import aerospike
import pytest
from aerospike import exception
from aerospike_helpers import expressions as exp

from tests.e2e.standin.standin_cluster import StandinNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNT = 3000
POLICY = {"total_timeout": 0, "socket_timeout": 10_000}


@pytest.fixture(scope="module")
def client(shared_cluster: list[StandinNode]) -> "Iterator[aerospike.Client]":
    made = aerospike.client({"hosts": [(shared_cluster[0].ip, 3000)]}).connect()
    fill(made)
    yield made
    made.close()


def fill(client: aerospike.Client) -> None:
    for number in range(COUNT):
        set_name = None if number % 3 == 0 else f"set{number % 3}"
        client.put(("test", set_name, number), {"n": number, "s": "x" * 40}, policy={"key": aerospike.POLICY_KEY_SEND})


def numbers(found: list[Any]) -> Counter[int]:
    return Counter(record[2]["n"] for record in found)


def test_a_scan_of_all_partitions_gives_every_record_once_with_key_set_and_digest(client: aerospike.Client) -> None:
    found = client.query("test").results(POLICY)
    assert numbers(found) == Counter(range(COUNT))
    for (_, set_name, key, digest), _, bins in found:
        assert key == bins["n"]
        assert set_name == (None if key % 3 == 0 else f"set{key % 3}")
        assert bytes(digest) == bytes(aerospike.calc_digest("test", set_name or "", key))


def test_scan_and_query_without_predicate_take_one_set(client: aerospike.Client) -> None:
    wanted = Counter(number for number in range(COUNT) if number % 3 == 1)
    assert numbers(client.scan("test", "set1").results(POLICY)) == wanted
    assert numbers(client.query("test", "set1").results(POLICY)) == wanted


def test_ranges_of_partitions_do_not_overlap_and_are_complete(client: aerospike.Client) -> None:
    found: Counter[int] = Counter()
    for begin in range(0, 4096, 1024):
        found += numbers(client.query("test").results({**POLICY, "partition_filter": {"begin": begin, "count": 1024}}))
    assert found == Counter(range(COUNT))


def test_a_scan_goes_on_after_a_record_of_its_partition(client: aerospike.Client) -> None:
    begin = {"begin": 0, "count": 4096}
    by_partition: dict[int, list[bytes]] = {}
    for (_, _, _, digest), _, _ in client.query("test").results({**POLICY, "partition_filter": begin}):
        by_partition.setdefault((digest[0] | digest[1] << 8) & 4095, []).append(bytes(digest))
    pid, digests = max(by_partition.items(), key=lambda item: len(item[1]))
    assert digests == sorted(digests, reverse=True)
    state = {"done": False, "retry": False, pid: (pid, True, False, bytearray(digests[0]), 0)}
    after = {"begin": pid, "count": 1, "partition_status": state}
    rest = client.query("test").results({**POLICY, "partition_filter": after})
    assert [bytes(record[0][3]) for record in rest] == digests[1:]


def test_a_limit_and_no_bins_are_kept(client: aerospike.Client) -> None:
    query = client.query("test")
    query.max_records = 90
    found = query.results(POLICY, {"nobins": True})
    assert len(found) == 90
    assert all(not record[2] for record in found)


def test_last_update_time_and_set_are_filtered_by_the_server(client: aerospike.Client) -> None:
    time.sleep(0.01)
    between_ns = time.time_ns()
    time.sleep(0.01)
    client.put(("test", "late", "k"), {"n": -1}, policy={"key": aerospike.POLICY_KEY_SEND})
    try:
        after = exp.GE(exp.LastUpdateTime(), between_ns).compile()
        assert numbers(client.query("test").results({**POLICY, "expressions": after})) == Counter([-1])
        late = exp.Or(exp.Eq(exp.SetName(), "late"), exp.Eq(exp.SetName(), "none")).compile()
        assert numbers(client.query("test").results({**POLICY, "expressions": late})) == Counter([-1])
        unknown = exp.GE(exp.DeviceSize(), 1).compile()
        with pytest.raises(exception.InvalidRequest):
            client.query("test").results({**POLICY, "expressions": unknown, "max_retries": 0})
    finally:
        client.remove(("test", "late", "k"))


def test_an_unknown_namespace_is_refused(client: aerospike.Client) -> None:
    with pytest.raises(exception.AerospikeError):
        client.query("none").results({**POLICY, "max_retries": 0})


def test_writes_go_on_while_a_slow_client_scans(client: aerospike.Client, shared_cluster: list[StandinNode]) -> None:
    slow = aerospike.client({"hosts": [(shared_cluster[0].ip, 3000)]}).connect()
    begun, done = threading.Event(), threading.Event()
    seen: Counter[int] = Counter()

    def take(found: tuple[Any, Any, dict[str, int]]) -> None:
        seen[found[2]["n"]] += 1
        if not begun.is_set():
            begun.set()
            done.wait(20)

    scan = threading.Thread(target=lambda: slow.query("test").foreach(take, POLICY))
    scan.start()
    assert begun.wait(10)
    for number in range(300):
        client.put(("test", None, number * 3), {"n": number * 3}, policy={"key": aerospike.POLICY_KEY_SEND})
    done.set()
    scan.join(30)
    assert seen == Counter(range(COUNT))
    slow.close()


def test_a_client_that_goes_away_ends_its_scan_and_nothing_else(client: aerospike.Client) -> None:
    count = 0

    def take(_: object) -> bool:
        nonlocal count
        count += 1
        return count < 5

    client.query("test").foreach(take, POLICY)
    assert 5 <= count <= 7  # each node's stream has a thread of its own
    assert len(client.query("test").results(POLICY)) == COUNT


def test_a_scan_is_whole_after_a_node_has_gone_and_while_copies_are_on_their_way(
    launch: "Callable[..., list[StandinNode]]", connect: "Callable[..., aerospike.Client]"
) -> None:
    nodes = launch(size=3, subnet=251)
    client = connect(nodes[0])
    fill(client)
    nodes[2].kill()
    deadline = time.monotonic() + 20
    while True:
        try:
            found = numbers(client.query("test").results({**POLICY, "sleep_between_retries": 200, "max_retries": 20}))
            break
        except exception.AerospikeError:
            assert time.monotonic() < deadline
    assert found == Counter(range(COUNT))


def test_a_udf_module_is_listed_and_fetched(shared_cluster: list[StandinNode]) -> None:
    content = "ZnVuY3Rpb24gZigpIHJldHVybiAxIGVuZAo="
    assert shared_cluster[0].info(f"udf-put:filename=f.lua;content={content};content-len=26;udf-type=LUA;") == ""
    made = aerospike.client({"hosts": [(shared_cluster[0].ip, 3000)]}).connect()
    assert [module["name"] for module in made.udf_list()] == ["f.lua"]
    assert made.udf_get("f.lua") == "function f() return 1 end\n"
    assert shared_cluster[0].info("udf-get:filename=none.lua") == "error=not_found"
    made.close()


def test_an_index_on_a_collection_is_listed_as_such(shared_cluster: list[StandinNode]) -> None:
    assert (
        shared_cluster[0].info("sindex-create:namespace=test;set=d;indexname=k;bin=m;type=string;indextype=mapkeys")
        == "ok"
    )
    listed = "ns=test:indexname=k:set=d:bin=m:type=string:indextype=mapkeys:context=null:exp=null:state=RW"
    assert listed in shared_cluster[0].info("sindex-list:ns=test;b64=true").split(";")
    assert (
        shared_cluster[0]
        .info("sindex-create:namespace=test;indexname=l;bin=m;type=string;indextype=odd")
        .startswith("ERROR")
    )
