"""Records on their way into the database: in batches, several at once, each record's outcome counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from aerokeep_node.formats.smd import AEROSPIKE_EPOCH_S

from sandbox.tools import values
from sandbox.tools.server import explained
from sandbox.tools.words import err

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from aerokeep_node.formats.asb import Record

    from sandbox.tools.server import Server

OK = 0
IGNORABLE = frozenset({10, 13, 19, 21, 22})
"""Errors of a record: always forbidden, too big, key mismatch, bin name, forbidden (what the guard answers)."""
PASSING = frozenset({-11, -10, -8, -1, 1, 7, 9, 11, 14, 18, 152})
"""Errors that a later try may not meet: no connection, time, unavailable, busy, overload."""
_MOST_AT_ONCE = 8
"""More threads than this gain nothing in one Python process."""


class Writer:
    """Takes records, writes batches of them in threads, and counts what became of each."""

    def __init__(self, args: argparse.Namespace, server: Server) -> None:
        """Prepare the policies."""
        from aerospike_helpers.batch import records as batch  # noqa: PLC0415 - so that a tool says its version at once
        from aerospike_helpers.operations import operations  # noqa: PLC0415 - the same

        self.stop = threading.Event()
        self.counts: Counter[str] = Counter()
        self.retries = 0
        self._args = args
        self._server = server
        self._batch, self._operations = batch, operations
        self._pool = ThreadPoolExecutor(min(args.parallel, args.max_async_batches, _MOST_AT_ONCE))
        self._room = threading.Semaphore(2 * _MOST_AT_ONCE)
        self._counting = threading.Lock()
        self._pending: list[Any] = []
        self._policies = {sent: self._policy(sends_key=sent) for sent in (False, True)}

    def _policy(self, *, sends_key: bool) -> dict[str, int]:
        import aerospike  # noqa: PLC0415 - so that a tool says its version at once

        exists: int = aerospike.POLICY_EXISTS_IGNORE
        if self._args.unique:
            exists = aerospike.POLICY_EXISTS_CREATE
        elif self._args.replace:
            exists = aerospike.POLICY_EXISTS_CREATE_OR_REPLACE
        return {
            "key": aerospike.POLICY_KEY_SEND if sends_key else aerospike.POLICY_KEY_DIGEST,
            "gen": aerospike.POLICY_GEN_IGNORE if self._args.no_generation else aerospike.POLICY_GEN_GT,
            "exists": exists,
        }

    def take(self, record: Record, namespace: str) -> None:
        """Take a record; waits while too many are on their way."""
        self.counts["records"] += 1
        void_time = record.void_time + self._args.extra_ttl if record.void_time else 0
        ttl = void_time - (int(time.time()) - AEROSPIKE_EPOCH_S)
        bins = [part for part in record.bins if not self._args.bin_list or part.name in self._args.bin_list]
        if void_time and ttl <= 0:
            self._count("expired")
        elif not bins or (self._args.set_list and record.set_name not in self._args.set_list):
            self._count("skipped")
        else:
            key = None if record.key is None else values.from_text(record.key)
            ops = [self._operations.write(part.name, values.from_text(part)) for part in bins]
            whole = (namespace, record.set_name, key, bytearray(record.digest))
            policy = {**self._policies[key is not None], "ttl": ttl if void_time else -1}
            self._pending.append(self._batch.Write(whole, ops, meta={"gen": record.generation}, policy=policy))
        if len(self._pending) >= self._args.batch_size:
            self.flush()

    def flush(self) -> None:
        """Send what has been taken."""
        writes, self._pending = self._pending, []
        if not writes:
            return
        self._room.acquire()
        if self.stop.is_set():
            self._room.release()
            return
        self._pool.submit(self._write, writes).add_done_callback(self._written)

    def _written(self, future: Future[None]) -> None:
        self._room.release()
        if error := future.exception():
            self._fail(f"Error in batch write - {explained(error)}")  # type: ignore[arg-type] # threads raise no exits

    def close(self) -> None:
        """Wait until all that was taken is written."""
        self.flush()
        self._pool.shutdown(wait=True)

    def _write(self, writes: list[Any]) -> None:
        tries = 0
        while writes and not self.stop.is_set():
            records = self._batch.BatchRecords(writes)
            failed = OK
            try:
                self._server.client.batch_write(records, {"total_timeout": self._args.timeout})
            except self._server.errors as error:
                if getattr(error, "code", None) not in PASSING:
                    self._fail(f"Error in batch write - {explained(error)}")
                    return
                failed = int(getattr(error, "code", OK))
            again = writes if failed else self._judge(records.batch_records)
            if again and tries >= self._args.max_retries:
                self._fail(f"Max batch-write retries exceeded ({tries})")
                return
            if again:
                self.retries += 1
                self.stop.wait(self._args.retry_scale_factor / 1e6 * 2**tries)
            tries += 1
            writes = again

    def _judge(self, records: Iterable[Any]) -> list[Any]:
        """Count outcomes; → what is to be written again."""
        again, refused = [], 0
        for written in records:
            match written.result:
                case 0:
                    self._count("inserted")
                case 3:
                    self._count("fresher")
                case 5:
                    self._count("existed")
                case code if code in IGNORABLE:
                    self._count("ignored")
                    refused = 0 if self._args.ignore_record_error else code
                case code if code in PASSING:
                    again.append(written)
                case code:
                    self._fail(f"Error while storing record - code {code}")
                    return []
        if refused:
            self._fail(f"Error while storing record - code {refused}")
            return []
        return again

    def _count(self, outcome: str) -> None:
        with self._counting:
            self.counts[outcome] += 1

    def _fail(self, message: str) -> None:
        if not self.stop.is_set():
            err(message)
        self.stop.set()
