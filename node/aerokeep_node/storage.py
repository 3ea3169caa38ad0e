"""From the paths that asd names down to mount points, devices and EBS volumes, with what stands in the way."""

import os
from typing import Any, Dict, List, Optional

from aerokeep_node.headers import describe_header, size_of
from aerokeep_node.mounts import Mount, kept_writable, mount_of, read_mounts, why_not_freezable
from aerokeep_node.namespaces import NamespaceConfig, StoragePath
from aerokeep_node.tree import Tree
from aerokeep_node.volumes import Backing, Problem, backing_of, backing_of_device, device_node

_NO_MOUNT = {"mount_point": None, "fs_type": None, "mount_options": None, "freezable": False}


class Storage:
    """The mounts of this host, read once, and what follows from them for each storage path."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.mounts = read_mounts(tree)
        self._kept = kept_writable(tree)

    def mount_of(self, path: str) -> Optional[Mount]:
        """Find the mount that holds a path, links resolved."""
        return mount_of(os.path.realpath(path), self.mounts)

    def why_not_freezable(self, mount: Mount) -> Optional[str]:
        """Say why a filesystem must never be frozen, or None."""
        return why_not_freezable(mount, self.mounts, self._kept)

    def mount_at(self, mount_point: str) -> Optional[Mount]:
        """Find what is mounted at exactly this point."""
        return next((m for m in reversed(self.mounts) if m.mount_point == mount_point), None)

    def describe(self, config: NamespaceConfig) -> List[Dict[str, Any]]:
        """Shape the ``paths`` of a namespace; only the persistence set has to lie on EBS."""
        needed = config.persistence_set
        return [self._describe_path(path, needed=path in needed) for path in config.paths]

    def _describe_path(self, path: StoragePath, *, needed: bool) -> Dict[str, Any]:
        described: Dict[str, Any] = {"path": path.path, "role": path.role, "index": path.index}
        described.update(self._file(path) if path.kind == "file" else _raw(path, self.tree))
        backing = described.pop("backing")
        problem = backing.problem
        if backing.instance_store and problem is None:
            problem = Problem("instance_store", f"{path.path} is instance store: it needs an EBS shadow device")
        described["header"], described["header_problem"] = describe_header(path.path)
        described["size_bytes"] = size_of(path.path)
        described["volume_id"] = backing.volume_id
        described["instance_store"] = backing.instance_store
        described["problem"] = problem.as_json() if problem is not None and needed else None
        return described

    def _file(self, path: StoragePath) -> Dict[str, Any]:
        mount = self.mount_of(path.path)
        if mount is None:
            gone = Backing(problem=Problem("no_mount", f"no mounted filesystem holds {path.path}"))
            return {**_NO_MOUNT, "freeze_reason": "no mount found", "device": None, "backing": gone}
        reason_why_not = self.why_not_freezable(mount)
        node = device_node(mount.source, mount.device, self.tree)
        return {
            "mount_point": mount.mount_point,
            "fs_type": mount.type,
            "mount_options": mount.options,
            "freezable": reason_why_not is None,
            "freeze_reason": reason_why_not,
            "device": node or mount.source,
            "backing": backing_of(node, self.tree) if node else backing_of_device(*mount.device, self.tree),
        }


def _raw(path: StoragePath, tree: Tree) -> Dict[str, Any]:
    device = os.path.realpath(path.path)
    try:
        backing = backing_of(device, tree)
    except OSError as error:
        backing = Backing(problem=Problem("no_such_device", f"{path.path}: {error.strerror}"))
    reason = "a raw device: guarded, not frozen"
    return {**_NO_MOUNT, "freeze_reason": reason, "device": device, "backing": backing}
