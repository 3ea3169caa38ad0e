"""One asbackup run: scans side by side, each of its own partitions, all counted together."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from aerokeep_node.formats.asb import Bin, Record
from aerokeep_node.formats.smd import AEROSPIKE_EPOCH_S

from sandbox.tools import text, values
from sandbox.tools.limiter import Limiter
from sandbox.tools.options import Pace
from sandbox.tools.server import explained
from sandbox.tools.values import UnknownValueError
from sandbox.tools.words import err, inf

if TYPE_CHECKING:
    import argparse

    from sandbox.tools.backup_files import Files
    from sandbox.tools.backup_options import Part
    from sandbox.tools.server import Server
    from sandbox.tools.streams import Sink

_NEVER = 0xFFFFFFFF
_STORING = (
    "Error while storing record in backup file, aborting scan. The backup state is currently unrecoverable in this "
    "state, so backup resumption is not possible."
)


class Run:
    """What all scans share."""

    def __init__(self, args: argparse.Namespace, server: Server, files: Files) -> None:
        """Take the parts; `stop` may be set at any time."""
        self.args = args
        self.server = server
        self.files = files
        self.stop = threading.Event()
        self.failed = False
        self.samples: list[int] = []
        self.header_bytes = 0
        self.indexes = self.udfs = 0
        self._records = 0
        self._counting = threading.Lock()
        self._limiter = Limiter(Pace.of_mib(args.nice, args.records_per_second), self.stop)
        self._expressions = _filter(args)

    @property
    def records(self) -> int:
        """Records so far."""
        return self._records

    @property
    def wanted(self) -> int:
        """How many records are enough; 0 is all."""
        return int(self.args.estimate_samples if self.args.estimate else self.args.max_records)

    def fail(self, message: str) -> None:
        """Note a failure and end all scans."""
        err(message)
        self.failed = True
        self.stop.set()

    def put_globals(self) -> None:
        """Write what stands in the first file only.

        Raises:
            OSError: it can't be written.
            FailedError: the server doesn't tell.

        """
        args, sink = self.args, self.files.take()
        sink = self.files.put(sink, text.FIRST_FILE)
        if not args.no_indexes:
            found = self.server.indexes(args.namespace)
            inf(f"Backing up {len(found)} secondary index(es)" if found else "No secondary indexes")
            for index in found:
                if not args.set or index.set_name in args.set:
                    sink = self.files.put(sink, text.index(index))
            self.indexes = len(found)
        if not args.no_udfs:
            modules = self.server.udfs()
            inf(f"Backing up {len(modules)} UDF file(s)")
            for module in modules:
                sink = self.files.put(sink, text.udf(module))
            self.udfs = len(modules)
        self.header_bytes = self.files.written
        self.files.give_back(sink)

    def scan(self, part: Part) -> None:
        """Back up some partitions."""
        inf(f"Starting backup for {part.shown}")
        records = size = 0
        try:
            scan = _Scan(self, self.files.take())
            if not self.args.no_records:
                scan.run(self._query(), self._policy(part))
            self.files.give_back(scan.sink)
            records, size = scan.records, scan.size_bytes
        except self.server.errors as error:
            self.fail(f"Error while running scan for {part.shown} - {explained(error)}")
        except OSError as error:
            self.fail(f"Error while opening backup file: {error.strerror}")
        figures = f"records: {records}, size: {size} (~{size // records if records else 0} B/rec)"
        if self.stop.is_set():
            inf(f"Backup of {part.shown} interrupted, {figures}")
        else:
            inf(f"Completed backup for {part.shown}, {figures}")

    def _query(self) -> Any:  # noqa: ANN401 - the client's own type
        sets = self.args.set
        query = self.server.client.query(self.args.namespace, sets[0] if len(sets) == 1 else None)
        if self.args.bin_list:
            query.select(*self.args.bin_list)
        if self.wanted:
            query.max_records = self.wanted
        return query

    def _policy(self, part: Part) -> dict[str, Any]:
        partitions: dict[str, Any] = {"begin": part.begin, "count": part.size}
        if part.after is not None:
            # The client crashes over a filter's "digest"; the state of an interrupted scan says the same.
            status = (part.begin, True, False, bytearray(part.after), 0)
            partitions["partition_status"] = {"done": False, "retry": False, part.begin: status}
        policy = {
            "total_timeout": self.args.total_timeout,
            "socket_timeout": self.args.socket_timeout,
            "max_retries": self.args.max_retries,
            "sleep_between_retries": self.args.sleep_between_retries,
            "partition_filter": partitions,
        }
        return policy | ({"expressions": self._expressions} if self._expressions else {})

    def took(self, size_bytes: int) -> None:
        """Count a record, and hold the pace."""
        with self._counting:
            self._records += 1
            if self.args.estimate:
                self.samples.append(size_bytes)
        self._limiter.passed(size_bytes)

    @property
    def enough(self) -> bool:
        """Whether no more records are wanted."""
        return self.stop.is_set() or 0 < self.wanted <= self._records


class _Scan:
    """One scan and its file."""

    def __init__(self, run: Run, sink: Sink) -> None:
        self.sink = sink
        self.records = self.size_bytes = 0
        self._run = run
        self._lock = threading.Lock()  # the client calls back from a thread per node

    def run(self, query: Any, policy: dict[str, Any]) -> None:  # noqa: ANN401 - the client's own type
        query.foreach(self._take, policy, {"nobins": True} if self._run.args.no_bins else {})

    def _take(self, _pid: int, found: tuple[tuple[Any, ...], dict[str, int], dict[str, Any]]) -> bool:
        run = self._run
        if run.enough:
            return False
        try:
            content = text.record(_record(found, run.args), compact=run.args.compact)
            with self._lock:
                self.sink = run.files.put(self.sink, content)
                self.records += 1
                self.size_bytes += len(content)
        except OSError as error:
            err(f"Failed writing data to file: {error.strerror}")
            run.fail(_STORING)
            return False
        except UnknownValueError as error:
            run.fail(f"Error while writing record bin: {error}")
            return False
        run.took(len(content))
        return True


def _record(found: tuple[tuple[Any, ...], dict[str, int], dict[str, Any]], args: argparse.Namespace) -> Record:
    (namespace, set_name, key, digest), meta, bins = found
    ttl = meta["ttl"]
    void_time = 0 if ttl == _NEVER else int(time.time()) - AEROSPIKE_EPOCH_S + ttl
    written = () if args.no_bins else tuple(Bin(name, *values.to_text(value)) for name, value in bins.items())
    typed = None if key is None else values.to_text(key)
    return Record(namespace, bytes(digest), set_name, typed, meta["gen"], void_time, written, b"")


def _filter(args: argparse.Namespace) -> Any:  # noqa: ANN401 - the client's own type
    from aerospike_helpers import expressions as exp  # noqa: PLC0415 - so that a tool says its version at once

    parts = []
    if args.modified_after is not None:
        parts.append(exp.GE(exp.LastUpdateTime(), args.modified_after))
    if args.modified_before is not None:
        parts.append(exp.LT(exp.LastUpdateTime(), args.modified_before))
    if args.no_ttl_only:
        parts.append(exp.Eq(exp.VoidTime(), -1))
    if len(args.set) > 1:
        parts.append(exp.Or(*(exp.Eq(exp.SetName(), name) for name in args.set)))
    if not parts:
        return None
    return (parts[0] if len(parts) == 1 else exp.And(*parts)).compile()
