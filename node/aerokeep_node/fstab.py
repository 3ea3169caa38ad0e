"""Let ``/etc/fstab`` lead to the filesystems that ``stage`` mounts, so that they are there after any later boot.

What is added has ``nofail``: a boot that fails for want of a data volume leaves a host without an SSM agent, which
nobody can reach to put it right. systemd does not wait for such a mount, so the server is told to: started before it,
it would make an empty file in its place.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from typing import FrozenSet, Iterable, Iterator, List, Optional, Sequence

from aerokeep_node.kept_file import KeptFile
from aerokeep_node.mounts import Mount, unescape
from aerokeep_node.refusal import NotNowError
from aerokeep_node.run_directory import RunDirectory
from aerokeep_node.stage_order import MountOrder, VolumeOrder
from aerokeep_node.storage import Storage
from aerokeep_node.tree import Tree
from aerokeep_node.volumes import partitions_of, same_node, volume_node

FSTAB = "etc/fstab"
DISK = "/dev/disk"
STABLE_FOLDERS = ("by-id", "by-label", "by-partlabel", "by-partuuid", "by-uuid")
"""What links to the same filesystem after any boot; by-path and the kernel's own names don't."""
TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
BLKID_TIMEOUT_S = 5.0
NOFAIL = "nofail"
BEFORE_THE_SERVER = "x-systemd.before=aerospike.service"
_FIELD = re.compile(r"[^ \t\r]+")
_NOT_A_DEVICE = frozenset({"bind", "rbind"})
_NOT_KEPT = frozenset({"", "rw", "ro", NOFAIL, BEFORE_THE_SERVER})


@dataclass(frozen=True)
class Filesystem:
    """A mounted filesystem and how fstab can name it."""

    mount: MountOrder
    source: str
    """What the first field of an entry shall be."""
    sources: FrozenSet[str]
    """First fields that lead to it, after any boot."""


def fstab_text(text: str, filesystems: Iterable[Filesystem]) -> str:
    """Make the entry of each mount point lead to its filesystem; whatever else there is stays to the byte."""
    lines = text.split("\n")
    for filesystem in filesystems:
        found = [index for index, line in enumerate(lines) if _is_for(line, filesystem.mount.point)]
        for index in found:
            lines[index] = _leading(lines[index], filesystem)
        if not found:
            if lines[-1]:
                lines.append("")
            lines.insert(-1, _entry(filesystem))
    return "\n".join(lines)


def _fields(line: str) -> List["re.Match[str]"]:
    fields = list(_FIELD.finditer(line))
    return [] if fields and fields[0].group().startswith("#") else fields


def _is_for(line: str, point: str) -> bool:
    fields = _fields(line)
    named = unescape(fields[1].group()) if len(fields) > 1 else ""
    if not named.startswith("/"):
        return False
    if os.path.normpath(named) == os.path.normpath(point):
        return True
    # Links are followed for devices alone: looking at the mount point of a lost file server would hang.
    source = fields[0].group()
    local = source.startswith(("/dev/", *(f"{tag}=" for tag in TAGS)))
    return local and os.path.realpath(named) == os.path.realpath(point)


def _leading(line: str, filesystem: Filesystem) -> str:
    source, *others = _fields(line)
    if unescape(source.group()).replace('"', "") in filesystem.sources:
        return line
    kinds, options = ([field.group().split(",") for field in others[1:3]] + [[], []])[:2]
    mountable = "auto" in kinds or filesystem.mount.fs_type in kinds
    if not mountable or _NOT_A_DEVICE.intersection(options):
        return _entry(filesystem)  # options of another type would only keep it from being mounted
    return line[: source.start()] + filesystem.source + line[source.end() :]


def _entry(filesystem: Filesystem) -> str:
    mount = filesystem.mount
    point = re.sub(r"[\s\\]", lambda found: f"\\{ord(found.group()):03o}", mount.point)
    kept = [option for option in mount.options.split(",") if option not in _NOT_KEPT]
    options = ",".join([*(kept or ["defaults"]), NOFAIL, BEFORE_THE_SERVER])
    return f"{filesystem.source} {point} {mount.fs_type} {options} 0 2"


def stage_fstab(volumes: Sequence[VolumeOrder], directory: RunDirectory) -> None:
    """Change fstab for the volumes that are mounted now; before that, keep the former one.

    Raises:
        NotNowError: ``device_missing``: a volume has gone meanwhile.

    """
    found = [_look(one.volume_id, one.mount, directory.tree) for one in volumes if one.mount is not None]
    if found:
        file = _file(directory)
        file.put(fstab_text(file.former() or "", found))


def put_fstab_back(directory: RunDirectory) -> bool:
    """Put the former fstab back; whether another one stood in its place."""
    return _file(directory).put_back()


def _file(directory: RunDirectory) -> KeptFile:
    return KeptFile(directory.tree.path(FSTAB), directory.run)


def _look(volume_id: str, order: MountOrder, tree: Tree) -> Filesystem:
    node = volume_node(volume_id, tree)
    mount = Storage(tree).mount_at(order.point)
    if node is None or mount is None:
        raise NotNowError("device_missing", f"{volume_id} is not at {order.point} any more")
    links = [node, *partitions_of(volume_id, tree)]
    link = next((link for link in links if _holds(link, mount)), node)
    tags = {tag: _tag(tag, link) for tag in TAGS}
    sources = {f"{tag}={value}" for tag, value in tags.items() if value}
    sources.update(_stable_names(link, tree))
    uuid = tags["UUID"]
    if uuid is None:
        return Filesystem(order, f"{DISK}/by-id/{os.path.basename(link)}", frozenset(sources))
    return Filesystem(order, f"UUID={uuid}", frozenset({*sources, f"{DISK}/by-uuid/{uuid}"}))


def _holds(link: str, mount: Mount) -> bool:
    try:
        number = os.stat(link).st_rdev
    except OSError:
        return False
    # btrfs shows a number of its own, but the name of its device.
    return number == os.makedev(*mount.device) or os.path.realpath(link) == mount.source


def _stable_names(link: str, tree: Tree) -> Iterator[str]:
    wanted = os.stat(link)
    for folder in STABLE_FOLDERS:
        for name in tree.listdir(DISK, folder):
            try:
                if same_node(os.stat(tree.path(DISK, folder, name)), wanted):
                    yield f"{DISK}/{folder}/{name}"
            except OSError:
                continue  # a link to a volume that has been detached meanwhile


def _tag(tag: str, link: str) -> Optional[str]:
    # Without its cache, which may still tell of the volume that had this kernel name before.
    command = ["blkid", "-c", "/dev/null", "-o", "value", "-s", tag, link]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=BLKID_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.decode("utf-8", "replace").strip("\n") or None) if done.returncode == 0 else None
