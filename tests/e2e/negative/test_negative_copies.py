"""Why guard and freeze are needed on every node: what the witness finds in copies taken with less."""

import time
from collections.abc import Sequence

import pytest

from sandbox.cluster import MOUNT_POINT
from sandbox.proof import Verdict, judge_copies
from sandbox.writer import Writer
from tests.e2e.negative.three_nodes import FLUSHED_BY_ITSELF_S, ThreeNodes
from tests.plane_nodes import Cut, arm, resume

pytestmark = [pytest.mark.root, pytest.mark.sampled]

BETWEEN_CUTS_S = 1.0
"""Nodes are never cut at the same instant: here so far apart that a write in between is certain."""


def judged(cluster: ThreeNodes, writer: Writer, cuts: Sequence[Cut]) -> Verdict:
    """Judge the copies as what a point claims to be: the cluster at one instant, that of the first cut."""
    first = cuts[0]
    return judge_copies(
        cluster.plane,
        [cut.copy for cut in cuts],
        ledger=writer.ledger,
        first_request_at=first.requested_at,
        last_response_at=first.responded_at,
    )


def test_without_guard_and_freeze_a_copy_of_all_nodes_loses_acknowledged_writes(cluster: ThreeNodes) -> None:
    with cluster.written_to() as writer:
        cuts = [node.cut() for node in cluster.nodes]
    verdict = judged(cluster, writer, cuts)
    assert verdict.before_cut > 0
    assert verdict.raw["lost"] > 0, verdict.raw


def test_with_the_whole_write_stop_nodes_cut_apart_lose_nothing_and_hold_nothing_from_after(
    cluster: ThreeNodes,
) -> None:
    with cluster.written_to() as writer:
        arm(cluster.nodes, run="whole", lease_s=30.0)
        for node in cluster.nodes:
            node.wait_for_state("whole", "holding")
        cuts = []
        for node in cluster.nodes:
            cuts.append(node.cut())
            time.sleep(BETWEEN_CUTS_S)
        evidence = resume(cluster.nodes, run="whole")
        time.sleep(1.0)  # writes from after the cut, which the copy must not hold
    for seen in evidence:
        assert seen["ended_by"] == "resume", seen
        assert seen["guarded_all"], seen
        assert seen["times"]["frozen"] < cuts[0].requested_at
        for namespace in seen["namespaces"].values():
            assert namespace["unchanged_until"] > cuts[-1].responded_at, seen
        assert cuts[-1].responded_at < seen["times"]["thaw_started"]
    verdict = judged(cluster, writer, cuts)
    assert verdict.before_cut > 0
    assert verdict.acknowledged > verdict.before_cut
    found = {name: verdict.raw[name] for name in ("lost", "stale", "from_after_cut", "holes", "unexplained")}
    assert set(found.values()) == {0}, verdict.raw


def test_with_the_guard_on_two_of_three_nodes_a_copy_loses_writes_and_holds_some_from_after(
    cluster: ThreeNodes,
) -> None:
    """All else is as it should be: every node's filesystem is frozen, only the third takes writes all the same.

    What it acknowledged after the freezes and before the first cut is on no disk (its own and its replicas' files
    stand still): lost. It is cut last, so its raw devices hold what it acknowledged after the others' cuts.
    """
    *guarded, third = cluster.nodes
    with cluster.written_to() as writer:
        try:
            for node in guarded:
                node.set_guard(on=True)
            time.sleep(FLUSHED_BY_ITSELF_S)
            for node in cluster.nodes:
                node.freeze(MOUNT_POINT)
            time.sleep(BETWEEN_CUTS_S)
            cuts = [node.cut() for node in guarded]
            time.sleep(FLUSHED_BY_ITSELF_S)
            cuts.append(third.cut())
        finally:
            for node in cluster.nodes:
                node.thaw(MOUNT_POINT)
            for node in guarded:
                node.set_guard(on=False)
    verdict = judged(cluster, writer, cuts)
    assert verdict.raw["lost"] > 0, verdict.raw
    assert verdict.from_after_cut > 0, verdict.raw


def test_the_host_program_holds_no_write_stop_while_one_node_takes_writes(cluster: ThreeNodes) -> None:
    with cluster.written_to():
        arm(cluster.nodes[:2], run="two", lease_s=5.0)
        evidence = [node.evidence("two") for node in cluster.nodes[:2]]
    for seen in evidence:
        assert seen["ended_by"] == "failure", seen
        assert seen["times"]["guarded"] is not None
        assert seen["times"]["flushed"] is None
        assert any("no flush proof in time" in error["detail"] for error in seen["errors"]), seen
