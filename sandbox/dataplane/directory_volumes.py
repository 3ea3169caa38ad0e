"""Volumes and snapshots of the directory mode: ``image`` is what a raw device holds, ``tree`` what a root holds."""

import shutil
from pathlib import Path

from sandbox.dataplane.copying import copy_file, copy_tree
from sandbox.dataplane.plane import DataPlaneError, check_size


class VolumeFolders:
    """A folder per volume and per snapshot."""

    def __init__(self, workdir: Path) -> None:
        """Keep everything below ``workdir``; `start` makes the folders."""
        self._volumes, self._snapshots = workdir / "volumes", workdir / "snapshots"
        self.homes: dict[str, str | None] = {}
        """Volume → the instance that has it."""
        self.snapshots: set[str] = set()

    def start(self) -> None:
        """Make the folders."""
        self._volumes.mkdir()
        self._snapshots.mkdir()

    def volume(self, volume_id: str) -> Path:
        """Give a volume's folder."""
        if volume_id not in self.homes:
            raise DataPlaneError(f"no_volume: {volume_id}")
        return self._volumes / volume_id

    def detached(self, volume_id: str) -> Path:
        """Give the folder of a volume that no instance has."""
        folder = self.volume(volume_id)
        if home := self.homes[volume_id]:
            raise DataPlaneError(f"volume_in_use: {volume_id} is attached to {home}")
        return folder

    def create(self, volume_id: str, *, size_bytes: int, snapshot_id: str | None) -> None:
        """Make a volume, empty or as a snapshot."""
        if volume_id in self.homes:
            raise DataPlaneError(f"volume_exists: {volume_id}")
        check_size(size_bytes)
        folder = self._volumes / volume_id
        source = self.snapshot(snapshot_id) if snapshot_id else None
        if source is not None and size_bytes < (source / "image").stat().st_size:
            raise DataPlaneError(f"too_small: {volume_id}: {size_bytes} bytes hold no copy of {snapshot_id}")
        if source is not None:
            copy_tree(source, folder)
        else:
            folder.mkdir()
        with (folder / "image").open("ab") as image:
            image.truncate(size_bytes)
        self.homes[volume_id] = None

    def delete(self, volume_id: str) -> None:
        """Delete a detached volume."""
        shutil.rmtree(self.detached(volume_id))
        del self.homes[volume_id]

    def copy(self, volume_id: str, snapshot_id: str, *, tree: Path | None) -> None:
        """Make a snapshot; ``tree`` is where the content of a root volume in use is."""
        folder = self._snapshots / snapshot_id
        folder.mkdir()
        copy_file(self.volume(volume_id) / "image", folder / "image")
        content = tree or self.volume(volume_id) / "tree"
        if content.exists():
            copy_tree(content, folder / "tree")
        self.snapshots.add(snapshot_id)

    def check_new(self, *snapshot_ids: str) -> None:
        """Refuse a snapshot that exists."""
        if known := self.snapshots & set(snapshot_ids):
            raise DataPlaneError(f"snapshot_exists: {sorted(known)}")

    def snapshot(self, snapshot_id: str) -> Path:
        """Give a snapshot's folder."""
        if snapshot_id not in self.snapshots:
            raise DataPlaneError(f"no_snapshot: {snapshot_id}")
        return self._snapshots / snapshot_id

    def copy_snapshot(self, source: str, snapshot_id: str) -> None:
        """Make a second snapshot with the content of the first."""
        self.check_new(snapshot_id)
        copy_tree(self.snapshot(source), self._snapshots / snapshot_id)
        self.snapshots.add(snapshot_id)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot."""
        shutil.rmtree(self.snapshot(snapshot_id))
        self.snapshots.discard(snapshot_id)
