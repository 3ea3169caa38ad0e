"""An fstab leads to the filesystems of an order, and says nothing else than before."""

from pathlib import Path

import pytest
from aerokeep_node.fstab import Filesystem, fstab_text
from aerokeep_node.stage_order import MountOrder
from hypothesis import given
from hypothesis import strategies as st

LINK = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0c"
SOURCES = frozenset({"UUID=1-2", "LABEL=my data", "PARTUUID=7", "/dev/disk/by-uuid/1-2", LINK})
WANTED = "UUID=1-2 /data ext4 noatime,nofail,x-systemd.before=aerospike.service 0 2"


def a_filesystem(point: str = "/data", options: str = "rw,noatime", source: str = "UUID=1-2") -> Filesystem:
    return Filesystem(MountOrder(point, "ext4", options), source, SOURCES)


def judged(text: str) -> str:
    return fstab_text(text, [a_filesystem()])


@pytest.mark.parametrize(
    "source", ["UUID=1-2", 'UUID="1-2"', r"LABEL=my\040data", "PARTUUID=7", "/dev/disk/by-uuid/1-2", LINK]
)
def test_an_entry_that_leads_to_the_filesystem_is_left_alone(source: str) -> None:
    text = f" {source}\t/data  ext4  defaults,noauto 0 0"
    assert judged(text) == text


@pytest.mark.parametrize(
    "source", ["UUID=1-3", "UUID=1", "LABEL=my", "/dev/nvme1n1", "/dev/sdf", "/dev/disk/by-uuid/1-3", LINK + "0"]
)
@pytest.mark.parametrize("rest", ["\t/data  ext4  defaults,nobarrier 1 2 # ours", " /data/ auto", " /data ext3,ext4\r"])
def test_another_name_is_replaced_and_the_rest_of_the_entry_kept(source: str, rest: str) -> None:
    assert judged(f"# a\n  {source}{rest}\n\n#b") == f"# a\n  UUID=1-2{rest}\n\n#b"


@pytest.mark.parametrize(
    "entry", ["/dev/nvme1n1 /data xfs nouuid 0 0", "/srv /data none bind", "/srv /data ext4 rw,rbind", "UUID=1-3 /data"]
)
def test_an_entry_that_could_never_mount_the_filesystem_is_replaced_whole(entry: str) -> None:
    assert judged(f"{entry}\n# b\n") == f"{WANTED}\n# b\n"


def test_every_entry_of_the_point_leads_to_the_filesystem() -> None:
    text = "UUID=1-2 /data ext4 defaults 0 2\n/dev/nvme1n1 /data ext4 defaults 0 2\n"
    assert judged(text) == text.replace("/dev/nvme1n1", "UUID=1-2")


def test_an_entry_that_is_missing_is_appended() -> None:
    assert judged("") == f"{WANTED}\n"
    assert judged("# a\n") == f"# a\n{WANTED}\n"
    assert judged("UUID=1-2 / ext4") == f"UUID=1-2 / ext4\n{WANTED}\n"
    assert judged("#UUID=1-2 /data ext4\nnone /data") == f"#UUID=1-2 /data ext4\n{WANTED}"


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ("rw", "defaults,nofail,x-systemd.before=aerospike.service"),
        ("ro", "defaults,nofail,x-systemd.before=aerospike.service"),
        ("defaults", "defaults,nofail,x-systemd.before=aerospike.service"),
        ("rw,nofail,relatime,data=ordered", "relatime,data=ordered,nofail,x-systemd.before=aerospike.service"),
    ],
)
def test_an_appended_entry_never_keeps_a_host_from_booting(options: str, written: str) -> None:
    assert fstab_text("", [a_filesystem(options=options, source=LINK)]) == f"{LINK} /data ext4 {written} 0 2\n"


def test_mount_points_are_escaped_and_read_so() -> None:
    spaced = a_filesystem("/my data\\x")
    text = fstab_text("", [spaced])
    assert text == r"UUID=1-2 /my\040data\134x ext4 noatime,nofail,x-systemd.before=aerospike.service 0 2" + "\n"
    assert fstab_text(text, [spaced]) == text
    assert fstab_text(text.replace("UUID=1-2", "/dev/sdb"), [spaced]) == text


def test_a_mount_point_by_a_link_is_the_same_point(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    text = f"/dev/nvme1n1 {tmp_path}/link ext4 defaults 0 2"
    assert fstab_text(text, [a_filesystem(f"{tmp_path}/data")]) == text.replace("/dev/nvme1n1", "UUID=1-2")


@given(st.text(alphabet="# /\\\t\r\nUID=1-2data0e4\udce9"))
def test_other_lines_stay_and_a_second_look_changes_nothing(text: str) -> None:
    once = judged(text)
    assert judged(once) == once
    others = [line for line in text.split("\n") if "/" not in line]
    assert [line for line in once.split("\n") if "/" not in line][: len(others) - 1] == others[:-1]
