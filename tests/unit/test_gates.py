"""A cluster is well when all of its nodes say so, several times, and every record is accounted for."""

from typing import Any

import pytest
from aerokeep.model.health import ClusterView, NamespaceHealth, NodeHealth
from aerokeep.model.restore import Expected
from aerokeep.model.survey import Asd
from aerokeep.rules.gates import SAMPLES, Sample, count_faults, count_records, judge_gates, passed
from hypothesis import given
from hypothesis import strategies as st

NODES = frozenset({"A1", "A2", "A3"})
GOOD, BAD = Sample(problems=()), Sample(problems=("migrations: A1 has 3 partitions to migrate",))


def a_health(node_id: str, *, view: dict[str, Any] | None = None, **ns: Any) -> NodeHealth:  # noqa: ANN401 - any field
    cluster = ClusterView(
        **{
            "key": "6D268C0BD0C9",
            "size": 3,
            "integrity": True,
            "is_member": True,
            "migrate_allowed": True,
            "stable": "6D268C0BD0C9",
            **(view or {}),
        }
    )
    namespace = NamespaceHealth(
        **{
            "name": "test",
            "reject_non_xdr_writes": True,
            "objects": 100,
            "master_objects": 50,
            "non_expirable_objects": 100,
            **ns,
        }
    )
    peers = tuple(sorted(NODES - {node_id}))
    return NodeHealth(
        node_id=node_id, peers=peers, cluster=cluster, namespaces=(namespace,), asd=Asd(running=True, node_id=node_id)
    )


def all_well(**first: Any) -> dict[str, NodeHealth]:  # noqa: ANN401 - any field of the first node's
    return {"i-1": a_health("A1", **first), "i-2": a_health("A2"), "i-3": a_health("A3")}


def problems(healths: dict[str, NodeHealth], *, rejecting: bool = True) -> set[str]:
    sample = judge_gates(healths, node_ids=NODES, rejecting=rejecting)
    return {problem.partition(":")[0] for problem in sample.problems}


def test_three_nodes_that_agree_pass() -> None:
    assert problems(all_well()) == set()


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"view": {"key": "OTHER"}}, "cluster_split"),
        ({"view": {"size": 2}}, "cluster_size"),
        ({"view": {"integrity": False}}, "cluster_integrity"),
        ({"view": {"is_member": False}}, "cluster_integrity"),
        ({"view": {"duplicate_nodes": ("A2",)}}, "duplicate_nodes"),
        ({"view": {"migrations_remaining": 7}}, "migrations"),
        ({"view": {"migrate_allowed": False}}, "migrations"),
        ({"view": {"stable": "ERROR:7:unstable cluster"}}, "unstable"),
        ({"view": {"clock_skew_ms": 11_000}}, "clock_skew"),
        ({"stop_writes": True}, "stop_writes"),
        ({"clock_skew_stop_writes": True}, "stop_writes"),
        ({"unavailable_partitions": 1}, "partitions"),
        ({"dead_partitions": 1}, "partitions"),
        ({"read_errors": 1}, "read_errors"),
        ({"unreplicated_records": 1}, "unreplicated"),
        ({"reject_non_xdr_writes": False}, "writes_open"),
    ],
)
def test_one_node_that_is_not_well_keeps_the_gate_shut(first: dict[str, Any], code: str) -> None:
    assert problems(all_well(**first)) == {code}


def test_a_node_that_is_missing_or_a_stranger_keeps_the_gate_shut() -> None:
    assert "members_differ" in problems({k: v for k, v in all_well().items() if k != "i-3"})
    stranger = all_well()["i-1"].model_copy(update={"peers": ("A2", "A3", "B9")})
    assert problems({**all_well(), "i-1": stranger}) == {"strangers"}


def test_open_writes_are_no_problem_once_they_may_be_open() -> None:
    assert problems(all_well(reject_non_xdr_writes=False), rejecting=False) == set()


@given(st.lists(st.sampled_from([GOOD, BAD]), max_size=8))
def test_the_gate_opens_only_after_good_looks_in_a_row(samples: list[Sample]) -> None:
    assert passed(samples) == (len(samples) >= SAMPLES and BAD not in samples[-SAMPLES:])


def counted(expected: int | None, **first: Any) -> list[str]:  # noqa: ANN401 - any field
    healths = all_well(**first)
    return list(count_faults(count_records(healths, [Expected(namespace="test", master_objects=expected)]), healths))


def test_records_that_do_not_come_back_are_a_fault() -> None:
    assert counted(150) == []
    assert counted(149) == []  # deletes that were not durable are back
    assert counted(None) == []
    assert counted(151) == ["records_missing: namespace test has 150 records, 151 were counted at the cut"]


def test_records_that_expired_meanwhile_are_none() -> None:
    assert counted(151, expired_objects=1) == []
    assert counted(151, non_expirable_objects=90) == []
