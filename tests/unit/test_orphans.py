"""Nothing that may be the only copy of data is ever judged deletable, whatever else is true of it."""

from datetime import UTC, datetime, timedelta

import pytest
from aerokeep.model.orphan import Candidate, ClusterFacts, Fate, Kind, Orphan, RunFacts
from aerokeep.rules.orphans import GRACE, MOST_PER_ROUND, chosen, judge
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
RUN, OTHER = "demo-20261120T030000Z", "demo-20261121T030000Z"
IDS = st.sampled_from(["a", "b", "c"])
SOME_IDS = st.frozensets(IDS)
maybe = st.none() | st.booleans()
candidates = st.builds(
    Candidate,
    kind=st.sampled_from(Kind),
    id=IDS,
    cluster=st.just("demo"),
    run_id=st.just(RUN),
    point_id=st.sampled_from([None, RUN, OTHER]),
    in_use=st.sampled_from([None, "attached to i-1"]),
    locked=st.booleans(),
    put_aside=st.booleans(),
    source_snapshot=st.none() | IDS,
    private_ip=st.sampled_from([None, "10.0.0.1"]),
)
runs = st.builds(
    RunFacts,
    begun_at=st.sampled_from([None, NOW - timedelta(days=2), NOW - GRACE / 2]),
    holds_lock=st.booleans(),
    execution_ended=maybe,
    entry=st.sampled_from([None, "running", "abandoned", "committed"]),
    manifest=st.sampled_from([None, "abandoned", "committed"]),
    server_started=maybe,
)
clusters = st.builds(
    ClusterFacts,
    unreadable=st.sampled_from([None, "AccessDenied"]),
    lock_free=st.booleans(),
    snapshots=SOME_IDS,
    volumes=SOME_IDS,
    interfaces=SOME_IDS,
    addresses=st.sampled_from([frozenset(), frozenset({"10.0.0.1"})]),
    has_inventory=st.booleans(),
)


def a_run(**changes: object) -> RunFacts:
    known = {
        "begun_at": NOW - timedelta(days=2),
        "holds_lock": False,
        "execution_ended": True,
        "entry": "abandoned",
        "manifest": "abandoned",
        "server_started": False,
    }
    return RunFacts.model_validate({**known, **changes})


def a_cluster(**changes: object) -> ClusterFacts:
    known = {"lock_free": True, "snapshots": frozenset({"snap-of-a-point"}), "has_inventory": True}
    return ClusterFacts.model_validate({**known, **changes})


def a_candidate(kind: Kind, **changes: object) -> Candidate:
    known = {
        "kind": kind,
        "id": f"{kind}-1",
        "cluster": "demo",
        "run_id": RUN,
        "point_id": RUN if kind is Kind.SNAPSHOT else None,
        "source_snapshot": "snap-of-a-point" if kind is Kind.VOLUME else None,
    }
    return Candidate.model_validate({**known, **changes})


@pytest.mark.parametrize("kind", Kind)
def test_what_a_dead_run_left_and_nobody_names_may_go(kind: Kind) -> None:
    assert judge(a_candidate(kind), a_run(), a_cluster(), now=NOW).fate is Fate.DELETED


def test_a_point_that_is_neither_committed_nor_abandoned_is_closed_first() -> None:
    snapshot = a_candidate(Kind.SNAPSHOT)
    assert judge(snapshot, a_run(entry="running", manifest=None), a_cluster(), now=NOW).close_point
    assert not judge(snapshot, a_run(), a_cluster(), now=NOW).close_point


def test_a_committed_point_whose_manifest_was_taken_away_keeps_its_snapshots() -> None:
    verdict = judge(a_candidate(Kind.SNAPSHOT), a_run(entry="committed", manifest=None), a_cluster(), now=NOW)
    assert (verdict.fate, "find the manifest first" in verdict.reason) == (Fate.KEPT, True)


@given(candidates, runs, clusters)
def test_nothing_is_deleted_that_is_named_used_alive_young_or_in_doubt(
    candidate: Candidate, run: RunFacts, cluster: ClusterFacts
) -> None:
    verdict = judge(candidate, run, cluster, now=NOW)
    assert verdict.reason
    if verdict.fate is not Fate.DELETED:
        return
    assert cluster.unreadable is None
    assert candidate.in_use is None
    assert not candidate.put_aside
    assert not run.holds_lock
    assert run.execution_ended is not False
    assert run.begun_at is not None
    assert NOW - run.begun_at >= GRACE
    match candidate.kind:
        case Kind.SNAPSHOT:
            assert candidate.id not in cluster.snapshots
            assert not candidate.locked
            assert candidate.point_id == candidate.run_id
            assert run.execution_ended
            assert run.entry is not None
            assert run.entry != "committed" or run.manifest == "committed"
            assert verdict.close_point == (run.manifest is None)
        case Kind.VOLUME:
            assert candidate.id not in cluster.volumes
            assert cluster.lock_free
            assert candidate.source_snapshot in cluster.snapshots
            assert run.server_started is False
        case Kind.INTERFACE:
            assert candidate.id not in cluster.interfaces
            assert candidate.private_ip not in cluster.addresses
            assert cluster.lock_free
            assert cluster.has_inventory


@given(st.lists(st.builds(Orphan, candidate=candidates, fate=st.sampled_from(Fate), reason=st.just("x")), max_size=60))
def test_a_round_deletes_only_what_was_judged_so_and_not_too_much_of_it(orphans: list[Orphan]) -> None:
    going = chosen(orphans)
    assert len(going) <= MOST_PER_ROUND
    assert all(orphan.fate is Fate.DELETED for orphan in going)
