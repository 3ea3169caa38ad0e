"""Log-structured storage behind a device header: records wait in memory, a thread writes them, a cold start reads them.

A device is cut into segments of 1 MiB (asd's ``flush-size``). A segment begins with its sequence number; each record in
it carries that number, its length and a checksum, so what an earlier use of the segment left behind is never taken for
data. Acknowledged records wait up to ``flush-max-ms`` before they are written: that is what an unguarded copy loses.
"""

from __future__ import annotations

import struct
import threading
import time
import zlib
from collections import deque
from typing import TYPE_CHECKING

from sandbox.standin.header import HEADER_SIZE_BYTES, Header, decode
from sandbox.standin.volume import ALIGNMENT, Volume, VolumeError

if TYPE_CHECKING:
    from collections.abc import Iterator

SEGMENT_BYTES = 1 << 20
BUFFER_BYTES = SEGMENT_BYTES + ALIGNMENT
RESERVED_SEGMENTS = 2
"""Kept for moving records, so that a full device can still be cleaned."""
_UNUSED_IN_A_ROW = 80
"""A cold start stops after so many unused segments (asd: 10 write blocks of 8 MiB)."""
_SEGMENT_MAGIC = 0x474B4153
_SEGMENT = struct.Struct("<IIQ")
_FRAME = struct.Struct("<III")
MAX_BLOB_BYTES = SEGMENT_BYTES - _SEGMENT.size - _FRAME.size


class DeviceFullError(Exception):
    """No free segment is left."""


class _Chunk:
    """Bytes that follow each other on one segment and are not written yet."""

    __slots__ = ("parts", "segment", "size")

    def __init__(self, segment: int) -> None:
        self.segment = segment
        self.parts: list[bytes] = []
        self.size = 0


