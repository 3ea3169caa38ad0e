"""All devices of a namespace on this node as one: opened, checked, loaded, stamped and closed together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.standin.header import HEADER_SIZE_BYTES, TRUSTED, Header, match, new_random
from sandbox.standin.segment_log import BUFFER_BYTES, SegmentLog
from sandbox.standin.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sandbox.standin.conf import NamespaceConf


class Storage:
    """The device set of one namespace; empty for a namespace in memory only."""

    def __init__(self, conf: NamespaceConf, *, flush_max_ms: int, log: Callable[[str], None]) -> None:
        """Open the set and read the headers.

        Raises:
            HeaderError: the devices don't belong together, or hold something else.
            VolumeError: a path can't be used.

        """
        self._name = conf.name
        self._log = log
        if conf.flag("storage-engine.cold-start-empty"):
            _erase(conf)
            log(f"{{{conf.name}}} cold-start-empty - devices erased")
        direct = conf.flag("storage-engine.direct-files")
        self.logs: list[SegmentLog] = [
            SegmentLog(
                Volume(v, direct_files=direct, file_size_bytes=conf.file_size_bytes, buffer_bytes=BUFFER_BYTES),
                flush_max_ms=flush_max_ms,
            )
            for v in conf.volumes
        ]
        headers = [(device.volume.authority, device.read_header(conf.name)) for device in self.logs]
        first = match(headers, namespace=conf.name)
        self.fresh = first is None
        for path, header in headers if first else ():
            if header is None:
                log(f"{{{conf.name}}} device {path} is empty")
            elif not header.trusted:
                log(f"{{{conf.name}}} device {path} prior shutdown not clean")
        self._header = first or Header(conf.name, len(self.logs), 0)
        self._header.device_count = len(self.logs)
        self._header.random = new_random()
        self._header.flags = 0

    def load(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (device, segment, blob) of everything on the devices."""
        for index, device in enumerate(self.logs):
            if not self.fresh:
                for segment, blob in device.scan():
                    yield index, segment, blob

    def start(self) -> None:
        """Stamp every device with the new signature and begin to flush."""
        for device in self.logs:
            device.finish_scan()
            device.start()
        self._stamp()

    def set_versions(self, versions: Sequence[int]) -> None:
        """Write which partitions this node holds."""
        self._header.versions = list(versions)
        self._stamp()

    def set_flush_max_ms(self, flush_max_ms: int) -> None:
        """Change how long a record may wait."""
        for device in self.logs:
            device.flush_max_ms = flush_max_ms
            device.poke()

    def close(self) -> None:
        """Flush, mark the set as cleanly shut down, and close it; blocks while a filesystem is frozen."""
        for device in self.logs:
            device.close()
        self._header.flags = TRUSTED
        for index, device in enumerate(self.logs):
            self._header.device_id = index
            if device.failed is None:
                device.volume.write(0, self._header.encode())
            device.volume.close()

    @property
    def unflushed_bytes(self) -> int:
        """Acknowledged bytes that are in memory only."""
        return sum(device.unflushed_bytes for device in self.logs)

    @property
    def available_pct(self) -> int:
        """Return the free part of the fullest device."""
        return min((device.free * 100 // device.total for device in self.logs), default=100)

    def _stamp(self) -> None:
        for index, device in enumerate(self.logs):
            self._header.device_id = index
            device.write_header(self._header)


def _erase(conf: NamespaceConf) -> None:
    for volume_conf in conf.volumes:
        if volume_conf.is_file:
            for path in filter(None, (volume_conf.path, volume_conf.shadow)):
                Path(path).unlink(missing_ok=True)
        else:
            volume = Volume(volume_conf, direct_files=False, file_size_bytes=0, buffer_bytes=BUFFER_BYTES)
            volume.erase_header(HEADER_SIZE_BYTES)
            volume.close()
