"""The label is what the evidence proves: never more, whatever clocks, delays and errors."""

from collections.abc import Mapping

import pytest
from aerokeep.model.consistency import Consistency
from aerokeep.model.evidence import NamespaceEvidence, NodeEvidence
from aerokeep.rules.consistency import judge_consistency

from tests.builders import NOON, a_clock, a_cut, a_membership, a_node_plan, a_plan, an_evidence

THREE_CUTS = {"i-1": (1.0, 2.0), "i-2": (1.0, 2.5), "i-3": (1.1, 2.2)}


def three(**of_third: NodeEvidence) -> dict[str, NodeEvidence]:
    return {"i-1": an_evidence(1), "i-2": an_evidence(2), "i-3": an_evidence(3)} | {
        name.replace("_", "-"): evidence for name, evidence in of_third.items()
    }


def label_of(
    evidence: Mapping[str, NodeEvidence], cuts: Mapping[str, tuple[float, float]] = THREE_CUTS
) -> tuple[Consistency, str]:
    label = judge_consistency(a_plan(), cut=a_cut(cuts), evidence=evidence)
    return label.consistency, "; ".join(label.reasons)


def test_a_flawless_stop_of_all_nodes_gives_cluster_without_reasons() -> None:
    assert label_of(three()) == (Consistency.CLUSTER, "")


def test_the_write_stop_is_measured_from_the_first_guard_to_the_last_lift() -> None:
    late = an_evidence(3, times={"lifted": 3.9})
    label = judge_consistency(a_plan(), cut=a_cut(THREE_CUTS), evidence=three(i_3=late))
    assert label.write_stop_s == pytest.approx(3.9)


def test_a_lift_before_the_last_response_of_another_node_gives_node_only() -> None:
    early = an_evidence(3, times={"thaw_started": 2.4, "thawed": 2.45, "lift_started": 2.45, "lifted": 2.5})
    consistency, reasons = label_of(three(i_3=early))
    assert consistency is Consistency.NODE
    assert "A3: let go" in reasons


def test_a_lift_before_the_nodes_own_response_gives_crash() -> None:
    early = an_evidence(3, times={"thaw_started": 2.0, "thawed": 2.1, "lift_started": 2.1, "lifted": 2.2})
    assert label_of(three(i_3=early))[0] is Consistency.CRASH


def test_a_node_that_sent_no_evidence_gives_crash() -> None:
    evidence = three()
    del evidence["i-2"]
    assert label_of(evidence) == (
        Consistency.CRASH,
        "node A2: no evidence came back; node A2: nothing is proven around its own cut",
    )


def test_an_unsynchronised_clock_never_gives_cluster() -> None:
    assert label_of(three(i_1=an_evidence(1, clock=a_clock(synchronised=False))))[0] is Consistency.CRASH


def test_a_clock_that_was_stepped_in_the_window_proves_nothing() -> None:
    stepped = an_evidence(1, clocks=(a_clock(), a_clock(offset_s=1.0)))
    assert "clock not synchronised through the window" in label_of(three(i_1=stepped))[1]


def test_a_clock_that_its_host_saw_stepped_proves_nothing_whatever_chronyc_says() -> None:
    seen = {"at": NOON.timestamp(), "act": "clock", "detail": "the wall clock was stepped by +3.000 s"}
    assert label_of(three(i_1=an_evidence(1, errors=(seen,)))) == (
        Consistency.CRASH,
        "node A1: clock not synchronised through the window; node A1: nothing is proven around its own cut",
    )


def test_a_known_offset_is_taken_out() -> None:
    ahead = an_evidence(
        1,
        clock=a_clock(offset_s=5.0),
        times={
            "guard_sent": 5.0,
            "guarded": 5.1,
            "settle_started": 5.3,
            "flushed": 5.6,
            "frozen": 5.7,
            "thaw_started": 8.0,
            "thawed": 8.1,
            "lift_started": 8.1,
            "lifted": 8.2,
        },
    )
    assert label_of(three(i_1=ahead))[0] is Consistency.CLUSTER


def test_an_error_bound_wider_than_the_slack_costs_the_label() -> None:
    assert label_of(three(i_1=an_evidence(1, clock=a_clock(error_s=0.5))))[0] is not Consistency.CLUSTER


def test_a_flush_proof_that_began_before_another_node_was_guarded_gives_no_cluster() -> None:
    late = an_evidence(3, times={"guarded": 0.5, "settle_started": 0.5, "flushed": 0.8, "frozen": 0.85})
    consistency, reasons = label_of(three(i_3=late))
    assert consistency is Consistency.NODE
    assert "before A3 is guarded" in reasons


def test_a_guard_that_was_lost_gives_no_cluster() -> None:
    assert label_of(three(i_2=an_evidence(2, guarded_all=False)))[0] is Consistency.NODE


def moved_after(seconds: float | None) -> dict[str, NamespaceEvidence]:
    until = None if seconds is None else NOON.timestamp() + seconds
    return {"test": NamespaceEvidence(unchanged_until=until, changed=("writes",), flushed=True)}


