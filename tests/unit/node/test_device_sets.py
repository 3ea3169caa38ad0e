"""Only the whole and unmixed set that was ordered is started on."""

from pathlib import Path
from typing import Any

import pytest
from aerokeep_node.device_sets import check_set, judge_headers
from aerokeep_node.refusal import RefusalError
from aerokeep_node.stage_order import SetOrder

from tests.device_headers import a_header, written

RANDOM = f"{77:016x}"


def wanted(**changes: Any) -> SetOrder:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {"namespace": "test", "n_devices": 2, "random": RANDOM, "version": 4, "blank": False}
    return SetOrder(**{**fields, **changes})


def a_set(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the second device
    return {"a": a_header(), "b": a_header(**{"device_id": 1, **changes})}


def test_a_whole_set_passes_in_any_order_and_without_being_told_its_signature() -> None:
    judge_headers(wanted(), a_set())
    judge_headers(wanted(random=None, version=None), {"b": a_header(device_id=1), "a": a_header()})


@pytest.mark.parametrize(
    ("order", "change", "code"),
    [
        ({}, {"namespace": "other"}, "namespace_differs"),
        ({"namespace": "other"}, {}, "namespace_differs"),
        ({}, {"random": 78}, "set_mixed"),
        ({"random": None}, {"random": 78}, "set_mixed"),
        ({"random": "0" * 15 + "1"}, {}, "set_mixed"),
        ({}, {"version": 3}, "version_differs"),
        ({"version": 3}, {}, "version_differs"),
        ({"version": None}, {"version": 3}, "version_differs"),
        ({}, {"n_devices": 3}, "set_incomplete"),
        ({}, {"device_id": 0}, "set_incomplete"),
        ({}, {"device_id": 2}, "set_incomplete"),
    ],
)
def test_every_other_set_is_refused_by_name(order: dict[str, Any], change: dict[str, Any], code: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        judge_headers(wanted(**order), a_set(**change))
    assert refusal.value.code == code


def test_what_is_on_the_disks_is_read_and_told(tmp_path: Path) -> None:
    for index, name in enumerate("ab"):
        (tmp_path / name).write_bytes(written(a_header(device_id=index, flags=1)))
    paths = {f"/dev/{name}": str(tmp_path / name) for name in "ab"}
    headers = check_set(wanted(), paths)
    assert list(headers) == ["/dev/a", "/dev/b"]
    assert headers["/dev/b"] == {
        "version": 4, "namespace": "test", "n_devices": 2, "random": RANDOM, "device_id": 1,
        "write_block_size_bytes": 8388608, "trusted": True,
    }  # fmt: skip


def refused(order: SetOrder, *paths: Path) -> str:
    with pytest.raises(RefusalError) as refusal:
        check_set(order, {path.name: str(path) for path in paths})
    return refusal.value.code


def test_fewer_devices_than_ordered_and_unreadable_ones_are_refused(tmp_path: Path) -> None:
    one, blank, foreign, short = (tmp_path / name for name in ("one", "blank", "foreign", "short"))
    one.write_bytes(written(a_header()))
    blank.write_bytes(bytes(9 << 20))
    foreign.write_bytes(b"\x01" * (9 << 20))
    short.write_bytes(b"\x22")
    assert refused(wanted(), one) == "set_incomplete"
    assert refused(wanted(), one, blank) == "header_blank"
    assert refused(wanted(), one, foreign) == "header_bad_magic"
    assert refused(wanted(), one, short) == "header_short"
    assert refused(wanted(), one, tmp_path / "none") == "header_unreadable"
    assert refused(wanted(), one, tmp_path) == "header_unreadable"


def test_a_blank_set_is_blank_over_the_whole_header_and_is_not_touched(tmp_path: Path) -> None:
    blank, used = tmp_path / "blank", tmp_path / "used"
    blank.write_bytes(bytes(9 << 20))
    used.write_bytes(bytes(7 << 20) + b"\x01" + bytes(2 << 20))
    before = used.read_bytes()
    order = wanted(blank=True, random=None)
    assert check_set(order, {"a": str(blank), "b": str(tmp_path / "none")}) == {}
    assert refused(order, blank, used) == "not_blank"
    assert used.read_bytes() == before
