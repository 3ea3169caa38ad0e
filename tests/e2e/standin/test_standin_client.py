"""The official client works against three stand-ins as against three servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aerospike
import pytest
from aerospike import exception

from sandbox.standin.settings import recorded
from tests.e2e.standin.standin_cluster import StandinNode, eventually

if TYPE_CHECKING:
    from collections.abc import Callable


def a_key(name: str) -> tuple[str, str, str]:
    return ("test", "demo", name)


def test_the_client_finds_all_nodes_from_one_seed(client: aerospike.Client, shared_cluster: list[StandinNode]) -> None:
    assert {node["node_name"] for node in client.get_node_names()} == {"A1", "A2", "A3"}
    assert shared_cluster[0].info("peers-clear-std").startswith("1,3000,[[A2,,[")


def test_records_of_every_partition_can_be_written_read_and_removed(client: aerospike.Client) -> None:
    keys = [a_key(f"all-{number}") for number in range(600)]
    for number, key in enumerate(keys):
        client.put(key, {"n": number, "text": "ä" * 10, "blob": b"\0\1", "half": 0.5})
    assert client.get(keys[7])[2] == {"n": 7, "text": "ä" * 10, "blob": b"\0\1", "half": 0.5}
    batch = client.batch_read([*keys, a_key("nowhere")])
    assert [r.record[2]["n"] for r in batch.batch_records[:-1]] == list(range(600))
    assert batch.batch_records[-1].result == 2
    for key in keys:
        client.remove(key)
    with pytest.raises(exception.RecordNotFound):
        client.get(keys[7])
    with pytest.raises(exception.RecordNotFound):
        client.remove(keys[7])


def test_increments_and_generations_depend_on_what_was_there(client: aerospike.Client) -> None:
    key = a_key("counter")
    for _ in range(5):
        client.increment(key, "n", 3)
    _, meta, bins = client.get(key)
    assert (meta["gen"], bins) == (5, {"n": 15})
    policy = {"gen": aerospike.POLICY_GEN_EQ}
    with pytest.raises(exception.RecordGenerationError):
        client.put(key, {"n": 1}, meta={"gen": 4}, policy=policy)
    client.put(key, {"n": 1}, meta={"gen": 5}, policy=policy)
    assert client.exists(key)[1]["gen"] == 6
    client.touch(key)
    assert client.exists(key)[1]["gen"] == 7


def test_create_only_and_update_only_are_kept(client: aerospike.Client) -> None:
    key = a_key("once")
    with pytest.raises(exception.RecordNotFound):
        client.put(key, {"n": 1}, policy={"exists": aerospike.POLICY_EXISTS_UPDATE})
    client.put(key, {"n": 1}, policy={"exists": aerospike.POLICY_EXISTS_CREATE})
    with pytest.raises(exception.RecordExistsError):
        client.put(key, {"n": 2}, policy={"exists": aerospike.POLICY_EXISTS_CREATE})


def test_a_user_key_may_be_sent_and_an_unknown_namespace_is_refused(client: aerospike.Client) -> None:
    client.put(a_key("sent"), {"n": 1}, policy={"key": aerospike.POLICY_KEY_SEND})
    assert client.get(a_key("sent"), policy={"key": aerospike.POLICY_KEY_SEND})[2] == {"n": 1}
    with pytest.raises(exception.AerospikeError):
        client.put(("nope", "demo", "x"), {"n": 1})


def test_durable_deletes_are_refused_as_by_the_community_edition(client: aerospike.Client) -> None:
    client.put(a_key("durable"), {"n": 1})
    with pytest.raises(exception.AerospikeError) as caught:
        client.remove(a_key("durable"), policy={"durable_delete": True})
    assert caught.value.code == 25


def test_a_write_that_wants_a_ttl_is_refused_while_nothing_would_expire_it(client: aerospike.Client) -> None:
    with pytest.raises(exception.ForbiddenError):
        client.put(a_key("ttl"), {"n": 1}, policy={"ttl": 100})


def test_writes_arriving_at_the_wrong_node_are_handed_on_to_the_master(
    client: aerospike.Client, shared_cluster: list[StandinNode]
) -> None:
    del client
    lonely = aerospike.client(
        {"hosts": [(shared_cluster[0].ip, 3000)], "policies": {"read": {"replica": aerospike.POLICY_REPLICA_ANY}}}
    ).connect()
    for number in range(60):
        lonely.put(a_key(f"any-{number}"), {"n": number})
        assert lonely.get(a_key(f"any-{number}"))[2] == {"n": number}
    proxied = sum(int(node.fields("namespace/test")["client_proxy_complete"]) for node in shared_cluster)
    lonely.close()
    assert proxied > 0


def test_every_rejected_kind_of_write_gets_code_22_and_reads_go_on(
    client: aerospike.Client, shared_cluster: list[StandinNode]
) -> None:
    key = ("raw", "demo", "guarded")
    client.put(key, {"n": 1})
    for node in shared_cluster:
        assert node.info("set-config:context=namespace;id=raw;reject-non-xdr-writes=true") == "ok"
    try:
        acts: list[Callable[[], object]] = [
            lambda: client.put(key, {"n": 2}),
            lambda: client.increment(key, "n", 1),
            lambda: client.touch(key),
            lambda: client.remove(key),
        ]
        for act in acts:
            with pytest.raises(exception.ForbiddenError):
                act()
        batch = client.batch_remove([("raw", "demo", "guarded")])
        assert [record.result for record in batch.batch_records] == [22]
        assert client.get(key)[2] == {"n": 1}
        client.put(a_key("other-namespace"), {"n": 1})
        forbidden = sum(int(node.fields("namespace/raw")["fail_xdr_forbidden"]) for node in shared_cluster)
        assert forbidden == 5
    finally:
        for node in shared_cluster:
            node.info("set-config:context=namespace;id=raw;reject-non-xdr-writes=false")
    client.put(key, {"n": 3})


def test_info_replies_have_the_recorded_fields_in_the_recorded_order(shared_cluster: list[StandinNode]) -> None:
    node = shared_cluster[0]
    namespace = list(recorded("namespace-statistics") | recorded("namespace-config"))
    assert [n for n in node.fields("namespace/test") if n in namespace] == namespace
    assert list(node.fields("statistics")) == list(recorded("node-statistics"))
    assert list(node.fields("get-config:context=namespace;id=test")) == list(recorded("namespace-config"))
    assert list(node.fields("get-config:context=service")) == list(recorded("service-config"))


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("build", "8.1.2.0"),
        ("node", "A1"),
        ("namespaces", "test;raw"),
        ("edition", "Aerospike Community Edition"),
        ("status", "ok"),
        ("cluster-name", "demo"),
        ("namespace/nope", "type=unknown"),
        ("namespace:id=test", "type=unknown"),
        ("get-config:context=namespace;id=nope", "ERROR:20:namespace not found on node"),
        ("set-config:context=namespace;id=nope;flush-max-ms=1", "ERROR:20:namespace not found on node"),
        ("set-config:context=namespace;id=test;commit-to-device=true", "ERROR:4:invalid set-config parameter"),
        ("set-config:context=namespace;id=test;reject-non-xdr-writes=maybe", "ERROR:4:invalid set-config parameter"),
        ("set-config:context=namespace;id=test;flush-max-ms=1001", "ERROR:4:invalid set-config parameter"),
        ("set-config:context=namespace;namespace=test;flush-max-ms=1000", "ok"),
        ("set-config:context=service;migrate-fill-delay=10", "ERROR:4:invalid set-config parameter"),
        ("set-config:context=service;migrate-threads=1", "ok"),
        ("set-config:bogus", "ERROR:4:missing 'context'"),
        ("roster:namespace=test", "ERROR:25:enterprise only"),
        ("quiesce:", "ERROR:25:enterprise only"),
        ("nonsense", "ERROR:4:unrecognized command"),
        ("cluster-stable:size=9", "ERROR:7:cluster not specified size"),
        ("truncate-namespace:namespace=nope", "ok"),
        ("truncate:namespace=test;set=demo;lut=abc", "ERROR:4:would truncate to 0"),
        ("recluster:", "ignored-by-non-principal"),
    ],
)
def test_a_command_gets_the_recorded_answer(shared_cluster: list[StandinNode], command: str, reply: str) -> None:
    assert shared_cluster[0].info(command) == reply


def test_all_nodes_name_one_cluster_key_and_principal(shared_cluster: list[StandinNode]) -> None:
    statistics = [node.fields("statistics") for node in shared_cluster]
    assert {s["cluster_size"] for s in statistics} == {"3"}
    assert {s["cluster_principal"] for s in statistics} == {"A3"}
    keys = {s["cluster_key"] for s in statistics} | {node.info("cluster-stable:size=3") for node in shared_cluster}
    assert len(keys) == 1


def test_idle_counters_stand_still(shared_cluster: list[StandinNode], client: aerospike.Client) -> None:
    client.put(a_key("last"), {"n": 1})
    node = shared_cluster[0]

    def counters() -> dict[str, str]:
        moving = ("current_time",)
        return {name: value for name, value in node.fields("namespace/test").items() if name not in moving}

    eventually(lambda: all(n.fields("statistics")["rw_in_progress"] == "0" for n in shared_cluster))
    seen: list[dict[str, str]] = []

    def settled() -> bool:
        seen.append(counters())
        return len(seen) > 30 and seen[-1] == seen[-30]

    eventually(settled)


def test_a_sindex_made_on_any_node_is_known_on_all_and_survives_a_restart(shared_cluster: list[StandinNode]) -> None:
    first, second, third = shared_cluster
    command = "sindex-create:namespace=test;set=demo;indexname=idx_i;bin=i;type=numeric"
    assert first.info(command) == "ok"
    line = "ns=test:indexname=idx_i:set=demo:bin=i:type=numeric:indextype=default:context=null:exp=null:state=RW"
    for node in shared_cluster:
        eventually(lambda n=node: n.info("sindex-list:") == line)  # type: ignore[misc] # default binds the loop's value
        assert node.info(command) == "ok"
    assert second.info("smd-show:module=sindex") == "test|demo|i|.|I=idx_i"
    assert first.info("sindex-create:ns=test;set=demo;indexname=idx_i;indexdata=s,string").startswith("ERROR:200")
    assert second.stop() == 0
    second.start()
    assert second.info("sindex-list:") == line
    eventually(lambda: first.info("cluster-stable:size=3") == third.info("cluster-stable:size=3"))
    assert third.info("sindex-delete:ns=test;indexname=idx_i") == "ok"
    eventually(lambda: all(node.info("sindex-list:") == "" for node in shared_cluster))