def test_a_write_before_the_last_response_gives_no_cluster() -> None:
    consistency, reasons = label_of(three(i_2=an_evidence(2, namespaces=moved_after(2.4))))
    assert consistency is Consistency.NODE, "the filesystem was frozen all the same"
    assert "A2: let go" in reasons


def test_a_replica_write_of_a_node_that_was_lifted_earlier_does_no_harm_after_the_last_response() -> None:
    assert label_of(three(i_2=an_evidence(2, namespaces=moved_after(2.8))))[0] is Consistency.CLUSTER


def test_counters_that_moved_right_away_are_named() -> None:
    reasons = label_of(three(i_2=an_evidence(2, namespaces=moved_after(None))))[1]
    assert "namespace test not proven flushed and at rest (writes moved)" in reasons


def test_counters_that_moved_on_a_raw_device_leave_crash() -> None:
    raw = a_plan(nodes=1).model_copy(update={"nodes": (a_node_plan(1, freeze=(), frozen_namespaces=()),)})
    seen = {"i-1": an_evidence(1, nodes=1, namespaces=moved_after(1.5))}
    assert judge_consistency(raw, cut=a_cut({"i-1": (1, 2)}), evidence=seen).consistency is Consistency.CRASH


def test_a_mount_that_was_not_held_frozen_is_named() -> None:
    assert "/opt/aerospike/data was not frozen throughout" in label_of(three(i_1=an_evidence(1, mounts={})))[1]


def test_a_file_on_the_root_filesystem_must_be_synced_after_the_flush_proof() -> None:
    path = "/srv/test.dat"
    node = a_node_plan(1, freeze=(), frozen_namespaces=(), sync_paths=(path,))
    plan = a_plan(nodes=1).model_copy(update={"nodes": (node,)})
    good = an_evidence(1, nodes=1)
    flushed = good.times.flushed
    assert flushed is not None
    cut = a_cut({"i-1": (1, 2)})
    too_early = {"i-1": good.model_copy(update={"synced": {path: flushed - 0.1}})}
    in_order = {"i-1": good.model_copy(update={"synced": {path: flushed + 0.1}})}
    assert judge_consistency(plan, cut=cut, evidence=too_early).consistency is Consistency.CRASH
    assert judge_consistency(plan, cut=cut, evidence=in_order).consistency is Consistency.CLUSTER


def test_a_restart_in_the_window_gives_crash() -> None:
    everyone = ("A1", "A2", "A3")
    good = an_evidence(1)
    restarted = good.cluster.model_copy(update={"after": a_membership("A1", everyone, uptime_s=1)})
    consistency, reasons = label_of(three(i_1=good.model_copy(update={"cluster": restarted})))
    assert consistency is Consistency.CRASH
    assert "A1: asd was restarted in the window" in reasons


def test_a_changed_cluster_key_gives_no_cluster() -> None:
    good = an_evidence(1)
    other = good.cluster.model_copy(update={"after": a_membership("A1", ("A1", "A2", "A3"), key="X", uptime_s=103)})
    assert label_of(three(i_1=good.model_copy(update={"cluster": other})))[0] is Consistency.NODE


def test_a_member_that_was_not_planned_gives_no_cluster() -> None:
    four = ("A1", "A2", "A3", "A4")
    good = an_evidence(1)
    grown = good.cluster.model_copy(update={"after": a_membership("A1", four, uptime_s=103)})
    assert "sees nodes ['A1', 'A2', 'A3', 'A4']" in label_of(three(i_1=good.model_copy(update={"cluster": grown})))[1]


def test_a_stop_that_was_called_off_gives_crash_and_says_why() -> None:
    label = judge_consistency(a_plan(), cut=a_cut(THREE_CUTS), evidence={}, called_off="i-2: not armed in time")
    assert label.consistency is Consistency.CRASH
    assert label.reasons == ("the write stop was called off: i-2: not armed in time",)


def test_writes_that_were_not_to_be_stopped_give_crash() -> None:
    plan = a_plan(stop_writes=False, wanted=Consistency.CRASH)
    label = judge_consistency(plan, cut=a_cut(THREE_CUTS), evidence={})
    assert (label.consistency, label.write_stop_s) == (Consistency.CRASH, None)


@pytest.mark.parametrize(("first", "last"), [(0.75, 2.0), (1.0, 2.95)])
def test_the_controllers_own_error_is_taken_off_both_ends(first: float, last: float) -> None:
    """Quiet from 0.7 s to 3.0 s: a cut 0.05 s inside of it is not proven while the controller may be 0.1 s off."""
    cut = a_cut({"i-1": (first, last), "i-2": (first, last), "i-3": (first, last)})
    exact = judge_consistency(a_plan(), cut=cut, evidence=three(), controller_error_s=0.02)
    assert exact.consistency is Consistency.CLUSTER
    assert judge_consistency(a_plan(), cut=cut, evidence=three()).consistency is Consistency.CRASH
