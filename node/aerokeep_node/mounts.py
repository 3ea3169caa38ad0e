"""Mounted filesystems of this host, and which of them may be frozen."""

import os
import re
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from aerokeep_node.tree import Tree

FREEZABLE_TYPES = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "xfs"})
PASSABLE_NAME = re.compile(r"^/[A-Za-z0-9._/@+-]*$")
"""Mount points that the SSM parameter's pattern lets through."""
NEVER_FROZEN = (
    "/",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/proc",
    "/root",
    "/run",
    "/sys",
    "/tmp",  # noqa: S108 - named in order never to be frozen
    "/usr",
    "/usr/local",
    "/var",
    "/var/lib",
    "/var/lib/amazon",
    "/var/log",
    "/var/snap",
    "/var/tmp",  # noqa: S108 - the same
    "/snap",
    "/snap/amazon-ssm-agent",
    "/snap/amazon-ssm-agent/current",
    "/etc/amazon",
    "/var/log/amazon",
)
"""Directories that the system, the SSM agent, or the undoing itself may write to while a freeze is held."""
KEPT_OPTIONS = re.compile(
    r"^(?:(?:data|errors|commit|logbufs|logbsize|allocsize|compress|barrier|journal_async_commit)=[A-Za-z0-9_:-]+"
    r"|discard|nodiscard|nobarrier|inode32|inode64|nouuid|largeio|swalloc)$"
)
"""Options of a filesystem itself that mount(8) takes again; the kernel shows others that it would not."""
_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo."""

    device: Tuple[int, int]
    mount_point: str
    type: str
    source: str
    options: str = "rw"
    """As mount(8) takes them, to mount it again as it is."""


def parse_mountinfo(text: str) -> List[Mount]:
    """Parse ``/proc/self/mountinfo``; spaces and the like stand as octal escapes in it."""
    found = []
    for line in text.split("\n"):  # names may hold what splitlines() takes for an end
        left, dash, right = line.partition(" - ")
        fields, tail = left.split(" "), right.split(" ")
        if not dash or len(fields) < 6 or len(tail) < 2:  # noqa: PLR2004 - the fields used below
            continue
        major, _, minor = fields[2].partition(":")
        if not (major.isdecimal() and minor.isdecimal()):
            continue
        options = _options(fields[5], tail[2] if len(tail) > 2 else "")  # noqa: PLR2004 - the third one, if there
        found.append(Mount((int(major), int(minor)), unescape(fields[4]), tail[0], unescape(tail[1]), options))
    return found


def _options(of_mount: str, of_filesystem: str) -> str:
    chosen = [option for option in of_mount.split(",") if option]
    return ",".join(chosen + [option for option in of_filesystem.split(",") if KEPT_OPTIONS.match(option)])


def unescape(field: str) -> str:
    """Read a field of mountinfo, swaps or fstab, in which spaces and the like stand as octal escapes."""
    # Escapes stand for bytes, so they are put back before the bytes become text.
    raw = _ESCAPE.sub(lambda match: bytes((int(match.group(1), 8) & 0xFF,)), field.encode("utf-8", "replace"))
    return raw.decode("utf-8", "replace")


def read_mounts(tree: Tree) -> List[Mount]:
    """Read the mounts as this process sees them."""
    return parse_mountinfo(tree.read("proc/self/mountinfo") or "")


def mount_of(path: str, mounts: Sequence[Mount]) -> Optional[Mount]:
    """Find the mount that holds a path (already free of links): the longest prefix, and of equal ones the last."""
    best = None
    for mount in mounts:
        inside = path == mount.mount_point or path.startswith(mount.mount_point.rstrip("/") + "/")
        if inside and (best is None or len(mount.mount_point) >= len(best.mount_point)):
            best = mount
    return best


def swap_files(tree: Tree) -> List[str]:
    """List the files in use as swap."""
    lines = (tree.read("proc/swaps") or "").split("\n")[1:]
    rows = [line.split() for line in lines]
    return [unescape(row[0]) for row in rows if len(row) > 1 and row[1] == "file"]


def why_not_freezable(mount: Mount, mounts: Sequence[Mount], kept: Mapping[str, str]) -> Optional[str]:
    """Say why this filesystem must never be frozen, or None if it may be.

    A freeze stops the whole filesystem, so every mount of the same device counts, bind mounts too.

    Args:
        mount: the candidate.
        mounts: all mounts.
        kept: paths that must stay writable during a freeze, each with whose it is.

    """
    if mount.type not in FREEZABLE_TYPES:
        return f"a {mount.type} filesystem can't be frozen"
    if not PASSABLE_NAME.match(mount.mount_point):
        return "the mount point's name has characters that can't be passed on"
    for path, owner in kept.items():
        holder = mount_of(path, mounts)
        if holder is not None and holder.device == mount.device:
            return f"it also holds {path} ({owner})"
    return None


def kept_writable(tree: Tree) -> Dict[str, str]:
    """List what must stay writable during a freeze on this host."""
    kept = dict.fromkeys(NEVER_FROZEN, "the system's")
    if tree.root == "/":
        # /tmp and the like may be links to somewhere else.
        kept.update({os.path.realpath(path): "the system's" for path in NEVER_FROZEN})
    kept.update({os.path.realpath(path): "swap" for path in swap_files(tree)})
    for path in (tree.path("run"), tree.path("run/aerokeep")):
        kept[os.path.realpath(path)] = "Aerokeep's own"
    return kept
