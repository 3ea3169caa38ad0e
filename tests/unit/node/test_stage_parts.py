"""What stage puts in place can be put back from wherever it was cut short, and its order is read to the letter."""

import copy
from pathlib import Path
from typing import Any

import pytest
from aerokeep_node.conf_staging import judge_file_sizes, staged_text
from aerokeep_node.formats.smd import BadSmdError, parse_smd, thresholds_after
from aerokeep_node.kept_file import KeptFile
from aerokeep_node.refusal import RefusalError
from aerokeep_node.smd_staging import SmdStaging, judge_smd
from aerokeep_node.stage_order import Order, parse_order

CUT_AT = 1763900000.0
CUT_MS = int((CUT_AT - 1262304000) * 1000)
SPEC: dict[str, Any] = {
    "node_id": "A1",
    "volumes": [
        {"volume_id": "vol-0a", "mount": None},
        {"volume_id": "vol-0b", "mount": {"point": "/data", "fs_type": "ext4", "options": "rw,noatime"}},
    ],
    "devices": [
        {"namespace": "raw", "path": "/dev/nvme1n1", "role": "device", "volume_id": None},
        {"namespace": "raw", "path": "/dev/nvme2n1", "role": "shadow", "volume_id": "vol-0a"},
        {"namespace": "test", "path": "/data/test.dat", "role": "file", "volume_id": "vol-0b"},
    ],
    "sets": [
        {"namespace": "raw", "n_devices": 1, "random": "00000000000000ff", "version": 4, "blank": False},
        {"namespace": "test", "n_devices": 1, "random": None, "version": None, "blank": True},
    ],
    "smd": {
        "action": "replace",
        "files": [{"name": "sindex.smd", "url": "https://x/y?z=1", "sha256": "0" * 64, "size": 3}],
    },
    "conf": {"action": "keep", "files": []},
    "first_start": {"reject_writes": ["test", "raw"], "cold_start_empty": []},
    "cut_at": CUT_AT,
    "clock_error_s": 1.0,
}
CONF = """\
namespace raw {
    storage-engine device {
        device /dev/nvme1n1 /dev/nvme2n1
    }
}
namespace test {
    storage-engine device {
        file /data/test.dat
        filesize 1M
    }
}
namespace cache {
    storage-engine memory {
        data-size 1G
    }
}
"""


def a_spec(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {**copy.deepcopy(SPEC), **changes}


def an_order(**changes: Any) -> Order:  # noqa: ANN401 - any field
    return parse_order(a_spec(**changes))


def code_of(refusal: "pytest.ExceptionInfo[RefusalError]") -> str:
    return refusal.value.code


# -- the order -----------------------------------------------------------------------------------------------------


def test_an_order_says_what_a_namespace_is_read_from_and_where_it_lies() -> None:
    order = an_order()
    assert [device.path for device in order.saved_devices("raw")] == ["/dev/nvme2n1"]
    mounts = [order.mount_of(device) for device in order.devices]
    assert [mount.point if mount else None for mount in mounts] == [None, None, "/data"]
    assert (order.first_start, order.reject_writes) == (True, ("test", "raw"))
    assert not an_order(first_start=None).first_start


@pytest.mark.parametrize("field", SPEC)
def test_a_missing_field_is_named(field: str) -> None:
    spec = a_spec()
    del spec[field]
    with pytest.raises(RefusalError, match=f"spec_invalid.*{field}"):
        parse_order(spec)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"zeroed": True}, "zeroed"),
        ({"node_id": "A1\n}"}, "node_id"),
        ({"volumes": [{"volume_id": "vol-x", "mount": None}]}, "volume_id"),
        ({"volumes": [{"volume_id": "vol-0a", "mount": {"point": "a", "fs_type": "ext4", "options": "rw"}}]}, "point"),
        ({"devices": [{"namespace": "raw", "path": "/dev/a b", "role": "device", "volume_id": None}]}, "path"),
        ({"devices": [{"namespace": "raw", "path": "/dev/a", "role": "disk", "volume_id": None}]}, "role"),
        ({"sets": SPEC["sets"][:1]}, "sets"),
        ({"sets": [*SPEC["sets"], SPEC["sets"][0]]}, "twice"),
        ({"volumes": SPEC["volumes"][:1]}, "vol-0b"),
        ({"smd": {"action": "merge", "files": []}}, "action"),
        ({"smd": {"action": "keep", "files": [{**SPEC["smd"]["files"][0], "name": "../x.smd"}]}}, "name"),
        ({"conf": {"action": "replace", "files": []}}, "conf"),
        ({"cut_at": "yesterday"}, "cut_at"),
        ({"clock_error_s": True}, "clock_error_s"),
        ({"first_start": {"reject_writes": "test", "cold_start_empty": []}}, "reject_writes"),
    ],
)  # fmt: skip
def test_what_nobody_can_carry_out_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusalError, match=f"spec_invalid.*{named}"):
        an_order(**changes)


