"""From a block device to its EBS volume, on recorded trees; what hides a volume is refused with its reason."""

import os
from pathlib import Path

import pytest
from aerokeep_node.tree import Tree
from aerokeep_node.volumes import EBS_MODEL, INSTANCE_STORE_MODEL, Backing, backing_of, backing_of_device

VOLUME = "0123456789abcdef0"


class Sysfs:
    """Builds ``sys/`` as the kernel lays it out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.numbers = root / "sys/dev/block"
        self.numbers.mkdir(parents=True)

    def disk(self, name: str, number: str, **files: str) -> Path:
        directory = self.root / "sys/devices" / name
        directory.mkdir(parents=True)
        for path, content in files.items():
            file = directory / path.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content + "\n")
        (self.numbers / number).symlink_to(os.path.relpath(directory, self.numbers))
        return directory

    def nvme(self, name: str, number: str, *, serial: str, model: str = EBS_MODEL) -> Path:
        return self.disk(name, number, device__serial=serial, device__model=f"{model}              ")

    def partition(self, disk: Path, name: str, number: str) -> None:
        directory = disk / name
        directory.mkdir()
        (directory / "partition").write_text("1\n")
        (self.numbers / number).symlink_to(os.path.relpath(directory, self.numbers))


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path)


def resolve(sysfs: Sysfs, number: str) -> Backing:
    major, minor = number.split(":")
    return backing_of_device(int(major), int(minor), Tree(str(sysfs.root)))


def problem(sysfs: Sysfs, number: str) -> str:
    found = resolve(sysfs, number).problem
    assert found is not None
    return found.code


def test_an_nvme_serial_is_the_volume_id_without_its_dash(sysfs: Sysfs) -> None:
    sysfs.nvme("nvme1n1", "259:1", serial=f"vol{VOLUME}")
    assert resolve(sysfs, "259:1") == Backing(volume_id=f"vol-{VOLUME}")


def test_a_partition_is_resolved_to_its_disk(sysfs: Sysfs) -> None:
    disk = sysfs.nvme("nvme1n1", "259:1", serial=f"vol{VOLUME}")
    sysfs.partition(disk, "nvme1n1p2", "259:2")
    assert resolve(sysfs, "259:2").volume_id == f"vol-{VOLUME}"


def test_instance_store_is_told_by_its_model(sysfs: Sysfs) -> None:
    sysfs.nvme("nvme2n1", "259:3", serial="AWS1234567890ABCDEF", model=INSTANCE_STORE_MODEL)
    assert resolve(sysfs, "259:3") == Backing(instance_store=True)


def test_a_serial_that_looks_like_a_volume_counts_only_with_the_model(sysfs: Sysfs) -> None:
    sysfs.nvme("nvme2n1", "259:3", serial=f"vol{VOLUME}", model="Some Disk")
    assert problem(sysfs, "259:3") == "no_ebs_volume"


def test_lvm_md_and_xen_names_are_refused_with_the_reason(sysfs: Sysfs) -> None:
    dm = sysfs.disk("dm-0", "253:0", dm__uuid="LVM-abcdef", dm__name="vg-data")
    (dm / "slaves" / "nvme1n1").mkdir(parents=True)
    sysfs.disk("dm-1", "253:1", dm__uuid="CRYPT-LUKS2-x", dm__name="luks")
    sysfs.disk("md0", "9:0", md__level="raid0")
    sysfs.disk("xvdf", "202:80")
    sysfs.disk("sdb", "8:16")
    assert problem(sysfs, "253:0") == "lvm"
    assert "nvme1n1" in str(resolve(sysfs, "253:0").problem)
    assert problem(sysfs, "253:1") == "device_mapper"
    assert problem(sysfs, "9:0") == "md"
    assert problem(sysfs, "202:80") == "xen"
    assert problem(sysfs, "8:16") == "xen"


def test_a_loop_or_a_device_unknown_to_sysfs_is_no_volume(sysfs: Sysfs) -> None:
    sysfs.disk("loop3", "7:3")
    assert problem(sysfs, "7:3") == "no_ebs_volume"
    assert problem(sysfs, "7:4") == "no_ebs_volume"


@pytest.mark.parametrize("link", ["vol{}", "vol{}_1", "vol{}-ns-1", "vol{}-part1", "vol{}-ns-1-part2"])
def test_a_link_to_the_same_file_names_the_volume_in_a_private_tree(tmp_path: Path, link: str) -> None:
    node = tmp_path / "dev/nvme1n1"
    (tmp_path / "dev/disk/by-id").mkdir(parents=True)
    node.write_bytes(b"")
    name = f"nvme-Amazon_Elastic_Block_Store_{link.format(VOLUME)}"
    (tmp_path / "dev/disk/by-id" / name).symlink_to("../../nvme1n1")
    (tmp_path / "dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0gone").symlink_to("../../nvme9n1")
    assert backing_of(str(node), Tree(str(tmp_path))).volume_id == f"vol-{VOLUME}"


def test_an_instance_store_link_tells_it_too(tmp_path: Path) -> None:
    node = tmp_path / "dev/nvme1n1"
    (tmp_path / "dev/disk/by-id").mkdir(parents=True)
    node.write_bytes(b"")
    link = tmp_path / "dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_AWS123"
    link.symlink_to("../../nvme1n1")
    assert backing_of(str(node), Tree(str(tmp_path))).instance_store


def test_a_file_that_no_link_names_is_no_volume(tmp_path: Path) -> None:
    node = tmp_path / "image"
    node.write_bytes(b"")
    found = backing_of(str(node), Tree(str(tmp_path))).problem
    assert found is not None
    assert found.code == "no_ebs_volume"
