"""Bring all copies of each partition to the newest of each record, master by master, at a bounded rate.

After each change of members every node tells each master what it holds of its partitions (a count and a checksum).
Where all copies agree nothing moves. Elsewhere the master pulls what it lacks, then hands every replica what that one
lacks. Until then the partition is *unsettled*: transactions on it ask the other holders for their copy first.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import TYPE_CHECKING

from sandbox.standin import record
from sandbox.standin.fabric import Fabric, Kind, NoAnswerError, named, unnamed
from sandbox.standin.partitions import owners, versions
from sandbox.standin.segment_log import DeviceFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.standin.membership import Formed
    from sandbox.standin.namespace import Namespace

_SUMMARY = struct.Struct("<IQ")
_SUMMARY_HEAD = struct.Struct("<Q")
_ITEM = struct.Struct("<20sQI")
_BLOB = struct.Struct("<I")
RECORDS_PER_S = 4000
"""Per migrate thread."""
_BATCH = 200
_RETRY_S = 0.3
_MASK = (1 << 64) - 1


class Migrations:
    """The partition tables in force, and the work of settling what this node is master of."""

    def __init__(
        self,
        node_id: str,
        *,
        namespaces: Mapping[str, Namespace],
        fabric: Fabric,
        threads: Callable[[], int],
    ) -> None:
        """Start without a cluster; ``threads`` gives ``migrate-threads`` as it is now."""
        self._node_id = node_id
        self._namespaces = namespaces
        self._fabric = fabric
        self._threads = threads
        self.formed: Formed | None = None
        self.tables: dict[str, tuple[tuple[str, ...], ...]] = dict.fromkeys(namespaces, ())
        self.unsettled: dict[str, set[int]] = {name: set() for name in namespaces}
        self.transmitted = dict.fromkeys(namespaces, 0)
        self.received = dict.fromkeys(namespaces, 0)
        self.rebalanced_at = 0.0
        self._summaries: dict[tuple[int, str, str], bytes] = {}
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        handlers = {
            Kind.FETCH: self._on_fetch,
            Kind.SUMMARY: self._on_summary,
            Kind.INVENTORY: self._on_inventory,
            Kind.RECORDS: self._on_records,
            Kind.OFFER: self._on_offer,
            Kind.SETTLED: self._on_settled,
        }
        fabric.handlers.update({int(kind): handler for kind, handler in handlers.items()})

    # -- what transactions ask -------------------------------------------------------------------------------------

    def nodes_of(self, namespace: str, pid: int) -> tuple[str, ...]:
        """Return who holds the partition, the master first; empty before the first cluster."""
        table = self.tables[namespace]
        return table[pid] if table else ()

    def is_member(self, node_id: str) -> bool:
        """Whether the node is in the cluster now."""
        return self.formed is not None and node_id in self.formed.ids

    def is_unsettled(self, namespace: str, pid: int) -> bool:
        """Whether another node may have a newer copy of a record than its master."""
        return pid in self.unsettled[namespace]

    @property
    def remaining(self) -> int:
        """Partitions left to settle, all namespaces."""
        return sum(map(len, self.unsettled.values()))

    async def resolve(self, namespace: Namespace, digest: bytes) -> None:
        """Take the newest copy of one record that any other node has."""
        for peer in self._others():
            try:
                blob = await self._fabric.ask(peer, Kind.FETCH, named(namespace.name, digest))
            except NoAnswerError:
                continue
            if blob:
                namespace.put_if_newer(blob)

    # -- a new cluster ---------------------------------------------------------------------------------------------

    def rebalance(self, formed: Formed) -> None:
        """Put the tables of a new cluster in force and begin to settle."""
        self.formed = formed
        self.rebalanced_at = asyncio.get_running_loop().time()
        alone = len(formed.ids) == 1
        for name, namespace in self._namespaces.items():
            copies = min(namespace.replication_factor, len(formed.ids))
            table = self.tables[name] = owners(formed.ids, copies)
            mine = (pid for pid, nodes in enumerate(table) if nodes[0] == self._node_id)
            self.unsettled[name] = set() if alone else set(mine)
            namespace.storage.set_versions(versions(table, self._node_id, formed.key))
        self._summaries = {k: v for k, v in self._summaries.items() if k[0] == formed.key}
        self.close()
        if not alone:
            self._task = asyncio.create_task(self._settle(formed))
            self._task.add_done_callback(_report)

    def close(self) -> None:
        """Stop settling."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _others(self) -> list[str]:
        return [n for n in self.formed.ids if n != self._node_id] if self.formed else []

    async def _settle(self, formed: Formed) -> None:
        others = self._others()
        for name, namespace in self._namespaces.items():
            sums = [_summary(partition) for partition in namespace.partitions]
            await asyncio.sleep(0)
            for peer in others:
                body = b"".join(
                    _SUMMARY.pack(*sums[pid]) for pid, nodes in enumerate(self.tables[name]) if nodes[0] == peer
                )
                message = named(name, _SUMMARY_HEAD.pack(formed.key) + named(self._node_id, body))
                await self._insist(peer, Kind.SUMMARY, message)
        for name, namespace in self._namespaces.items():
            while not all((formed.key, name, peer) in self._summaries for peer in others):
                self._arrived.clear()
                await self._arrived.wait()
            for pid in self._sort_out(formed.key, name, namespace, others):
                await self._settle_partition(namespace, pid)

    async def _insist(self, peer: str, kind: Kind, message: bytes) -> bytes:
        """Ask until there is an answer; a peer that has gone ends this task through the next rebalance."""
        while True:
            try:
                return await self._fabric.ask(peer, kind, message)
            except NoAnswerError:
                await asyncio.sleep(_RETRY_S)

    def _sort_out(self, key: int, name: str, namespace: Namespace, others: list[str]) -> list[int]:
        """Settle at once what is the same everywhere; return the rest."""
        table = self.tables[name]
        mine = [pid for pid, nodes in enumerate(table) if nodes[0] == self._node_id]
        held = {peer: _SUMMARY.iter_unpack(self._summaries.pop((key, name, peer))) for peer in others}
        left: list[int] = []
        for pid in mine:
            own = _summary(namespace.partitions[pid])
            sums = {peer: next(held[peer]) for peer in others}
            same = all(sums[peer] == own if peer in table[pid] else sums[peer] == (0, 0) for peer in others)
            if same:
                self.unsettled[name].discard(pid)
            else:
                left.append(pid)
        return left

    # -- one partition ---------------------------------------------------------------------------------------------

    async def _settle_partition(self, namespace: Namespace, pid: int) -> None:
        """Pull what is newer elsewhere, hand out what replicas lack, let others forget the partition."""
        name = namespace.name
        where = named(name, pid.to_bytes(2, "little"))
        replicas = self.tables[name][pid]
        for peer in self._others():
            held = await self._inventory(peer, where)
            wanted = [digest for digest, version in held.items() if _older(namespace, digest, version)]
            for at in range(0, len(wanted), _BATCH):
                part = wanted[at : at + _BATCH]
                await self._pace(len(part))
                for blob in _split(await self._insist(peer, Kind.RECORDS, named(name, b"".join(part)))):
                    self.received[name] += 1
                    _take(namespace, blob)
        for peer in self._others():
            if peer in replicas:
                held = await self._inventory(peer, where)
                await self._hand_out(namespace, pid, peer, held)
        for peer in self._others():
            if peer not in replicas:
                await self._insist(peer, Kind.SETTLED, where)
        self.unsettled[name].discard(pid)

    async def _inventory(self, peer: str, where: bytes) -> dict[bytes, record.Version]:
        items = _ITEM.iter_unpack(await self._insist(peer, Kind.INVENTORY, where))
        return {digest: record.Version(updated_ms, generation) for digest, updated_ms, generation in items}

    async def _hand_out(self, namespace: Namespace, pid: int, peer: str, held: dict[bytes, record.Version]) -> None:
        never = record.Version(-1, 0)
        lacking = [
            digest
            for digest, (blob, _) in namespace.partitions[pid].items()
            if held.get(digest, never) < record.version_of(blob)
        ]
        for at in range(0, len(lacking), _BATCH):
            part = lacking[at : at + _BATCH]
            await self._pace(len(part))
            entries = [namespace.partitions[pid].get(digest) for digest in part]
            message = _join(entry[0] for entry in entries if entry is not None)
            await self._insist(peer, Kind.OFFER, named(namespace.name, message))
            self.transmitted[namespace.name] += len(part)

    async def _pace(self, count: int) -> None:
        threads = self._threads()
        while threads == 0:  # paused by the operator
            await asyncio.sleep(_RETRY_S)
            threads = self._threads()
        await asyncio.sleep(count / (RECORDS_PER_S * threads))

    # -- what peers ask --------------------------------------------------------------------------------------------

    def _on_fetch(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        name, digest = unnamed(payload)
        respond(self._namespaces[name].get(digest) or b"")

    def _on_summary(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        name, rest = unnamed(payload)
        key = _SUMMARY_HEAD.unpack_from(rest)[0]
        peer, body = unnamed(rest[_SUMMARY_HEAD.size :])
        self._summaries[key, name, peer] = body
        self._arrived.set()
        respond(b"")

    def _on_inventory(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        name, pid = unnamed(payload)
        partition = self._namespaces[name].partitions[int.from_bytes(pid, "little")]
        respond(b"".join(_ITEM.pack(digest, *record.version_of(blob)) for digest, (blob, _) in partition.items()))

    def _on_records(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        name, digests = unnamed(payload)
        found = (self._namespaces[name].get(digests[at : at + 20]) for at in range(0, len(digests), 20))
        blobs = [blob for blob in found if blob]
        self.transmitted[name] += len(blobs)
        respond(_join(blobs))

    def _on_offer(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        name, rest = unnamed(payload)
        for blob in _split(rest):
            self.received[name] += 1
            _take(self._namespaces[name], blob)
        respond(b"")

    def _on_settled(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        name, pid_bytes = unnamed(payload)
        pid = int.from_bytes(pid_bytes, "little")
        if self._node_id not in self.nodes_of(name, pid):
            self._namespaces[name].drop_partition(pid)
        respond(b"")


def _report(task: asyncio.Task[None]) -> None:
    """Let an error in settling be seen: without this the partitions would only stay unsettled for ever."""
    if not task.cancelled() and (error := task.exception()):
        asyncio.get_running_loop().call_exception_handler({"message": "migrations ended", "exception": error})


def _take(namespace: Namespace, blob: bytes) -> None:
    try:
        namespace.put_if_newer(blob)
    except DeviceFullError:
        return  # stop_writes shows it


def _older(namespace: Namespace, digest: bytes, version: record.Version) -> bool:
    entry = namespace.partitions[record.partition_of(digest)].get(digest)
    return entry is None or record.version_of(entry[0]) < version


def _summary(partition: dict[bytes, tuple[bytes, int]]) -> tuple[int, int]:
    """Return count and checksum of digests and versions, in no order."""
    total = 0
    for blob, _ in partition.values():
        stamp = blob[:32]
        total += zlib.crc32(stamp) << 32 | zlib.adler32(stamp)
    return len(partition), total & _MASK


def _join(blobs: Iterator[bytes] | list[bytes]) -> bytes:
    return b"".join(_BLOB.pack(len(blob)) + blob for blob in blobs)


def _split(joined: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(joined):
        length = _BLOB.unpack_from(joined, at)[0]
        at += _BLOB.size
        yield joined[at : at + length]
        at += length