# -- thresholds ----------------------------------------------------------------------------------------------------


def smd(*items: tuple[str, str | None, int]) -> bytes:
    entries = [
        f'{{"key":"{k}","value":{f"{chr(34)}{v}{chr(34)}" if v else "null"},"generation":1,"timestamp":{t}}}'
        for k, v, t in items
    ]
    return ("[[1,1]" + "".join("," + entry for entry in entries) + "]").encode()


def late(name: str, *items: tuple[str, str | None, int]) -> list[str]:
    return thresholds_after(name, parse_smd(smd(*items)), CUT_AT)


def test_a_truncation_after_the_cut_is_named_with_its_distance() -> None:
    assert late("truncate.smd", ("test|demo", str(CUT_MS), CUT_MS), ("test|gone", None, CUT_MS + 9)) == []
    assert late("truncate.smd", ("test|demo", str(CUT_MS + 1500), 0)) == ["test|demo is 1.500 s after the cut"]


def test_an_eviction_counts_by_when_it_was_decided_since_its_value_lies_ahead() -> None:
    ahead_s = str(CUT_MS // 1000 + 86400)
    assert late("evict.smd", ("test", ahead_s, CUT_MS - 1)) == []
    assert late("evict.smd", ("test", ahead_s, CUT_MS + 1)) != []


def test_other_modules_have_no_thresholds_and_nonsense_is_no_threshold() -> None:
    assert late("sindex.smd", ("test|demo|i|.|I", "index", CUT_MS + 9)) == []
    with pytest.raises(BadSmdError, match="bad_threshold"):
        late("truncate.smd", ("test", "soon", 0))


def test_smd_that_the_server_would_ignore_is_refused() -> None:
    judge_smd({"truncate.smd": smd(("test", str(CUT_MS + 1), 0))}, None)
    with pytest.raises(RefusalError) as refusal:
        judge_smd({"truncate.smd": smd(("test", str(CUT_MS + 1), 0))}, CUT_AT)
    assert code_of(refusal) == "threshold_after_cut"
    with pytest.raises(RefusalError) as refusal:
        judge_smd({"sindex.smd": b"[[1,1]"}, None)
    assert code_of(refusal) == "smd_invalid"


# -- SMD -----------------------------------------------------------------------------------------------------------


def shape(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "smd").mkdir()
    (tmp_path / "smd/sindex.smd").write_bytes(b"old")
    (tmp_path / "smd/truncate.smd").write_bytes(b"old too")
    return tmp_path


def test_smd_is_replaced_whole_and_put_back_whole(work: Path) -> None:
    before = shape(work)
    staging = SmdStaging(str(work), "r1")
    for _ in range(2):
        staging.replace({"sindex.smd": b"new"})
        assert staging.files() == {"sindex.smd": b"new"}
        assert shape(work / "smd.aerokeep-r1") == {"sindex.smd": b"old", "truncate.smd": b"old too"}
    assert staging.put_back()
    assert not staging.put_back()
    assert shape(work) == before
    assert [path.name for path in work.iterdir()] == ["smd"]


def test_smd_can_be_cleared_and_a_host_without_any_gets_some(work: Path, tmp_path: Path) -> None:
    SmdStaging(str(work), "r1").replace({})
    assert shape(work / "smd") == {}
    fresh = tmp_path / "not/there"
    staging = SmdStaging(str(fresh), "r1")
    staging.replace({"sindex.smd": b"new"})
    assert staging.put_back()
    assert shape(fresh) == {}


def test_what_a_server_changed_meanwhile_is_replaced_again_and_never_put_back(work: Path) -> None:
    staging = SmdStaging(str(work), "r1")
    staging.replace({"sindex.smd": b"new"})
    (work / "smd/sindex.smd").write_bytes(b"changed")
    (work / "smd/roster.smd").write_bytes(b"added")
    staging.replace({"sindex.smd": b"new"})
    assert staging.files() == {"sindex.smd": b"new"}
    staging.put_back()
    assert staging.files() == {"sindex.smd": b"old", "truncate.smd": b"old too"}


# -- conf ----------------------------------------------------------------------------------------------------------


def test_the_conf_is_kept_before_it_is_changed_and_put_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "aerospike.conf"
    path.write_text("old")
    path.chmod(0o640)
    conf = KeptFile(str(path), "r1")
    for text in ("new", "newer"):
        conf.put(text)
        assert (path.read_text(), conf.former()) == (text, "old")
        assert path.stat().st_mode & 0o777 == 0o640
    assert conf.put_back()
    assert not conf.put_back()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_host_without_a_conf_has_none_again(tmp_path: Path) -> None:
    path = tmp_path / "etc/aerospike.conf"
    conf = KeptFile(str(path), "r1")
    conf.put("new")
    conf.put("newer")
    assert (path.read_text(), conf.former()) == ("newer", None)
    assert conf.put_back()
    assert list(path.parent.iterdir()) == []


def test_a_conf_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "managed").mkdir()
    target, link = tmp_path / "managed/asd.conf", tmp_path / "aerospike.conf"
    target.write_text("old")
    link.symlink_to(target)
    conf = KeptFile(str(link), "r1")
    conf.put("new")
    assert (link.is_symlink(), link.read_text(), conf.former()) == (True, "new", "old")
    assert conf.put_back()
    assert (link.is_symlink(), target.read_text()) == (True, "old")


