"""Volumes and snapshots as reflinks in one XFS pool.

All volumes of a node live in one backing file, so that one clone of it is one instant for all of them; sequential
clones of a file per volume are not (4 to 39 ordering violations per cut were measured).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.dataplane.kernel import clone_file, clone_range
from sandbox.dataplane.plane import DataPlaneError, check_size

ALIGN_BYTES = 4 << 20


@dataclass
class Volume:
    """A volume, and where its bytes are at present."""

    volume_id: str
    size_bytes: int
    file: Path
    offset: int = 0
    instance_id: str | None = None


@dataclass
class Backing:
    """The one file that holds all volumes of a node."""

    file: Path
    end: int = 0
    volumes: dict[str, Volume] = field(default_factory=dict)

    def reserve(self, size_bytes: int) -> int:
        """Take room at the end (never used twice: the file is sparse); → its offset."""
        offset, self.end = self.end, self.end + -(-size_bytes // ALIGN_BYTES) * ALIGN_BYTES
        with self.file.open("r+b") as file:
            file.truncate(self.end)
        return offset


@dataclass(frozen=True)
class Snapshot:
    """A range of a clone."""

    file: Path
    offset: int
    size_bytes: int


class VolumeStore:
    """Volumes, snapshots and the files that hold them, in one folder on a filesystem with reflinks."""

    def __init__(self, folder: Path, prefix: str) -> None:
        """Keep everything in ``folder``; file names begin with ``prefix``, by which leftovers are found."""
        self._folder = folder
        self._prefix = prefix
        self._serial = 0
        self._volumes: dict[str, Volume] = {}
        self._snapshots: dict[str, Snapshot] = {}

    def _file(self, name: str) -> Path:
        self._serial += 1
        return self._folder / f"{self._prefix}-{name}.{self._serial}.img"

    def volume(self, volume_id: str) -> Volume:
        """Look a volume up."""
        try:
            return self._volumes[volume_id]
        except KeyError:
            raise DataPlaneError(f"no_volume: {volume_id}") from None

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """Look a snapshot up."""
        try:
            return self._snapshots[snapshot_id]
        except KeyError:
            raise DataPlaneError(f"no_snapshot: {snapshot_id}") from None

    def backing(self, instance_id: str) -> Backing:
        """Make the empty backing file of a node."""
        file = self._file(instance_id)
        file.touch(exist_ok=False)
        return Backing(file)

    def create(self, volume_id: str, *, size_bytes: int, snapshot_id: str | None) -> None:
        """Make a volume in a file of its own."""
        if volume_id in self._volumes:
            raise DataPlaneError(f"volume_exists: {volume_id}")
        source = self.snapshot(snapshot_id) if snapshot_id else None
        check_size(size_bytes)
        if source is not None and size_bytes < source.size_bytes:
            raise DataPlaneError(f"too_small: {volume_id}: {size_bytes} < {source.size_bytes} bytes of {snapshot_id}")
        file = self._file(volume_id)
        with file.open("xb") as empty:
            empty.truncate(size_bytes)
        if source is not None:
            clone_range(source.file, file, source_offset=source.offset, target_offset=0, length=source.size_bytes)
        self._volumes[volume_id] = Volume(volume_id, size_bytes, file)

    def delete(self, volume_id: str) -> None:
        """Delete a detached volume."""
        volume = self.volume(volume_id)
        if volume.instance_id is not None:
            raise DataPlaneError(f"volume_in_use: {volume_id} is attached to {volume.instance_id}")
        volume.file.unlink()
        del self._volumes[volume_id]

    def move_in(self, volume_id: str, backing: Backing, instance_id: str) -> Volume:
        """Bring a detached volume into a node's backing file."""
        volume = self.volume(volume_id)
        if volume.instance_id is not None:
            raise DataPlaneError(f"volume_in_use: {volume_id} is attached to {volume.instance_id}")
        offset = backing.reserve(volume.size_bytes)
        clone_range(volume.file, backing.file, source_offset=0, target_offset=offset, length=volume.size_bytes)
        volume.file.unlink()
        volume.file, volume.offset, volume.instance_id = backing.file, offset, instance_id
        backing.volumes[volume_id] = volume
        return volume

    def move_out(self, volume: Volume, backing: Backing, *, source: Path | None = None) -> None:
        """Take a volume out into a file of its own, as it is now or as it is in ``source``, a clone of the backing."""
        file = self._file(volume.volume_id)
        file.touch(exist_ok=False)
        clone_range(
            source or backing.file, file, source_offset=volume.offset, target_offset=0, length=volume.size_bytes
        )
        volume.file, volume.offset, volume.instance_id = file, 0, None
        del backing.volumes[volume.volume_id]

    def clone(self, backing: Backing) -> Path:
        """Clone a node's backing file: one instant for all of its volumes."""
        copy = self._file("clone")
        clone_file(backing.file, copy)
        return copy

    def cut(self, backing: Backing, members: Mapping[str, str]) -> None:
        """Snapshot volumes of a node, all at one instant."""
        if foreign := set(members) - set(backing.volumes):
            raise DataPlaneError(f"not_attached: {sorted(foreign)} are no volumes of this node")
        self._check_new(*members.values())
        copy = self.clone(backing)
        for volume_id, snapshot_id in members.items():
            volume = backing.volumes[volume_id]
            self._snapshots[snapshot_id] = Snapshot(copy, volume.offset, volume.size_bytes)

    def cut_volume(self, volume_id: str, snapshot_id: str) -> None:
        """Snapshot one volume, wherever it is."""
        self._check_new(snapshot_id)
        volume = self.volume(volume_id)
        copy = self._file(snapshot_id)
        copy.touch(exist_ok=False)
        clone_range(volume.file, copy, source_offset=volume.offset, target_offset=0, length=volume.size_bytes)
        self._snapshots[snapshot_id] = Snapshot(copy, 0, volume.size_bytes)

    def copy_snapshot(self, source: str, snapshot_id: str) -> None:
        """Make a second snapshot with the bytes of the first, in a file of its own."""
        self._check_new(snapshot_id)
        first, copy = self.snapshot(source), self._file(snapshot_id)
        copy.touch(exist_ok=False)
        clone_range(first.file, copy, source_offset=first.offset, target_offset=0, length=first.size_bytes)
        self._snapshots[snapshot_id] = Snapshot(copy, 0, first.size_bytes)

    def _check_new(self, *snapshot_ids: str) -> None:
        if known := set(snapshot_ids) & set(self._snapshots):
            raise DataPlaneError(f"snapshot_exists: {sorted(known)}")

    def read(self, snapshot_id: str, *, offset: int, length: int) -> bytes:
        """Read bytes of a snapshot; never past its end."""
        snapshot = self.snapshot(snapshot_id)
        with snapshot.file.open("rb") as file:
            file.seek(snapshot.offset + offset)
            return file.read(max(0, min(length, snapshot.size_bytes - offset)))

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot, and its clone with the last of the set."""
        snapshot = self.snapshot(snapshot_id)
        del self._snapshots[snapshot_id]
        if all(other.file != snapshot.file for other in self._snapshots.values()):
            snapshot.file.unlink()
