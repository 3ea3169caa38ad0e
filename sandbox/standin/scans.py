"""Scans of whole partitions, as clients ask for them: streamed in pieces, so that writes go on meanwhile."""

from __future__ import annotations

import asyncio
import bisect
import struct
from typing import TYPE_CHECKING, Protocol

from sandbox.standin import filter_expression, record, wire
from sandbox.standin.filter_expression import UnknownExpressionError
from sandbox.standin.header import PARTITIONS
from sandbox.standin.wire import ProtocolError, Reply, Request, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.standin.filter_expression import Expression
    from sandbox.standin.migration import Migrations
    from sandbox.standin.namespace import Namespace

_PIECE_BYTES = 64 << 10
_AT_ONCE = 64
"""Records and partitions looked at in one turn of the event loop: about a millisecond."""
_PATIENCE_S = 5.0
"""Below a client's socket timeout (10 s in the backup tools); then the partition counts as unavailable."""
_NAP_S = 0.05
_DIGEST_BYTES = 20
_RATE = struct.Struct(">I")
_LIMIT = struct.Struct(">Q")


class Sink(Protocol):
    """The connection that a scan answers on."""

    async def put(self, body: bytes) -> None:
        """Send a message; returns when there is room for more.

        Raises:
            ConnectionError: the client has gone.

        """


class Scans:
    """All scans of a node."""

    def __init__(self, node_id: str, *, namespaces: Mapping[str, Namespace], migrations: Migrations) -> None:
        """Take the parts."""
        self._node_id = node_id
        self._namespaces = namespaces
        self._migrations = migrations

    async def run(self, request: Request, sink: Sink) -> None:
        """Answer one scan to its end, or until the client has gone."""
        namespace = self._namespaces.get(request.namespace)
        try:
            if namespace is None:
                await _refuse(sink, Result.NAMESPACE)
            else:
                scan = _Scan(namespace, request)
                await self._stream(scan, _Pieces(sink, scan.records_per_second))
        except (ProtocolError, UnknownExpressionError):
            await _refuse(sink, Result.PARAMETER)
        except ConnectionError:
            return

    async def _stream(self, scan: _Scan, pieces: _Pieces) -> None:
        patience = asyncio.get_running_loop().time() + _PATIENCE_S
        # Where copies are still on their way, the scan comes last, and waits a little.
        name = scan.namespace.name
        for pid, after in sorted(scan.partitions, key=lambda found: self._migrations.is_unsettled(name, found[0])):
            if scan.full:
                break
            await self._settled(name, pid, patience)
            available = self._is_here(name, pid)
            for body in scan.replies(pid, after) if available else ():
                await pieces.add(body)
            # A partition that has moved away meanwhile is asked for again elsewhere, from where the client got to.
            if not scan.full:
                await pieces.add(_done(pid, available=available and self._is_here(name, pid)), records=0)
        await pieces.add(wire.encode_reply(Reply(Result.OK), last=True), records=0)
        await pieces.send()

    async def _settled(self, name: str, pid: int, until: float) -> None:
        while self._is_master(name, pid) and self._migrations.is_unsettled(name, pid):
            if asyncio.get_running_loop().time() > until:
                return
            await asyncio.sleep(_NAP_S)

    def _is_master(self, name: str, pid: int) -> bool:
        nodes = self._migrations.nodes_of(name, pid)
        return bool(nodes) and nodes[0] == self._node_id

    def _is_here(self, name: str, pid: int) -> bool:
        return self._is_master(name, pid) and not self._migrations.is_unsettled(name, pid)


async def _refuse(sink: Sink, result: Result) -> None:
    await sink.put(wire.encode_reply(Reply(result), last=True))


def _done(pid: int, *, available: bool) -> bytes:
    """Say that a partition is done, or that it must be asked for elsewhere; the generation carries its number."""
    result = Result.OK if available else Result.UNAVAILABLE
    return wire.encode_scan_reply(Reply(result, generation=pid), info3=wire.INFO3_PARTITION_DONE)


