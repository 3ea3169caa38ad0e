"""When writes flowed again, from the ledger of a client that wrote all along."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sandbox.witness.ledger import Entry, Outcome

BEAT_S = 0.02
LIFT_S = 0.5
"""From a lease's end to the first write that is taken: thaw, a look under the guard, a change of settings and the
client's next try, each well under 0.1 s on a machine that does nothing else.
"""


class Metronome:
    """Beats all the while, and knows how long this machine has kept it waiting: others have waited as long."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="metronome", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        before = time.monotonic()
        while not self._over.wait(BEAT_S):
            now = time.monotonic()
            self.longest_s = max(self.longest_s, now - before - BEAT_S)
            before = now


@dataclass(frozen=True)
class Flow:
    """How writes of a client fared."""

    rejected: int
    again_at: float | None
    """From here on every namespace took every write; None if that never came."""


def flow_of(entries: Sequence[Entry]) -> Flow:
    """Find the end of the write stop: the last namespace's first acknowledgement after its last refusal."""
    instants: list[float | None] = []
    for namespace in {entry.namespace for entry in entries}:
        own = [entry for entry in entries if entry.namespace == namespace]
        last = max((e.ended_at for e in own if e.outcome is not Outcome.ACKNOWLEDGED), default=0.0)
        later = [e.ended_at for e in own if e.outcome is Outcome.ACKNOWLEDGED and e.ended_at > last]
        instants.append(min(later, default=None))
    rejected = sum(entry.outcome is Outcome.REJECTED for entry in entries)
    known = [instant for instant in instants if instant is not None]
    return Flow(rejected, max(known) if known and len(known) == len(instants) else None)
