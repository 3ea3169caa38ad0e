"""A point is sound when AWS holds exactly what was planned."""

from typing import Any

import pytest
from aerokeep.aerospike.smd import smd_faults
from aerokeep.model.recovery_point import Cut, Snapshot
from aerokeep.rules.verification import point_faults

from tests.builders import POINT, a_cut, a_plan, a_snapshot, at

PLAN = a_plan(nodes=1)
CUT = a_cut({"i-1": (1, 2)})


def faults(*snapshots: Snapshot, cut: Cut = CUT) -> list[str]:
    return list(point_faults(PLAN, cut=cut, snapshots=snapshots, point_id=POINT))


def test_a_sound_point_has_no_faults() -> None:
    assert faults(a_snapshot("snap-i-1", completed=True)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"completed": False}, "is pending, not completed"),
        ({"volume_id": "vol-z"}, "is of vol-z, not of vol-a"),
        ({"size_gib": 2}, "has 2 GiB, its volume 1"),
        ({"encrypted": False}, "is not encrypted, unlike its volume"),
        ({"kms_key_id": "another"}, "is encrypted with another, its volume with None"),
        ({"tags": {"aerokeep:point": "other"}}, "is tagged for other"),
    ],
)
def test_a_member_that_differs_from_the_plan_is_named(change: dict[str, Any], fault: str) -> None:
    assert fault in "; ".join(faults(a_snapshot("snap-i-1", **{"completed": True, **change})))


def test_a_missing_member_is_named() -> None:
    assert "snapshots ['snap-i-1'] do not exist" in faults()[0]


def test_a_required_volume_outside_the_cut_is_named() -> None:
    other = CUT.nodes[0].model_copy(update={"snapshots": {"vol-z": "snap-i-1"}})
    found = faults(a_snapshot("snap-i-1", completed=True, volume_id="vol-z"), cut=Cut(nodes=(other,)))
    assert "volumes ['vol-a'] are not in the cut" in found[0]


def test_members_of_two_sets_are_told_apart_by_start_time() -> None:
    both = CUT.nodes[0].model_copy(update={"snapshots": {"vol-a": "snap-i-1", "vol-b": "snap-2"}})
    found = faults(
        a_snapshot("snap-i-1", completed=True),
        a_snapshot("snap-2", completed=True, volume_id="vol-b", started_at=at(3)),
        cut=Cut(nodes=(both,)),
    )
    assert "do not share one StartTime" in found[0]


def test_a_node_that_was_not_cut_is_named() -> None:
    assert faults(cut=Cut(nodes=())) == ["node A1 was not cut"]


def test_a_broken_smd_file_is_named_with_its_node() -> None:
    found = list(smd_faults({"A1": {"sindex.smd": b"[[1,2]]", "truncate.smd": b"[[1,"}}))
    assert len(found) == 1
    assert found[0].startswith("node A1: truncate.smd: not_json")
