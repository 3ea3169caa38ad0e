"""Unmount filesystems so that they can be mounted again as they were, and mount those of other volumes instead."""

import os
import subprocess
from typing import Any, Dict, List, Optional, Sequence

from aerokeep_node.mounts import NEVER_FROZEN
from aerokeep_node.refusal import BadParameterError, NotNowError, RefusalError
from aerokeep_node.storage import Storage
from aerokeep_node.tree import Tree
from aerokeep_node.volumes import backing_of, backing_of_device, partitions_of, volume_node

UMOUNT, MOUNT = "umount", "mount"
UMOUNT_WAIT_S = 8.0
MOUNT_WAIT_S = 12.0
"""A fresh volume is read from S3 as it is touched, so that replaying a journal can take long."""


def judge_points(points: Sequence[str]) -> None:
    """Refuse to unmount what belongs to the system."""
    for point in points:
        if (point.rstrip("/") or "/") in NEVER_FROZEN:
            raise BadParameterError("not_unmountable", f"{point} belongs to the system")


def remember(points: Sequence[str], known: Dict[str, Any], storage: Storage) -> Dict[str, Any]:
    """Add to ``known`` what is mounted at these points now; what was known before stays, since it was first."""
    found = dict(known)
    for point in points:
        mount = storage.mount_at(point)
        if mount is not None and point not in found:
            volume_id = _volume_at(point, storage)
            found[point] = {
                "source": mount.source,
                "volume_id": volume_id,
                "fs_type": mount.type,
                "options": mount.options,
            }
    return found


def unmount(points: Sequence[str], tree: Tree) -> Optional[str]:
    """Unmount, the deepest first; give what stands in the way, None once nothing is mounted there."""
    for point in sorted(points, key=len, reverse=True):
        if Storage(tree).mount_at(point) is None:
            continue
        try:
            complaint = _run([UMOUNT, point], UMOUNT_WAIT_S)
        except NotNowError as slow:
            return slow.detail
        if complaint is not None or Storage(tree).mount_at(point) is not None:
            return f"{point}: {complaint or 'is still mounted'}"
    return None


def mount_volume(point: str, *, volume_id: str, fs_type: str, options: str, tree: Tree) -> bool:
    """Mount a volume's filesystem, or its only partition's; False if it is mounted there already.

    Raises:
        RefusalError: ``mount_failed``: also if something else is mounted there.
        NotNowError: ``device_missing`` or ``mounting``.

    """
    node = volume_node(volume_id, tree)
    if node is None:
        raise NotNowError("device_missing", f"{volume_id} is not attached, or has no link in {tree.path('dev')} yet")
    storage = Storage(tree)
    if storage.mount_at(point) is not None:
        there = _volume_at(point, storage)
        if there != volume_id:
            raise RefusalError("mount_failed", f"{point} holds {there or 'another filesystem'} instead of {volume_id}")
        return False
    complaint = _mount(node, point, fs_type, options)
    partitions = partitions_of(volume_id, tree)
    if complaint is not None and len(partitions) == 1:
        complaint = _mount(partitions[0], point, fs_type, options)
    if complaint is not None:
        raise RefusalError("mount_failed", f"{volume_id} at {point}: {complaint}")
    if _volume_at(point, Storage(tree)) != volume_id:
        raise RefusalError("mount_failed", f"{point} does not show {volume_id}")
    return True


def mount_source(point: str, *, source: str, fs_type: str, options: str, tree: Tree) -> bool:
    """Mount by a device's name, where no volume is known; False if something is mounted there already."""
    if Storage(tree).mount_at(point) is not None:
        return False
    complaint = _mount(source, point, fs_type, options)
    if complaint is not None:
        raise RefusalError("mount_failed", f"{source} at {point}: {complaint}")
    return True


def _volume_at(point: str, storage: Storage) -> Optional[str]:
    mount = storage.mount_at(point)
    if mount is None:
        return None
    by_number = backing_of_device(*mount.device, storage.tree).volume_id
    if by_number is not None:
        return by_number
    try:
        return backing_of(mount.source, storage.tree).volume_id
    except OSError:
        return None


def _mount(source: str, point: str, fs_type: str, options: str) -> Optional[str]:
    os.makedirs(point, mode=0o755, exist_ok=True)
    return _run([MOUNT, "-t", fs_type, "-o", options, source, point], MOUNT_WAIT_S)


def _run(command: List[str], wait_s: float) -> Optional[str]:
    """Run a program that the kernel may hold; give its complaint, None if it succeeded.

    Raises:
        NotNowError: ``mounting``: it goes on by itself, and a later call finds what it did.

    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=wait_s)
    except subprocess.TimeoutExpired as error:
        raise NotNowError("mounting", "{} takes longer than {:.0f} s".format(" ".join(command), wait_s)) from error
    return None if process.returncode == 0 else said.decode("utf-8", "replace").strip() or f"exit {process.returncode}"
