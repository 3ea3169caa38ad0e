"""The lease check finds what it is there to find: writes that flow too late, or never, and settings that stay."""

from dataclasses import replace

import pytest

from sandbox.witness.ledger import Entry, Kind, Outcome
from tests.lease.drawing import DECK, MOMENTS, draw
from tests.lease.ending import flow_of
from tests.lease.play import Ended

T1 = 100.0


def entry(at: float, outcome: Outcome, namespace: str = "test") -> Entry:
    return Entry(namespace, Kind.INSERT, f"k{at}", 1, at - 0.01, at, outcome)


def ended(entries: list[Entry], *, left: tuple[str, ...] = ()) -> Ended:
    flow = flow_of(entries)
    late_s = None if flow.again_at is None else flow.again_at - T1
    return Ended(draw(1, 1)[0], "lease", flow, late_s, allowed_s=0.5, left=left)


STOPPED = [entry(95.0, Outcome.ACKNOWLEDGED), entry(96.0, Outcome.REJECTED), entry(99.9, Outcome.REJECTED)]
IN_TIME = [*STOPPED, entry(100.2, Outcome.ACKNOWLEDGED)]


def test_writes_that_flow_at_t1_are_released() -> None:
    found = ended(IN_TIME)
    assert found.released
    assert found.flow.rejected == 2
    assert found.late_s == pytest.approx(0.2)


@pytest.mark.parametrize(
    "entries",
    [STOPPED, [*STOPPED, entry(101.0, Outcome.ACKNOWLEDGED)], [*IN_TIME, entry(100.9, Outcome.REJECTED)]],
    ids=["never", "too-late", "not-for-good"],
)
def test_writes_that_flow_too_late_or_not_for_good_are_not_released(entries: list[Entry]) -> None:
    found = ended(entries)
    assert not found.released
    assert "NOT RELEASED" in found.line


def test_the_slower_namespace_counts() -> None:
    other = [entry(99.0, Outcome.REJECTED, "raw"), entry(102.0, Outcome.ACKNOWLEDGED, "raw")]
    assert not ended([*IN_TIME, *other]).released


def test_what_is_left_is_no_release_however_soon_writes_flow() -> None:
    assert not ended(IN_TIME, left=("FROZEN",)).released


def test_a_lease_that_was_to_last_and_did_not_shows_less() -> None:
    lasting = next(drawn for drawn in draw(1, len(DECK)) if drawn.lasts)
    found = replace(ended(IN_TIME), drawn=lasting)
    assert found.is_as_meant
    assert not replace(found, ended_by="failure").is_as_meant


def test_twenty_runs_have_each_act_as_often_as_it_is_in_the_deck() -> None:
    runs = draw(7, len(DECK))
    assert sorted(drawn.act for drawn in runs) == sorted(DECK)
    assert runs == draw(7, len(DECK))
    assert {drawn.moment for seed in range(20) for drawn in draw(seed, len(DECK))} == set(MOMENTS)
