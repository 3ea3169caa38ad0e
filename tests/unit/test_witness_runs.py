"""What the witness's programme draws, and what it calls wrong."""

from dataclasses import replace

import pytest

from sandbox.cluster import NAMESPACES
from tests.witness.drawing import FAULTS, SHARES, STORAGES, draw
from tests.witness.judging import HARM, Judgement
from tests.witness.mutations import EVIDENCE, MUTATIONS, WITNESS, Mutation
from tests.witness.paces import PROFILES, QUICK, SwitchedPace, pace_named
from tests.witness.play import Outcome
from tests.witness.rounds import mutation_rounds_of, rounds_of

SEEDS = range(400)
SOUND = {"acknowledged": 10, "before_cut": 5, **dict.fromkeys(HARM, 0)}


def judged(**harm: int) -> Judgement:
    return Judgement({**SOUND, **harm}, {"A1": SOUND})


def outcome(label: str, judgement: Judgement | None) -> Outcome:
    return Outcome(draw(1), label, (), 2.0, judgement, (), (), 10.0)


def test_the_same_seed_draws_the_same_run_and_every_plan_can_be_armed() -> None:
    for seed in SEEDS:
        drawn = draw(seed)
        assert drawn == draw(seed)
        assert (drawn.plan is None) == (drawn.named == ())


def test_everything_is_drawn_sometimes() -> None:
    runs = [draw(seed) for seed in SEEDS]
    assert {name for drawn in runs for name in drawn.named} == set(FAULTS)
    assert {drawn.storage for drawn in runs} == set(STORAGES)
    assert {drawn.profile for drawn in runs} == set(SHARES) == set(PROFILES)


@pytest.mark.parametrize("kind", HARM)
def test_a_cluster_label_with_any_harm_is_mislabelled(kind: str) -> None:
    assert outcome("cluster", judged(**{kind: 1})).refuted
    assert not outcome("crash", judged(**{kind: 1})).refuted
    assert not outcome("cluster", judged()).refuted


def test_a_point_that_no_server_would_start_on_is_mislabelled_if_it_is_called_more_than_crash() -> None:
    broken = Judgement({}, {}, unreadable="unmatched headers")
    assert outcome("cluster", broken).refuted
    assert outcome("node", broken).refuted
    assert outcome("crash", broken).fault == ""


def test_a_node_label_is_refuted_by_one_node() -> None:
    found = Judgement(SOUND, {"A1": SOUND, "A2": {**SOUND, "stale": 1}})
    assert outcome("node", found).refuted
    assert not outcome("node", judged(holes=3)).refuted, "between nodes that label promises nothing"


def test_a_witness_that_wrote_nothing_before_or_after_the_cut_proves_nothing() -> None:
    assert outcome("cluster", judged(before_cut=0)).fault.startswith("UNPROVEN")
    assert outcome("cluster", judged(before_cut=10)).fault.startswith("UNPROVEN")
    assert outcome("aborted", None).fault == ""


def test_settings_that_are_left_are_a_fault_whatever_the_label() -> None:
    assert replace(outcome("aborted", None), left=("A1/test/reject-non-xdr-writes",)).fault.startswith("LEFT")


def by_catch(catch: str) -> Mutation:
    return next(mutation for mutation in MUTATIONS if mutation.catch == catch)


def test_a_mutation_is_caught_only_where_something_was_wrong() -> None:
    witness, evidence = by_catch(WITNESS), by_catch(EVIDENCE)
    assert witness.is_caught(outcome("cluster", judged(lost=1)))
    assert not witness.is_caught(outcome("crash", judged(lost=1))), "its evidence was to be forged"
    assert not witness.is_caught(outcome("cluster", judged()))
    assert evidence.is_caught(outcome("crash", judged(holes=1)))
    assert not evidence.is_caught(outcome("cluster", judged(holes=1)))
    assert not evidence.is_caught(outcome("crash", judged()))
    assert not evidence.is_caught(outcome("aborted", None))


def test_rounds_hold_every_run_and_mutation_once() -> None:
    rounds = rounds_of(range(1, 31), lanes=3)
    assert sorted(seed for each in rounds for seed in each.seeds) == list(range(1, 31))
    assert all({draw(seed).profile for seed in each.seeds} == {each.profile} for each in rounds)
    names = [mutation.name for mutation in MUTATIONS]
    mutations = mutation_rounds_of(names, lanes=3)
    assert sorted(name for each in mutations for name in each.names) == sorted(names)
    assert all(len(each.names) == 1 for each in mutations if any(m.alone for m in MUTATIONS if m.name in each.names))


def test_a_pace_that_is_switched_is_the_other_one_at_once() -> None:
    pace = SwitchedPace()
    assert pace.create_snapshots_s == QUICK.create_snapshots_s
    pace.use(pace_named("tail", seed=1))
    assert pace.create_snapshots_s == pytest.approx(6.5), "what counts inside a write stop is not scaled"
    assert pace.call_s("ec2.RunInstances") > 0
    pace.use(QUICK)
    assert pace.ssm_delivery_s == QUICK.ssm_delivery_s
    assert set(NAMESPACES) == set(STORAGES["both"])
