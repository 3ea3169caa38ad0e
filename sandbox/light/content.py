"""What a light volume holds, as values that never change: a snapshot is the same value under another name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aerokeep_node.formats.device_header import PARTITIONS, DeviceHeader

from sandbox.dataplane.plane import DataPlaneError

VERSION = 4
WRITE_BLOCK_BYTES = 1 << 20


def new_header(namespace: str, *, n_devices: int, device_id: int, random: int) -> DeviceHeader:
    """The header that a server writes onto one device of a set; `random` is the set's, new at every start."""
    return DeviceHeader(
        version=VERSION,
        namespace=namespace,
        n_devices=n_devices,
        random=random,
        flags=0,
        write_block_size_bytes=WRITE_BLOCK_BYTES,
        device_id=device_id,
        pristine_offset_bytes=0,
        partitions_held=PARTITIONS,
    )


@dataclass(frozen=True)
class Data:
    """The records of a namespace: from which timeline they are, and how many the whole cluster has of them."""

    timeline: str = ""
    """Opaque; empty where there are no records."""
    records: int = 0
    tombstones: int = 0
    part: str = ""
    """The node-id whose part of them this is."""


@dataclass(frozen=True)
class Extent:
    """What one device or file holds of a node's part of a namespace."""

    header: DeviceHeader
    data: Data


@dataclass(frozen=True)
class Content:
    """A volume: a raw device of a namespace, or a filesystem with files of namespaces or of the host."""

    raw: Extent | None = None
    fs_type: str | None = None
    extents: Mapping[str, Extent] = field(default_factory=dict)
    """Path below the mount point → a namespace's file."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Path below the mount point → any other file."""

    @property
    def parts(self) -> frozenset[tuple[str, str, str]]:
        """(namespace, timeline, node-id) of all records on it."""
        held = [*self.extents.values(), *([self.raw] if self.raw else [])]
        return frozenset((e.header.namespace, e.data.timeline, e.data.part) for e in held if e.data.timeline)


BLANK = Content()


@dataclass(eq=False)
class Volume:
    """A volume, and where it is at present."""

    volume_id: str
    size_bytes: int
    content: Content = BLANK
    instance_id: str | None = None
    device: str = ""
    """The EC2 device name."""
    root: bool = False


@dataclass(frozen=True)
class Deleted:
    """A volume or snapshot that is no more, so that a test can ask whether it held the only copy of anything."""

    resource_id: str
    content: Content


class Store:
    """All volumes and snapshots."""

    def __init__(self) -> None:
        self.volumes: dict[str, Volume] = {}
        self.snapshots: dict[str, Content] = {}
        self._sizes: dict[str, int] = {}
        self.deleted: list[Deleted] = []

    def volume(self, volume_id: str) -> Volume:
        """Look a volume up."""
        if volume_id not in self.volumes:
            raise DataPlaneError(f"no_volume: {volume_id}")
        return self.volumes[volume_id]

    def create(self, volume_id: str, *, size_bytes: int, snapshot_id: str | None) -> None:
        """Make a volume, blank or with what a snapshot holds."""
        if volume_id in self.volumes:
            raise DataPlaneError(f"volume_exists: {volume_id}")
        if snapshot_id and snapshot_id not in self.snapshots:
            raise DataPlaneError(f"no_snapshot: {snapshot_id}")
        if snapshot_id and size_bytes < self._sizes[snapshot_id]:
            raise DataPlaneError(f"too_small: {volume_id}: {size_bytes} bytes hold no copy of {snapshot_id}")
        content = self.snapshots[snapshot_id] if snapshot_id else BLANK
        self.volumes[volume_id] = Volume(volume_id, size_bytes, content)

    def delete(self, volume_id: str) -> None:
        """Delete a detached volume."""
        volume = self.volume(volume_id)
        if volume.instance_id is not None:
            raise DataPlaneError(f"volume_in_use: {volume_id} is attached to {volume.instance_id}")
        self.deleted.append(Deleted(volume_id, volume.content))
        del self.volumes[volume_id]

    def cut(self, members: Mapping[str, str]) -> None:
        """Snapshot volumes ``{volume_id: snapshot_id}``."""
        if known := set(members.values()) & set(self.snapshots):
            raise DataPlaneError(f"snapshot_exists: {sorted(known)}")
        for volume_id, snapshot_id in members.items():
            volume = self.volume(volume_id)
            self.snapshots[snapshot_id], self._sizes[snapshot_id] = volume.content, volume.size_bytes

    def copy_snapshot(self, source: str, snapshot_id: str) -> None:
        """Keep what a snapshot holds under a second name."""
        if source not in self.snapshots:
            raise DataPlaneError(f"no_snapshot: {source}")
        if snapshot_id in self.snapshots:
            raise DataPlaneError(f"snapshot_exists: {snapshot_id}")
        self.snapshots[snapshot_id], self._sizes[snapshot_id] = self.snapshots[source], self._sizes[source]

    def text_of(self, snapshot_id: str) -> bytes:
        """What a snapshot holds, as text: the same content is the same text, nothing is no text."""
        if snapshot_id not in self.snapshots:
            raise DataPlaneError(f"no_snapshot: {snapshot_id}")
        content = self.snapshots[snapshot_id]
        return b"" if content == BLANK else repr(content).encode()

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot."""
        if snapshot_id not in self.snapshots:
            raise DataPlaneError(f"no_snapshot: {snapshot_id}")
        self.deleted.append(Deleted(snapshot_id, self.snapshots.pop(snapshot_id)))

    def holders(self, part: tuple[str, str, str]) -> list[str]:
        """Volumes and snapshots that hold a node's part of a timeline."""
        held = [i for i, volume in self.volumes.items() if part in volume.content.parts]
        return held + [i for i, content in self.snapshots.items() if part in content.parts]
