"""Device names as a Nitro instance shows them."""

import hashlib

ROOT_DEVICE = "nvme0n1"


def next_kernel_name(taken: set[str]) -> str:
    """Give the first free NVMe name after the root's."""
    number = 1
    while f"nvme{number}n1" in taken:
        number += 1
    return f"nvme{number}n1"


def volume_links(volume_id: str, device: str) -> list[str]:
    """Give the links (below /dev) of a volume attached as ``device``: by id, and its EC2 name."""
    by_id = f"disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume_id.replace('-', '')}"
    return [by_id, device.removeprefix("/dev/")]


def instance_store_links(instance_id: str, kernel_name: str) -> list[str]:
    """Give the links (below /dev) of an instance store device."""
    serial = hashlib.sha256(f"{instance_id}/{kernel_name}".encode()).hexdigest()[:17].upper()
    return [f"disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_AWS{serial}"]