class _Scan:
    """What one client wants of one namespace."""

    def __init__(self, namespace: Namespace, request: Request) -> None:
        rest = request.rest or {}
        self.namespace = namespace
        self._set_name = request.set_name
        self._bins = None if request.info1 & wire.INFO1_GET_ALL or not request.ops else {op.name for op in request.ops}
        self._no_bins = bool(request.info1 & wire.INFO1_NO_BIN_DATA)
        self._filter: Expression | None = None
        if wire.FIELD_FILTER in rest:
            self._filter = filter_expression.read(rest[wire.FIELD_FILTER])
        self.partitions = list(_partitions(rest))
        try:
            self.records_per_second = _RATE.unpack(rest[wire.FIELD_RATE])[0] if wire.FIELD_RATE in rest else 0
            self._left = _LIMIT.unpack(rest[wire.FIELD_LIMIT])[0] if wire.FIELD_LIMIT in rest else 0
        except struct.error as error:
            raise ProtocolError(str(error)) from error
        self._limited = self._left > 0

    @property
    def full(self) -> bool:
        """Whether the client has all that it wants."""
        return self._limited and self._left <= 0

    def replies(self, pid: int, after: bytes) -> Iterator[bytes]:
        """Yield the records of a partition, digests descending, those below ``after`` only.

        Records may come and go while this is held up.
        """
        digests = sorted(self.namespace.partitions[pid])
        if after:
            del digests[bisect.bisect_left(digests, after) :]
        for digest in reversed(digests):
            blob = self.namespace.get(digest)
            if blob is None or (self._set_name and record.set_of(blob) != self._set_name):
                continue
            if self._filter is not None and not self._filter(blob):
                continue
            if self.full:
                return
            self._left -= 1
            yield self._encode(record.decode(blob))

    def _encode(self, found: record.Record) -> bytes:
        fields = [(wire.FIELD_NAMESPACE, self.namespace.name.encode()), (wire.FIELD_DIGEST, found.digest)]
        fields += [(wire.FIELD_SET, found.set_name)] if found.set_name else []
        fields += [(wire.FIELD_KEY, found.key)] if found.key else []
        ops = [] if self._no_bins else [
            wire.Op(wire.OP_READ, kind, name, value)
            for name, (kind, value) in found.bins.items()
            if self._bins is None or name in self._bins
        ]  # fmt: skip
        reply = Reply(Result.OK, found.generation, found.void_time, tuple(ops))
        return wire.encode_scan_reply(reply, fields=fields)


def _partitions(rest: Mapping[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield partitions and, where the client goes on after a record, that record's digest."""
    pids = rest.get(wire.FIELD_PARTITIONS, b"")
    for at in range(0, len(pids) - 1, 2):
        pid = int.from_bytes(pids[at : at + 2], "little")
        if pid >= PARTITIONS:
            raise ProtocolError(f"partition {pid}")
        yield pid, b""
    digests = rest.get(wire.FIELD_DIGESTS, b"")
    for at in range(0, len(digests) - _DIGEST_BYTES + 1, _DIGEST_BYTES):
        digest = digests[at : at + _DIGEST_BYTES]
        yield record.partition_of(digest), digest


class _Pieces:
    """Replies on their way: sent in pieces, at the client's rate, and never for long without a pause."""

    def __init__(self, sink: Sink, records_per_second: int) -> None:
        self._sink = sink
        self._rate = records_per_second
        self._began = asyncio.get_running_loop().time()
        self._records = 0
        self._turns = 0
        self._parts: list[bytes] = []
        self._size = 0

    async def add(self, body: bytes, *, records: int = 1) -> None:
        self._parts.append(body)
        self._size += len(body)
        self._records += records
        self._turns += 1
        if self._size >= _PIECE_BYTES:
            await self.send()
        if self._turns % _AT_ONCE == 0:
            await self._pause()

    async def send(self) -> None:
        body = b"".join(self._parts)
        self._parts, self._size = [], 0
        await self._sink.put(body)

    async def _pause(self) -> None:
        ahead_s = 0.0
        if self._rate:
            ahead_s = self._began + self._records / self._rate - asyncio.get_running_loop().time()
        if ahead_s > 0 and self._parts:
            await self.send()
        await asyncio.sleep(max(ahead_s, 0.0))
