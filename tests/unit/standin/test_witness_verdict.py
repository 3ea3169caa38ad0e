"""The judge can be trusted: against a model that knows the truth it finds every loss, and none where there is none."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.witness.ledger import Entry, Kind, Outcome, from_line, read, to_line
from sandbox.witness.verdict import Found, Period, Verdict, judge

FIRST, LAST = 100.0, 101.0


def an_insert(key: str, sent_at: float, *, outcome: Outcome = Outcome.ACKNOWLEDGED, took_s: float = 0.01) -> Entry:
    return Entry("test", Kind.INSERT, key, 1, sent_at, sent_at + took_s, outcome)


def an_update(value: int, sent_at: float, *, outcome: Outcome = Outcome.ACKNOWLEDGED) -> Entry:
    return Entry("test", Kind.COUNTER, "c", value, sent_at, sent_at + 0.01, outcome)


def verdict(entries: list[Entry], found: dict[str, Found], *, reopened_at: float = float("inf")) -> Verdict:
    held = {("test", key): value for key, value in found.items()}
    return judge(entries, held, Period(FIRST, LAST, reopened_at))


def test_an_acknowledged_insert_that_is_missing_is_lost() -> None:
    seen = verdict([an_insert("a", 90), an_insert("b", 91)], {"a": Found(1, 1)})
    assert (seen.acknowledged, seen.before_cut, seen.checked, seen.lost) == (2, 2, 2, 1)
    assert seen.examples == ("lost: test b acknowledged 91.010",)


def test_a_write_during_the_cut_may_be_there_or_not() -> None:
    during = an_insert("a", FIRST - 0.005)  # acknowledged after the first request
    assert verdict([during], {}).lost == 0
    assert verdict([during], {"a": Found(1, 1)}).from_after_cut == 0


def test_a_write_sent_after_the_last_response_must_not_be_there() -> None:
    assert verdict([an_insert("a", LAST + 0.1)], {"a": Found(1, 1)}).from_after_cut == 1
    assert verdict([an_insert("a", LAST + 0.1)], {}).lost == 0


def test_a_write_in_doubt_is_no_loss_but_may_still_come_from_after_the_cut() -> None:
    assert verdict([an_insert("a", 90, outcome=Outcome.DOUBT)], {}).lost == 0
    late = an_insert("a", LAST + 1, outcome=Outcome.DOUBT)
    assert verdict([late], {"a": Found(1, 1)}).from_after_cut == 1


def test_a_counter_older_than_its_newest_value_is_stale() -> None:
    history = [an_update(1, 90), an_update(2, 91), an_update(3, LAST + 5)]
    assert verdict(history, {"c": Found(1, 1)}).stale == 1
    assert verdict(history, {"c": Found(2, 2)}).stale == 0
    assert verdict(history, {"c": Found(3, 3)}).from_after_cut == 1
    assert verdict(history, {}).lost == 1


def test_an_update_hidden_by_a_later_one_is_still_found_missing() -> None:
    history = [an_update(1, 90), an_update(2, 91), an_update(3, 92)]
    assert verdict(history, {"c": Found(3, 2)}).stale == 1
    assert verdict([*history[:1], an_update(2, 91, outcome=Outcome.DOUBT), *history[2:]], {"c": Found(3, 2)}).stale == 0


def test_a_missing_insert_before_one_that_is_there_is_a_hole_even_within_the_cut() -> None:
    within = [an_insert("a", 100.2), an_insert("b", 100.4)]
    seen = verdict(within, {"b": Found(1, 1)})
    assert (seen.lost, seen.holes) == (0, 1)
    concurrent = [an_insert("a", 100.2, took_s=0.5), an_insert("b", 100.4)]
    assert verdict(concurrent, {"b": Found(1, 1)}).holes == 0


def test_a_rejected_value_that_is_there_is_unexplained() -> None:
    assert verdict([an_insert("a", 90, outcome=Outcome.REJECTED)], {"a": Found(1, 1)}).unexplained == 1
    assert verdict([an_insert("a", 90)], {"a": Found(77, 1)}).unexplained == 1


REOPENED = 120.0


def test_what_is_written_to_the_restored_cluster_must_be_there_and_what_was_undone_must_not() -> None:
    undone, since = an_insert("b", 110), an_insert("c", 130)
    entries = [an_insert("a", 90), undone, since]
    right = verdict(entries, {"a": Found(1, 1), "c": Found(1, 1)}, reopened_at=REOPENED)
    assert (right.lost, right.from_after_cut, right.holes) == (0, 0, 0)
    everything = dict.fromkeys("abc", Found(1, 1))
    assert verdict(entries, everything, reopened_at=REOPENED).from_after_cut == 1
    assert verdict(entries, {"a": Found(1, 1)}, reopened_at=REOPENED).lost == 1


def test_a_counter_goes_on_from_where_the_cut_left_it() -> None:
    history = [an_update(1, 90), an_update(2, 110), an_update(3, 130)]
    assert verdict(history, {"c": Found(3, 2)}, reopened_at=REOPENED).stale == 0
    assert verdict(history, {"c": Found(3, 1)}, reopened_at=REOPENED).stale == 1
    assert verdict(history, {"c": Found(1, 1)}, reopened_at=REOPENED).stale == 1
    assert verdict(history, {"c": Found(2, 2)}, reopened_at=REOPENED).from_after_cut == 1


A_STEP = st.tuples(st.integers(0, 3), st.sampled_from(list(Outcome)), st.booleans())
STEPS = st.lists(A_STEP, max_size=40)


@given(STEPS, st.integers(0, 40), st.integers(0, 5))
def test_a_state_of_one_instant_within_the_cut_is_always_right(
    steps: list[tuple[int, Outcome, bool]], cut_after: int, width: int
) -> None:
    """Writes one after the other on four keys; the cut falls between two of them and the state is that of then."""
    entries: list[Entry] = []
    held: dict[tuple[str, str], Found] = {}
    kept: dict[tuple[str, str], Found] = {}
    for index, (key, outcome, lands) in enumerate(steps):
        if index == cut_after:
            kept = dict(held)
        entry = Entry("test", Kind.COUNTER, f"c{key}", index, index, index + 0.5, outcome)
        entries.append(entry)
        if outcome is Outcome.ACKNOWLEDGED or (outcome is Outcome.DOUBT and lands):
            where = ("test", entry.key)
            held[where] = Found(index, held[where].times + 1 if where in held else 1)
    if cut_after >= len(steps):
        kept = dict(held)
    seen = judge(entries, kept, Period(cut_after - 0.25, cut_after - 0.2 + width))
    assert (seen.lost, seen.stale, seen.from_after_cut, seen.unexplained) == (0, 0, 0, 0)


@given(STEPS, st.lists(A_STEP, min_size=1, max_size=40), st.integers(0, 40), st.integers(0, 5))
def test_a_state_of_one_instant_that_is_written_to_again_is_always_right(
    before: list[tuple[int, Outcome, bool]], after: list[tuple[int, Outcome, bool]], cut_after: int, width: int
) -> None:
    """The same, and then the state of the cut is what later writes go on from."""
    entries: list[Entry] = []
    held: dict[tuple[str, str], Found] = {}
    kept: dict[tuple[str, str], Found] = {}
    for index, (key, outcome, lands) in enumerate([*before, *after]):
        if index == min(cut_after, len(before)):
            kept = dict(held)
        if index == len(before):
            held = kept
        entry = Entry("test", Kind.COUNTER, f"c{key}", index, index, index + 0.5, outcome)
        entries.append(entry)
        if outcome is Outcome.ACKNOWLEDGED or (outcome is Outcome.DOUBT and lands):
            where = ("test", entry.key)
            held[where] = Found(index, held[where].times + 1 if where in held else 1)
    cut_at = min(cut_after, len(before))
    period = Period(cut_at - 0.25, min(cut_at - 0.2 + width, len(before) - 0.15), len(before) - 0.1)
    seen = judge(entries, held, period)
    assert (seen.lost, seen.stale, seen.from_after_cut, seen.unexplained) == (0, 0, 0, 0)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.data())
def test_any_one_write_taken_back_is_found(keys: list[int], data: st.DataObject) -> None:
    entries = [
        Entry("test", Kind.COUNTER, f"c{key}", i, i, i + 0.5, Outcome.ACKNOWLEDGED) for i, key in enumerate(keys)
    ]
    victim = data.draw(st.sampled_from(entries))
    held: dict[tuple[str, str], Found] = {}
    for entry in entries:
        where = ("test", entry.key)
        if entry is not victim:
            held[where] = Found(entry.value, held[where].times + 1 if where in held else 1)
    seen = judge(entries, held, Period(1000, 1001))
    assert seen.lost + seen.stale == 1


@given(st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from(list(Kind)), st.sampled_from(list(Outcome)))))
def test_the_ledger_gives_back_what_was_written_and_leaves_out_a_torn_line(
    rows: list[tuple[int, Kind, Outcome]],
) -> None:
    entries = [Entry("test", kind, f"k{v}", v, v + 0.25, v + 0.5, outcome) for v, kind, outcome in rows]
    lines = [to_line(entry) for entry in entries]
    assert list(read([*lines, "test\ti\tk9\t9\t1.0"])) == entries
    assert [from_line(line) for line in lines] == entries
