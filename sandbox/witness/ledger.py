"""The ledger: one line per write, with the instants it was sent and ended, in a file that only grows."""

from __future__ import annotations

import threading
import time
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FLUSH_S = 0.025


class Kind(StrEnum):
    """What was written."""

    INSERT = "i"
    """A new key with a running number."""
    COUNTER = "c"
    """The next value of one of a fixed set of keys, each of which has one writer."""


class Outcome(StrEnum):
    """How a write ended."""

    ACKNOWLEDGED = "a"
    REJECTED = "r"
    """The server said that it did not take it."""
    DOUBT = "d"
    """It may be there or not."""


class Entry(NamedTuple):
    """One write; ``sent_at`` and ``ended_at`` are epoch seconds by the witness's clock."""

    namespace: str
    kind: Kind
    key: str
    value: int
    sent_at: float
    ended_at: float
    outcome: Outcome


def to_line(entry: Entry) -> str:
    """Write one line."""
    namespace, kind, key, value, sent_at, ended_at, outcome = entry
    return f"{namespace}\t{kind}\t{key}\t{value}\t{sent_at:.6f}\t{ended_at:.6f}\t{outcome}\n"


def from_line(line: str) -> Entry:
    """Read one line."""
    namespace, kind, key, value, sent_at, ended_at, outcome = line.rstrip("\n").split("\t")
    return Entry(namespace, Kind(kind), key, int(value), float(sent_at), float(ended_at), Outcome(outcome))


def read(lines: Iterable[str]) -> Iterator[Entry]:
    """Read a ledger; a last line that was cut short (the writer was killed) is left out."""
    for line in lines:
        if line.endswith("\n"):
            yield from_line(line)


class Ledger:
    """Appends entries from several threads and flushes them every 25 ms."""

    def __init__(self, path: Path) -> None:
        """Open for appending."""
        self._file = path.open("a", buffering=1 << 20)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()
        self.counts = dict.fromkeys(Outcome, 0)

    def add(self, entry: Entry) -> None:
        """Remember one write."""
        with self._lock:
            self._file.write(to_line(entry))
            self.counts[entry.outcome] += 1

    def close(self) -> None:
        """Flush and close."""
        self._closing.set()
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            time.sleep(FLUSH_S)
            with self._lock:
                self._file.flush()
