"""What became of one fault: which of all that it could have struck it struck, and when."""

import random
import threading
import time
from dataclasses import dataclass

from sandbox.faults.kinds import Fault
from sandbox.faults.parts import Counted


@dataclass(frozen=True)
class Strike:
    """A fault has struck."""

    after_s: float
    """Seconds since the plan was armed."""
    words: str
    """What it struck."""


class Tally:
    """Counts for one fault of a plan."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number, self.fault = number, fault
        self._lock = threading.Lock()
        self._seen = 0
        self._chance = random.Random(fault.seed if isinstance(fault, Counted) else 0)  # noqa: S311  # a seed, no secret
        self._began = time.monotonic()
        self._strikes: list[Strike] = []

    @property
    def strikes(self) -> tuple[Strike, ...]:
        """In their order."""
        with self._lock:
            return tuple(self._strikes)

    @property
    def struck(self) -> bool:
        """At least once."""
        return bool(self._strikes)

    def due(self, words: str) -> bool:
        """Count one that could be struck; True, and noted down, if it is."""
        with self._lock:
            self._seen += 1
            if not self._is_due(self._seen):
                return False
        self.note(words)
        return True

    def note(self, words: str) -> None:
        """It has struck."""
        with self._lock:
            self._strikes.append(Strike(time.monotonic() - self._began, words))

    def _is_due(self, number: int) -> bool:
        fault = self.fault
        if not isinstance(fault, Counted):
            return number == 1
        if fault.probability is not None:
            return self._chance.random() < fault.probability
        if fault.first is not None:
            return number <= fault.first
        return fault.every or number == (fault.nth or 1)

    @property
    def lines(self) -> tuple[str, ...]:
        """As a report has it: a line for each strike, or one that says that there was none."""
        head = f"fault {self.number} ({self.fault})"
        if not self.strikes:
            return (f"{head} never struck",)
        return tuple(f"{head} struck at +{strike.after_s:.2f} s: {strike.words}" for strike in self.strikes)
