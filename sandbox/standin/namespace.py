"""One namespace on one node: the index, its storage, its settings and its counters."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sandbox.standin import record
from sandbox.standin.header import PARTITIONS
from sandbox.standin.segment_log import RESERVED_SEGMENTS, DeviceFullError
from sandbox.standin.settings import of_namespace
from sandbox.standin.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.standin.conf import NamespaceConf

_MOVED_AT_ONCE = 500
"""Records moved per turn of cleaning, so that clients wait a millisecond or two at most."""
Entry = tuple[bytes, int]
"""The record's bytes and where they lie: device * 2^32 + segment."""


class Namespace:
    """Records by partition and digest. Everything here runs on the event loop; only the flush threads touch disks."""

    def __init__(self, conf: NamespaceConf, *, log: Callable[[str], None]) -> None:
        """Open the storage and load what is on it (cold start).

        Raises:
            HeaderError: the devices don't belong together, or hold something else.
            VolumeError: a path can't be used.

        """
        self.name = conf.name
        self.conf = conf
        self.settings = of_namespace(conf)
        self.counters: Counter[str] = Counter()
        self.partitions: list[dict[bytes, Entry]] = [{} for _ in range(PARTITIONS)]
        self.reject_clients = self.reject_xdr = False
        self._log = log
        self.storage = Storage(conf, flush_max_ms=self.settings.number("storage-engine.flush-max-ms"), log=log)
        self._load()
        self.apply_settings()

    @property
    def replication_factor(self) -> int:
        """Return the configured number of copies."""
        return self.settings.number("replication-factor")

    def apply_settings(self) -> None:
        """Take over settings that are consulted on every write."""
        self.reject_clients = self.settings.flag("reject-non-xdr-writes")
        self.reject_xdr = self.settings.flag("reject-xdr-writes")
        self.default_ttl_s = self.settings.number("default-ttl")
        self.ttl_allowed = self.settings.number("nsup-period") > 0 or self.settings.flag("allow-ttl-without-nsup")
        self.max_write_cache_bytes = self.settings.number("storage-engine.max-write-cache")
        self.storage.set_flush_max_ms(self.settings.number("storage-engine.flush-max-ms"))

    def _load(self) -> None:
        now_s = record.now_ms() // 1000
        read = 0
        for device, segment, blob in self.storage.load():
            read += 1
            digest = blob[:20]
            partition = self.partitions[record.partition_of(digest)]
            known = partition.get(digest)
            if known is None or record.version_of(blob) >= record.version_of(known[0]):
                partition[digest] = (blob, device << 32 | segment)
        for partition in self.partitions:
            for digest, (blob, place) in list(partition.items()):
                if 0 < record.void_time_of(blob) < now_s:
                    del partition[digest]
                else:
                    self.storage.logs[place >> 32].adopt(place & 0xFFFFFFFF, digest, blob)
        self.storage.start()
        self._log(f"{{{self.name}}} loaded: objects {self.object_count()} records-read {read}")

    # -- single records --------------------------------------------------------------------------------------------

    def get(self, digest: bytes) -> bytes | None:
        """Return a record's bytes, unless it is missing or has expired."""
        entry = self.partitions[record.partition_of(digest)].get(digest)
        if entry is None:
            return None
        void_time = record.void_time_of(entry[0])
        return None if 0 < void_time <= record.now_ms() // 1000 else entry[0]

    def put(self, blob: bytes) -> None:
        """Index a record and hand it to its device's write cache.

        Raises:
            DeviceFullError: no room; the index is unchanged.

        """
        digest = blob[:20]
        partition = self.partitions[record.partition_of(digest)]
        logs = self.storage.logs
        place = 0
        if logs:
            # As in asd, the device follows from the digest: a newer copy lands where the older one lies.
            device = int.from_bytes(digest[8:12], "little") % len(logs)
            place = device << 32 | logs[device].append(digest, blob)
        known = partition.get(digest)
        partition[digest] = (blob, place)
        if known is not None and logs:
            logs[known[1] >> 32].release(known[1] & 0xFFFFFFFF, known[0])

    def put_if_newer(self, blob: bytes) -> bool:
        """Take a copy from another node, unless what is here is as new."""
        known = self.partitions[record.partition_of(blob[:20])].get(blob[:20])
        if known is not None and record.version_of(known[0]) >= record.version_of(blob):
            return False
        self.put(blob)
        return True

    def drop(self, digest: bytes) -> bool:
        """Forget a record. The device keeps its copy, so a cold start may bring it back (as measured)."""
        entry = self.partitions[record.partition_of(digest)].pop(digest, None)
        if entry is not None and self.storage.logs:
            self.storage.logs[entry[1] >> 32].release(entry[1] & 0xFFFFFFFF, entry[0])
        return entry is not None

    def drop_partition(self, pid: int) -> None:
        """Forget a partition that this node no longer holds."""
        for digest in list(self.partitions[pid]):
            self.drop(digest)

    # -- the whole -------------------------------------------------------------------------------------------------

    def object_count(self) -> int:
        """Count all records here."""
        return sum(map(len, self.partitions))

    def blobs(self) -> Iterator[bytes]:
        """Yield every record; the index must not change meanwhile."""
        for partition in self.partitions:
            for blob, _ in partition.values():
                yield blob

    @property
    def write_cache_full(self) -> bool:
        """Whether a client write is to be refused with code 18 (device overload)."""
        return bool(self.storage.logs) and self.storage.unflushed_bytes > self.max_write_cache_bytes

    @property
    def stop_writes(self) -> bool:
        """Whether a client write is to be refused with code 8 (out of space)."""
        logs = self.storage.logs
        if not logs:
            return False
        low_pct = self.settings.number("storage-engine.stop-writes-avail-pct")
        return any(d.failed or d.free <= RESERVED_SEGMENTS or d.free * 100 // d.total < low_pct for d in logs)

    def truncate(self, set_name: bytes, until_ms: int) -> None:
        """Forget every record of the set (all sets if empty) last updated before ``until_ms``."""
        for partition in self.partitions:
            for digest, (blob, _) in list(partition.items()):
                in_set = not set_name or record.set_of(blob) == set_name
                if in_set and record.version_of(blob).updated_ms < until_ms:
                    self.drop(digest)

    def expire(self) -> None:
        """Forget what has expired (nsup)."""
        now_s = record.now_ms() // 1000
        for partition in self.partitions:
            for digest, (blob, _) in list(partition.items()):
                if 0 < record.void_time_of(blob) <= now_s:
                    self.drop(digest)
                    self.counters["expired_objects"] += 1

    def defragment(self) -> bool:
        """Move some live records out of a mostly dead segment; return whether there may be more to do."""
        lwm_pct = self.settings.number("storage-engine.defrag-lwm-pct")
        for index, device in enumerate(self.storage.logs):
            for segment in device.sparse_segments(lwm_pct)[:1]:
                if device.free < 1 or device.write_q:
                    continue
                digests = device.contents[segment]
                batch = [digests.pop() for _ in range(min(_MOVED_AT_ONCE, len(digests)))]
                place = index << 32 | segment
                for digest in batch:
                    entry = self.partitions[record.partition_of(digest)].get(digest)
                    if entry is not None and entry[1] == place:
                        try:
                            self.put(entry[0])
                        except DeviceFullError:
                            return False
                device.defrag_reads += 1
                return True
        return False
