"""What may be frozen: filesystems with namespace files only, never one that the undoing or the system needs."""

import pytest
from aerokeep_node.mounts import NEVER_FROZEN, Mount, mount_of, parse_mountinfo, why_not_freezable
from hypothesis import given
from hypothesis import strategies as st

KEPT = dict.fromkeys(NEVER_FROZEN, "the system's")
MOUNTINFO = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw
30 27 0:26 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,mode=755
40 27 259:3 / /data rw,relatime shared:9 - xfs /dev/nvme1n1 rw
41 27 259:4 / /mnt/with\\040space rw,relatime - ext4 /dev/nvme2n1 rw
42 27 259:3 /inner /srv/bind rw,relatime shared:9 - xfs /dev/nvme1n1 rw
43 27 0:44 / /scratch rw - tmpfs tmpfs rw
"""


def mounts(extra: str = "") -> list[Mount]:
    return parse_mountinfo(MOUNTINFO + extra)


def verdict(path: str, extra: str = "", **kept: str) -> str | None:
    found = mount_of(path, mounts(extra))
    assert found is not None
    return why_not_freezable(found, mounts(extra), {**KEPT, **kept})


def test_a_filesystem_of_its_own_may_be_frozen() -> None:
    assert verdict("/data/test.dat") is None


def test_data_on_the_root_filesystem_is_never_frozen() -> None:
    assert verdict("/opt/aerospike/data/test.dat") == "it also holds / (the system's)"


@pytest.mark.parametrize("path", sorted(set(NEVER_FROZEN) - {"/", "/run", "/proc"}))
def test_a_filesystem_that_holds_a_directory_of_the_system_is_never_frozen(path: str) -> None:
    own = f"50 27 259:9 / {path} rw - ext4 /dev/nvme5n1 rw\n"
    assert verdict(f"{path}/test.dat", own) == f"it also holds {path} (the system's)"


def test_a_bind_mount_of_the_same_filesystem_counts() -> None:
    bind = "51 27 259:3 /tmp /tmp rw - xfs /dev/nvme1n1 rw\n"
    assert verdict("/data/test.dat", bind) == "it also holds /tmp (the system's)"


def test_a_filesystem_with_a_swap_file_is_never_frozen() -> None:
    found = mount_of("/data/test.dat", mounts())
    assert found is not None
    assert why_not_freezable(found, mounts(), {"/data/swapfile": "swap"}) == "it also holds /data/swapfile (swap)"


def test_kinds_that_cannot_be_frozen_are_named() -> None:
    assert verdict("/scratch/test.dat") == "a tmpfs filesystem can't be frozen"


def test_a_mount_point_that_cannot_be_passed_on_is_not_frozen() -> None:
    found = mount_of("/mnt/with space/x", mounts())
    assert found is not None
    assert found.mount_point == "/mnt/with space"
    assert "can't be passed on" in (verdict("/mnt/with space/x") or "")


def test_the_longest_mount_point_wins_and_a_like_name_is_not_inside() -> None:
    assert mount_of("/data/x", mounts()).mount_point == "/data"  # type: ignore[union-attr] # found above
    assert mount_of("/database/x", mounts()).mount_point == "/"  # type: ignore[union-attr] # the root holds everything


def test_of_two_mounts_at_one_point_the_later_hides_the_former() -> None:
    over = "60 40 259:7 / /data rw - ext4 /dev/nvme6n1 rw\n"
    found = mount_of("/data/x", mounts(over))
    assert found is not None
    assert found.device == (259, 7)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0/\n"), min_size=1, max_size=20))
def test_any_name_survives_the_escapes_of_mountinfo(name: str) -> None:
    escaped = name
    for special in "\\ \t\n":
        escaped = escaped.replace(special, f"\\{ord(special):03o}")
    line = f"60 27 259:7 / /mnt/{escaped} rw - ext4 /dev/nvme6n1 rw"
    assert parse_mountinfo(line)[0].mount_point == f"/mnt/{name}"


@given(st.text())
def test_no_text_whatever_breaks_the_parser(text: str) -> None:
    parse_mountinfo(text)


def test_options_are_those_that_mount_takes_again() -> None:
    line = "29 1 259:3 / /data rw,nosuid,noatime shared:9 - ext4 /dev/nvme1n1 rw,seclabel,stripe=4,errors=remount-ro\n"
    assert parse_mountinfo(line)[0].options == "rw,nosuid,noatime,errors=remount-ro"
