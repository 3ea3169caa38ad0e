"""The writing half: several threads on one official client, at a steady rate, whatever the cluster answers."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aerospike
from aerospike.exception import AerospikeError

from sandbox.witness.ledger import Entry, Kind, Ledger, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

SET = "witness"
THREADS = 4
COUNTERS_PER_THREAD = 50
"""Per namespace."""
UPDATE_EVERY = 3
"""Each third write updates a counter, the others insert."""
_PAD = "x" * 400
_NOT_TAKEN = frozenset({8, 18, 22})
"""Result codes with which the server says that it did not take a write: full, overloaded, forbidden."""
_POLICY = {"total_timeout": 1000, "socket_timeout": 1000, "max_retries": 0}
_CONNECT_PAUSE_S = 0.2


def connect(seeds: Sequence[tuple[str, int]], *, timeout_s: float) -> aerospike.Client:
    """Return a connected client.

    Raises:
        aerospike.exception.AerospikeError: no seed answered in time.

    """
    deadline = time.monotonic() + timeout_s
    config = {
        "hosts": list(seeds),
        "policies": {"write": _POLICY, "operate": _POLICY, "read": {"total_timeout": 1000}},
        "connect_timeout": 1000,
    }
    while True:
        try:
            return aerospike.client(config).connect()
        except AerospikeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_CONNECT_PAUSE_S)


@dataclass
class Writer:
    """Writes until told to stop."""

    client: aerospike.Client
    ledger: Ledger
    namespaces: Sequence[str]
    rate_per_s: float
    stopping: threading.Event

    def __post_init__(self) -> None:
        """Draw a prefix, so that several runs can share a cluster."""
        self._run = f"{os.getpid():x}-{int(time.time()):x}"

    def run(self) -> None:
        """Write until ``stopping`` is set."""
        threads = [threading.Thread(target=self._work, args=(index,), daemon=True) for index in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, worker: int) -> None:
        pause_s = THREADS / self.rate_per_s
        due = time.monotonic() + pause_s * worker / THREADS
        count = 0
        while not self.stopping.is_set():
            delay_s = due - time.monotonic()
            if delay_s > 0:
                time.sleep(delay_s)
            else:
                due = max(due, time.monotonic() - 1.0)  # after an outage: catch up for a second, no longer
            due += pause_s
            count += 1
            self._write(worker, count)

    def _write(self, worker: int, count: int) -> None:
        namespace = self.namespaces[count % len(self.namespaces)]
        turn = count // len(self.namespaces)
        if turn % UPDATE_EVERY == 0:
            # A counter has one writer, so its values are sent in their order.
            kind, key = Kind.COUNTER, f"{self._run}-c{worker}-{turn // UPDATE_EVERY % COUNTERS_PER_THREAD}"
        else:
            kind, key = Kind.INSERT, f"{self._run}-i{count * THREADS + worker}"
        value = count * THREADS + worker
        acts = [
            {"op": aerospike.OPERATOR_WRITE, "bin": "value", "val": value},
            {"op": aerospike.OPERATOR_INCR, "bin": "times", "val": 1},
            {"op": aerospike.OPERATOR_WRITE, "bin": "pad", "val": _PAD},
        ]
        sent_at = time.time()
        outcome = Outcome.ACKNOWLEDGED
        try:
            self.client.operate((namespace, SET, key), acts)
        except AerospikeError as error:
            outcome = Outcome.REJECTED if error.code in _NOT_TAKEN else Outcome.DOUBT
        self.ledger.add(Entry(namespace, kind, key, value, sent_at, time.time(), outcome))