class SegmentLog:
    """One device's log. ``append`` and ``release`` never block on the disk; the flush thread does."""

    def __init__(self, volume: Volume, *, flush_max_ms: int) -> None:
        """Prepare an empty log; ``scan`` fills it, ``start`` begins to flush."""
        self.volume = volume
        self.total = (volume.size_bytes - HEADER_SIZE_BYTES) // SEGMENT_BYTES
        if self.total <= RESERVED_SEGMENTS:
            raise VolumeError(f"{volume.path}: device too small: {volume.size_bytes} bytes")
        self.used = [0] * self.total
        self.contents: dict[int, list[bytes]] = {}
        self.writes = 0
        self.partial_writes = 0
        self.defrag_reads = 0
        self.flush_max_ms = flush_max_ms
        self.failed: OSError | None = None
        self._sequence = 0
        self._free: deque[int] = deque(range(self.total))
        self._emptied: deque[tuple[int, int]] = deque()
        self._condition = threading.Condition(threading.Lock())
        self._queue: deque[_Chunk] = deque()
        self._open: _Chunk | None = None
        self._position = SEGMENT_BYTES
        self._appended = 0
        self._flushed = 0
        self._last_look = 0.0
        self._header_image: bytes | None = None
        self._stopping = False
        self._tail: tuple[int, int, bytes] = (-1, 0, b"")
        self._thread = threading.Thread(target=self._run, name=f"flush {volume.path}", daemon=True)

    @property
    def write_q(self) -> int:
        """Full segments that wait for the thread; the one being written is not counted (as in asd)."""
        return len(self._queue)

    @property
    def unflushed_bytes(self) -> int:
        """Acknowledged bytes that are in memory only."""
        return self._appended - self._flushed

    @property
    def free(self) -> int:
        """Segments that hold nothing."""
        return len(self._free)

    @property
    def current(self) -> int:
        """Return the segment that is being filled, or -1."""
        return self._open.segment if self._open else -1

    def append(self, digest: bytes, blob: bytes) -> int:
        """Take a record into the write cache, and return its segment.

        Raises:
            DeviceFullError: nothing is free.

        """
        length = _FRAME.size + len(blob)
        with self._condition:
            if self._position + length > SEGMENT_BYTES:
                self._rotate()
            chunk = self._open
            if chunk is None:
                raise DeviceFullError(self.volume.path)
            frame = _FRAME.pack(self._sequence & 0xFFFFFFFF, len(blob), zlib.crc32(blob))
            chunk.parts += (frame, blob)
            if chunk.size == 0:
                self._last_look = time.monotonic()
                self._condition.notify()
            chunk.size += length
            self._position += length
            self._appended += length
        segment = chunk.segment
        self.used[segment] += length
        self.contents[segment].append(digest)
        return segment

    def release(self, segment: int, blob: bytes) -> None:
        """Count a record as dead where it lies; a segment without live records becomes free after the next flush."""
        self.used[segment] -= _FRAME.size + len(blob)
        if self.used[segment] <= 0 and segment != self.current:
            self._emptied.append((self._appended, segment))
            self._reclaim()

    def sparse_segments(self, below_pct: int) -> list[int]:
        """Return closed segments of which less than that part is alive, emptiest first."""
        limit = SEGMENT_BYTES * below_pct // 100
        found = [s for s in self.contents if s != self.current and 0 < self.used[s] < limit]
        return sorted(found, key=self.used.__getitem__)

    def _reclaim(self) -> None:
        """Free emptied segments, but only once what replaced their records is written."""
        while self._emptied and self._emptied[0][0] <= self._flushed:
            _, segment = self._emptied.popleft()
            self.contents.pop(segment, None)
            self._free.append(segment)

    def _rotate(self) -> None:
        self._reclaim()
        if not self._free:
            raise DeviceFullError(self.volume.path)
        closed = self._open
        if closed is not None:
            if closed.size:
                self._queue.append(closed)
                self._condition.notify()
            if self.used[closed.segment] <= 0:
                self._emptied.append((self._appended, closed.segment))
        segment = self._free.popleft()
        self._sequence += 1
        self._open = _Chunk(segment)
        self._open.parts.append(_SEGMENT.pack(_SEGMENT_MAGIC, 0, self._sequence))
        self._position = _SEGMENT.size
        self.used[segment] = 0
        self.contents[segment] = []

    # -- the flush thread ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to flush."""
        self._thread.start()

    def poke(self) -> None:
        """Make the thread look at changed settings."""
        with self._condition:
            self._condition.notify()

    def write_header(self, header: Header) -> None:
        """Have the header written by the thread, before the records that wait."""
        with self._condition:
            self._header_image = header.encode()
            self._condition.notify()

    def close(self) -> None:
        """Write all that waits and end the thread; blocks while the filesystem is frozen."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while self.failed is None:
            with self._condition:
                while not (work := self._take()):
                    if self._stopping:
                        return
                    self._condition.wait(self._wait_s())
            try:
                for item in work:
                    self._write(item)
            except OSError as error:
                self.failed = error

    def _wait_s(self) -> float | None:
        """Return how long until the open segment is to be flushed; ``None`` while there is nothing to do."""
        if self._open is None or self._open.size == 0 or self.flush_max_ms == 0:
            return None
        return max(0.0, self._last_look + self.flush_max_ms / 1000 - time.monotonic())

    def _take(self) -> list[_Chunk | bytes]:
        work: list[_Chunk | bytes] = []
        if self._header_image is not None:
            work.append(self._header_image)
            self._header_image = None
        while self._queue and not work:
            work.append(self._queue.popleft())
        if work:
            return work
        chunk = self._open
        if chunk is not None and chunk.size and (self._stopping or self._wait_s() == 0.0):
            self._open = _Chunk(chunk.segment)
            work.append(chunk)
        return work

    def _write(self, item: _Chunk | bytes) -> None:
        if isinstance(item, bytes):
            self.volume.write(0, item)
            return
        segment, start, lead = self._tail
        if segment != item.segment:
            start, lead = 0, b""
        data = b"".join([lead, *item.parts])
        self.volume.write(HEADER_SIZE_BYTES + item.segment * SEGMENT_BYTES + start, data)
        whole = len(data) // ALIGNMENT * ALIGNMENT
        self._tail = (item.segment, start + whole, data[whole:])
        with self._condition:
            self._flushed += item.size
            if self._open is not None and self._open.segment == item.segment:
                self.partial_writes += 1
            else:
                self.writes += 1

    # -- cold start ------------------------------------------------------------------------------------------------

    def read_header(self, namespace: str) -> Header | None:
        """Read the header that a cold start goes by."""
        parts = [self.volume.read(at, SEGMENT_BYTES) for at in range(0, HEADER_SIZE_BYTES, SEGMENT_BYTES)]
        image = parts[0] if any(parts[0][:8]) else b"".join(parts)
        return decode(image, path=self.volume.authority, namespace=namespace)

    def scan(self) -> Iterator[tuple[int, bytes]]:
        """Yield every intact record with its segment, oldest or newest in no order."""
        unused = 0
        for segment in range(self.total):
            offset = HEADER_SIZE_BYTES + segment * SEGMENT_BYTES
            magic, _, sequence = _SEGMENT.unpack_from(self.volume.read(offset, ALIGNMENT))
            if magic != _SEGMENT_MAGIC:
                unused += 1
                if unused >= _UNUSED_IN_A_ROW:
                    return
                continue
            unused = 0
            self._sequence = max(self._sequence, sequence)
            for blob in _frames(self.volume.read(offset, SEGMENT_BYTES), sequence & 0xFFFFFFFF):
                yield segment, blob

    def adopt(self, segment: int, digest: bytes, blob: bytes) -> None:
        """Count a scanned record as alive."""
        self.used[segment] += _FRAME.size + len(blob)
        self.contents.setdefault(segment, []).append(digest)

    def finish_scan(self) -> None:
        """Make everything free that holds no live record."""
        self.contents = {s: digests for s, digests in self.contents.items() if self.used[s] > 0}
        self._free = deque(s for s in range(self.total) if s not in self.contents)


def _frames(image: bytes, sequence: int) -> Iterator[bytes]:
    at, end, crc32 = _SEGMENT.size, len(image) - _FRAME.size, zlib.crc32
    while at <= end:
        stamp, length, checksum = _FRAME.unpack_from(image, at)
        at += _FRAME.size
        blob = image[at : at + length]
        if stamp != sequence or length == 0 or crc32(blob) != checksum:
            return
        yield blob
        at += length
