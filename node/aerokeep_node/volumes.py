"""Which EBS volume a block device is: by udev's by-id links and the NVMe serial, never by its kernel name."""

import os
import re
import stat
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from aerokeep_node.tree import Tree

BY_ID = "dev/disk/by-id"
EBS_MODEL = "Amazon Elastic Block Store"
INSTANCE_STORE_MODEL = "Amazon EC2 NVMe Instance Storage"
_EBS_LINK = re.compile(r"^nvme-Amazon_Elastic_Block_Store_vol-?([0-9a-f]+)(?:[_-].*)?$")
_INSTANCE_STORE_LINK = re.compile(r"^nvme-Amazon_EC2_NVMe_Instance_Storage_")
_SERIAL = re.compile(r"^vol-?([0-9a-f]+)$")
_XEN_NAME = re.compile(r"^(?:xvd|sd)[a-z]+\d*$")


@dataclass(frozen=True)
class Problem:
    """Why a storage path can't be backed up as it is."""

    code: str
    detail: str

    def as_json(self) -> Dict[str, str]:
        """Shape it as the contract does."""
        return {"code": self.code, "detail": self.detail}


@dataclass(frozen=True)
class Backing:
    """What lies under a storage path: an EBS volume, instance store, or a problem."""

    volume_id: Optional[str] = None
    instance_store: bool = False
    problem: Optional[Problem] = None


def backing_of(node: str, tree: Tree) -> Backing:
    """Resolve a device node (or, in a private tree, the file that stands for one).

    Raises:
        OSError: the node does not exist.

    """
    status = os.stat(node)
    named = _by_links(status, tree)
    if not stat.S_ISBLK(status.st_mode):
        return named or Backing(problem=Problem("no_ebs_volume", f"{node} is no block device"))
    told = backing_of_device(os.major(status.st_rdev), os.minor(status.st_rdev), tree)
    if named is None:
        return told
    if told.volume_id and named.volume_id and told.volume_id != named.volume_id:
        detail = f"{node}: link says {named.volume_id}, serial says {told.volume_id}"
        return Backing(problem=Problem("volume_id_conflict", detail))
    return named


def _by_links(status: os.stat_result, tree: Tree) -> Optional[Backing]:
    for name in tree.listdir(BY_ID):
        ebs = _EBS_LINK.match(name)
        if not ebs and not _INSTANCE_STORE_LINK.match(name):
            continue
        try:
            linked = os.stat(tree.path(BY_ID, name))
        except OSError:
            continue  # a link to a volume that has been detached meanwhile
        if same_node(linked, status):
            return Backing(volume_id="vol-" + ebs.group(1)) if ebs else Backing(instance_store=True)
    return None


def link_of(volume_id: str) -> str:
    """Name the link by which udev shows a volume, whatever the kernel calls it after the next start."""
    return "nvme-Amazon_Elastic_Block_Store_" + volume_id.replace("-", "", 1)


def volume_node(volume_id: str, tree: Tree) -> Optional[str]:
    """Give the link of an attached volume; None where there is none, or where it shows another one."""
    link = tree.path(BY_ID, link_of(volume_id))
    try:
        return link if backing_of(link, tree).volume_id == volume_id else None
    except OSError:
        return None


def partitions_of(volume_id: str, tree: Tree) -> List[str]:
    """Give the links of a volume's partitions."""
    start = link_of(volume_id) + "-part"
    return [tree.path(BY_ID, name) for name in tree.listdir(BY_ID) if name.startswith(start)]


def same_node(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether both are one device, by whatever names."""
    if stat.S_ISBLK(one.st_mode) and stat.S_ISBLK(other.st_mode):
        return one.st_rdev == other.st_rdev
    return os.path.samestat(one, other)


def backing_of_device(major: int, minor: int, tree: Tree) -> Backing:
    """Resolve a block device by sysfs: its partition's disk, its layers, its NVMe serial."""
    directory = os.path.realpath(tree.path("sys/dev/block", f"{major}:{minor}"))
    if not os.path.isdir(directory):
        return Backing(problem=Problem("no_ebs_volume", f"block device {major}:{minor} is not in sysfs"))
    if os.path.exists(os.path.join(directory, "partition")):
        directory = os.path.dirname(directory)
    name = os.path.basename(directory)
    layer = _layer(directory, name)
    if layer is not None:
        return Backing(problem=layer)
    model = _attribute(directory, "device/model")
    serial = _SERIAL.match(_attribute(directory, "device/serial"))
    if model == INSTANCE_STORE_MODEL:
        return Backing(instance_store=True)
    if model == EBS_MODEL and serial:
        return Backing(volume_id="vol-" + serial.group(1))
    detail = f"{name} has model {model!r} and no EBS volume id"
    return Backing(problem=Problem("no_ebs_volume", detail))


def _layer(directory: str, name: str) -> Optional[Problem]:
    """Refuse what hides more than one volume, or a volume's identity, behind one device."""
    if os.path.isdir(os.path.join(directory, "dm")):
        uuid = _attribute(directory, "dm/uuid")
        title = _attribute(directory, "dm/name") or name
        below = ", ".join(_slaves(directory)) or "unknown devices"
        code, kind = (
            ("lvm", "an LVM volume") if uuid.startswith("LVM-") else ("device_mapper", "a device-mapper volume")
        )
        return Problem(code, f"{title} is {kind} on {below}: only whole EBS volumes and their partitions are taken")
    if os.path.isdir(os.path.join(directory, "md")):
        below = ", ".join(_slaves(directory)) or "unknown devices"
        return Problem("md", f"{name} is a software RAID on {below}: give the devices to asd one by one instead")
    if _XEN_NAME.match(name):
        return Problem("xen", f"{name} is a Xen device name, which tells no volume id: use a Nitro instance")
    return None


def _slaves(directory: str) -> List[str]:
    try:
        return sorted(os.listdir(os.path.join(directory, "slaves")))
    except OSError:
        return []


def _attribute(directory: str, name: str) -> str:
    try:
        with open(os.path.join(directory, name), encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def device_node(source: str, device: Tuple[int, int], tree: Tree) -> Optional[str]:
    """Give the node of a mounted filesystem's device; None where it can't be told."""
    if not source.startswith("/"):
        return None
    private = tree.path(source)
    candidate = private if os.path.exists(private) else source
    try:
        status = os.stat(candidate)
    except OSError:
        return None
    # /dev/root and btrfs don't carry the number of mountinfo; the number is what the kernel vouches for.
    differs = stat.S_ISBLK(status.st_mode) and device[0] != 0 and status.st_rdev != os.makedev(*device)
    return None if differs else candidate
