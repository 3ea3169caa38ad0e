"""Which alarms watch a node, whose an alarm is, and what the answers of hosts say of their nodes."""

import pytest
from aerokeep.model.health import ClusterView, NamespaceHealth, NodeHealth
from aerokeep.model.survey import Asd
from aerokeep.rules.alarms import node_prefix, wanted_alarms, watched_by
from aerokeep.rules.health import measure
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_node_inventory

CLUSTERS = st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)
NODE_IDS = st.from_regex(r"[0-9A-F]{1,16}", fullmatch=True)


@given(CLUSTERS, NODE_IDS)
def test_the_name_of_an_alarm_tells_its_cluster_and_node(cluster: str, node_id: str) -> None:
    for name in wanted_alarms(cluster, [a_node_inventory(node_id=node_id)]):
        watched = watched_by(name)
        assert watched is not None
        assert (watched.cluster, watched.node_id) == (cluster, node_id)
        assert name.startswith(node_prefix(cluster))


@pytest.mark.parametrize("name", ["aerokeep-demo-node-A1", "aerokeep-demo-age", "x-demo-node-A1-status-check", ""])
def test_other_alarms_watch_no_node(name: str) -> None:
    assert watched_by(name) is None


def test_silence_of_ec2_and_of_the_metric_count_as_failure() -> None:
    alarms = wanted_alarms("demo", [a_node_inventory()])
    check, silent = alarms["aerokeep-demo-node-A1-status-check"], alarms["aerokeep-demo-node-A1-asd-silent"]
    assert {alarm.missing for alarm in alarms.values()} == {"breaching"}
    assert (check.metric, check.statistic, check.period_s, check.periods) == ("StatusCheckFailed", "Maximum", 60, 2)
    assert check.dimensions == {"InstanceId": "i-1"}
    assert (silent.metric, silent.statistic, silent.period_s, silent.periods) == ("AsdAnswers", "Minimum", 60, 3)
    assert silent.dimensions == {"cluster": "demo", "node": "A1", "InstanceId": "i-1"}


def a_health(node_id: str, *peers: str) -> NodeHealth:
    return NodeHealth(
        node_id=node_id,
        peers=peers,
        cluster=ClusterView(key="K", size=len(peers) + 1, migrations_remaining=2, clock_skew_ms=-300),
        namespaces=(NamespaceHealth(name="test", dead_partitions=1, stop_writes=True),),
        asd=Asd(running=True),
    )


NODES = {"i-1": "A1", "i-2": "A2", "i-3": "A3"}


def values(healths: dict[str, NodeHealth]) -> dict[str, float]:
    return {d.dimensions.get("node", d.name): d.value for d in measure("demo", NODES, healths)}


def test_a_node_answers_itself_or_through_a_peer_that_has_it_in_its_cluster() -> None:
    told = values({"i-1": a_health("A1", "A2")})
    assert (told["A1"], told["A2"], told["A3"]) == (1, 1, 0)
    assert (told["NodesExpected"], told["NodesAnswering"]) == (3, 2)


def test_a_cluster_that_nobody_hears_is_silent_node_by_node_and_says_nothing_more() -> None:
    assert values({}) == {"A1": 0, "A2": 0, "A3": 0, "NodesExpected": 3, "NodesAnswering": 0}


def test_what_is_wrong_is_added_up_over_the_cluster() -> None:
    told = values({"i-1": a_health("A1", "A2"), "i-2": a_health("A2", "A1")})
    assert (told["MigrationsRemaining"], told["MissingPartitions"], told["NamespacesNotWriting"]) == (4, 2, 2)
    assert (told["ClusterKeys"], told["ClockSkewSeconds"]) == (1, 0.3)