def test_the_same_conf_again_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "aerospike.conf"
    path.write_text("old")
    KeptFile(str(path), "r1").put("old")
    assert list(tmp_path.iterdir()) == [path]


def test_names_of_devices_are_rewritten_and_the_node_id_is_written() -> None:
    text = staged_text(CONF, an_order(), {"/dev/nvme2n1": "/dev/disk/by-id/a"})
    assert "device /dev/nvme1n1 /dev/disk/by-id/a" in text
    assert "node-id A1" in text


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("device /dev/nvme1n1 /dev/nvme2n1", "device /dev/nvme1n1"),
        ("device /dev/nvme1n1 /dev/nvme2n1", "device /dev/nvme1n1 /dev/nvme2n1\n device /dev/nvme3n1 /dev/nvme4n1"),
        ("namespace raw", "namespace raw2"),
        ("data-size 1G", "file /data/cache.dat"),
    ],
)
def test_a_conf_with_other_devices_than_those_checked_is_refused(former: str, now: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        staged_text(CONF.replace(former, now), an_order(), {})
    assert code_of(refusal) == "conf_differs"


def test_a_conf_that_would_erase_devices_is_never_put_in_place() -> None:
    with pytest.raises(RefusalError) as refusal:
        staged_text(CONF.replace("filesize 1M", "filesize 1M\n cold-start-empty true"), an_order(), {})
    assert code_of(refusal) == "cold_start_empty_on_disk"


def test_a_conf_that_would_cut_a_file_off_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "test.dat"
    file.write_bytes(bytes((1 << 20) + 1))
    text = CONF.replace("/data/test.dat", str(file))
    with pytest.raises(RefusalError) as refusal:
        judge_file_sizes(text)
    assert code_of(refusal) == "filesize_too_small"
    judge_file_sizes(text.replace("filesize 1M", "filesize 2M"))
