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


@dataclass(frozen=True)
class Period:
    """The instants that decide what must be there; epoch seconds.

    Attributes:
        first_request_at: what was acknowledged before must be there.
        last_response_at: what was sent after must not be there, unless the cluster was opened again.
        reopened_at: between the end of the old servers and the first write to the restored ones; ``None`` if nobody
            writes to those. What was sent later is a new life: it must be there as if there had been no restore.

    """

    first_request_at: float
    last_response_at: float
    reopened_at: float = float("inf")

    def is_due(self, entry: Entry) -> bool:
        """Whether the write must be there, or one that followed it."""
        kept = entry.ended_at < self.first_request_at or entry.sent_at >= self.reopened_at
        return kept and entry.outcome is Outcome.ACKNOWLEDGED

    def is_undone(self, entry: Entry) -> bool:
        """Whether the write must not be there."""
        return self.last_response_at < entry.sent_at < self.reopened_at


def judge(entries: Iterable[Entry], found: Mapping[tuple[str, str], Found], period: Period) -> Verdict:
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
            before += entry.ended_at < period.first_request_at
    tally = _Tally()
    inserts = [h[0].sent_at for k, h in histories.items() if k in found and h[0].kind is Kind.INSERT]
    newest_insert = max((at for at in inserts if at < period.reopened_at), default=0.0)
    newest_since = max((at for at in inserts if at >= period.reopened_at), default=0.0)
    for where, history in histories.items():
        if (held := found.get(where)) is not None:
            _judge_held(tally, history, held, period)
        else:
            since = history[-1].sent_at >= period.reopened_at
            _judge_missing(tally, history, newest_since if since else newest_insert, period)
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


def _judge_missing(tally: _Tally, history: list[Entry], newest_insert_sent_at: float, period: Period) -> None:
    last, due = history[-1], [entry for entry in history if period.is_due(entry)]
    name = f"{last.namespace} {last.key}"
    if due:
        tally.add("lost", f"{name} acknowledged {due[-1].ended_at:.3f}")
    if last.kind is Kind.INSERT and last.outcome is Outcome.ACKNOWLEDGED and last.ended_at < newest_insert_sent_at:
        tally.add("hole", f"{name} acknowledged {last.ended_at:.3f}, one sent {newest_insert_sent_at:.3f} is there")


def _judge_held(tally: _Tally, history: list[Entry], held: Found, period: Period) -> None:
    name = f"{history[0].namespace} {history[0].key}"
    writes = [e for e in history if e.value == held.value and e.outcome is not Outcome.REJECTED]
    if not writes:
        tally.add("unexplained", f"{name} holds {held.value}")
    elif period.is_undone(writes[0]):
        tally.add("from_after_cut", f"{name} holds {held.value}, sent {writes[0].sent_at:.3f}")
    newest_due = max((e.value for e in history if period.is_due(e)), default=held.value)
    # An update made on top of a stale copy hides the value that went missing, but not that one update is short.
    reopened = bool(writes) and writes[0].sent_at >= period.reopened_at
    taken = sum(
        e.value <= held.value and (period.is_due(e) if reopened else e.outcome is Outcome.ACKNOWLEDGED) for e in history
    )
    if held.value < newest_due:
        tally.add("stale", f"{name} holds {held.value}, {newest_due} was acknowledged")
    elif held.times < taken:
        tally.add("stale", f"{name} was written {held.times} times, {taken} writes were acknowledged")
