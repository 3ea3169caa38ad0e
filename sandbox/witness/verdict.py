"""The judgement: what a restored cluster holds against what was acknowledged. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sandbox.witness.ledger import Entry, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_EXAMPLES = 10


class Found(NamedTuple):
    """What a key holds after the restore."""

    value: int
    times: int
    """How often the key was written, as the server itself counted."""


@dataclass(frozen=True)
class Verdict:
    """What the witness says of a restored cluster."""

    acknowledged: int
    """Acknowledged writes in the ledger."""
    before_cut: int
    """Those acknowledged before the first cut request."""
    checked: int
    """Keys looked up."""
    lost: int
    """Keys with a write acknowledged before the first cut request that are not there."""
    stale: int
    """Counters older than their newest value acknowledged before the first cut request, or short of an update."""
    from_after_cut: int
    """Keys whose value was sent after the last cut response."""
    holes: int
    """Acknowledged inserts that are missing although one that was sent later is there."""
    unexplained: int
    """Values that the ledger does not know, or knows as rejected."""
    examples: tuple[str, ...]


class _Tally:
    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.examples: list[str] = []

    def add(self, what: str, example: str) -> None:
        self.counts[what] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{what}: {example}")


def judge(
    entries: Iterable[Entry],
    found: Mapping[tuple[str, str], Found],
    *,
    first_request_at: float,
    last_response_at: float,
) -> Verdict:
    """Judge what was ``found`` (by namespace and key; absent keys are missing) against the ledger.

    A write counts as before the cut if it was *acknowledged* before the first request, and as after the cut if it was
    *sent* after the last response; in between, and where the client was left in doubt, both outcomes are right.
    """
    histories: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    acknowledged = before = 0
    for entry in entries:
        histories[entry.namespace, entry.key].append(entry)
        if entry.outcome is Outcome.ACKNOWLEDGED:
            acknowledged += 1
            before += entry.ended_at < first_request_at
    tally = _Tally()
    newest_insert_sent_at = max(
        (h[0].sent_at for k, h in histories.items() if k in found and h[0].kind is Kind.INSERT), default=0.0
    )
    for where, history in histories.items():
        held = found.get(where)
        due = [e for e in history if e.outcome is Outcome.ACKNOWLEDGED and e.ended_at < first_request_at]
        if held is None:
            _judge_missing(tally, history, due, newest_insert_sent_at)
        else:
            _judge_held(tally, history, due, held, last_response_at)
    counts = tally.counts
    return Verdict(
        acknowledged=acknowledged,
        before_cut=before,
        checked=len(histories),
        lost=counts["lost"],
        stale=counts["stale"],
        from_after_cut=counts["from_after_cut"],
        holes=counts["hole"],
        unexplained=counts["unexplained"],
        examples=tuple(tally.examples),
    )


def _judge_missing(tally: _Tally, history: list[Entry], due: list[Entry], newest_insert_sent_at: float) -> None:
    last = history[-1]
    name = f"{last.namespace} {last.key}"
    if due:
        tally.add("lost", f"{name} acknowledged {due[-1].ended_at:.3f}")
    if last.kind is Kind.INSERT and last.outcome is Outcome.ACKNOWLEDGED and last.ended_at < newest_insert_sent_at:
        tally.add("hole", f"{name} acknowledged {last.ended_at:.3f}, one sent {newest_insert_sent_at:.3f} is there")


def _judge_held(tally: _Tally, history: list[Entry], due: list[Entry], held: Found, last_response_at: float) -> None:
    name = f"{history[0].namespace} {history[0].key}"
    writes = [e for e in history if e.value == held.value and e.outcome is not Outcome.REJECTED]
    if not writes:
        tally.add("unexplained", f"{name} holds {held.value}")
    elif writes[0].sent_at > last_response_at:
        tally.add("from_after_cut", f"{name} holds {held.value}, sent {writes[0].sent_at:.3f}")
    newest_due = max((e.value for e in due), default=held.value)
    # An update made on top of a stale copy hides the value that went missing, but not that one update is short.
    taken = sum(e.outcome is Outcome.ACKNOWLEDGED and e.value <= held.value for e in history)
    if held.value < newest_due:
        tally.add("stale", f"{name} holds {held.value}, {newest_due} was acknowledged")
    elif held.times < taken:
        tally.add("stale", f"{name} was written {held.times} times, {taken} writes were acknowledged")
