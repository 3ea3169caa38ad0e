"""A restore is planned only if point, instances, volumes and headers fit each other, and says what it will do."""

from collections.abc import Callable
from typing import Any

import pytest
from aerokeep.model.consistency import Consistency, Label
from aerokeep.model.instance import AttachedVolume
from aerokeep.model.recovery_point import Manifest, NodeCut, Snapshot, SnapshotState
from aerokeep.model.restore import RestorePlan
from aerokeep.model.survey import Header
from aerokeep.rules.restore_plan import Estate, RestoreVerdict, judge_restore, plan_hash
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_config, a_path, at
from tests.restore_builders import (
    NO_CONTENTS,
    NUMBERS,
    a_device,
    a_header,
    a_manifest,
    a_node,
    a_volume,
    an_estate,
    snapshot_id,
    the_instance,
    the_snapshots,
    the_survey,
    volume_id,
)


def judge(
    manifest: Manifest | None = None,
    estate: Estate | None = None,
    *,
    snapshots: list[Snapshot] | None = None,
    accept_label: Consistency | None = None,
    **config: Any,  # noqa: ANN401 - any field
) -> RestoreVerdict:
    return judge_restore(
        manifest or a_manifest(),
        config=a_config(**config),
        estate=estate or an_estate(),
        snapshots=the_snapshots() if snapshots is None else snapshots,
        contents=NO_CONTENTS,
        accept_label=accept_label,
        now=at(3600),
    )


def planned(verdict: RestoreVerdict) -> RestorePlan:
    assert verdict.plan is not None, verdict.message
    return verdict.plan


def codes(verdict: RestoreVerdict) -> set[str]:
    assert verdict.plan is None
    return {refusal.code for refusal in verdict.refusals}


def test_a_living_cluster_gets_each_snapshot_back_at_the_place_it_was_taken_from() -> None:
    plan = planned(judge())
    assert plan.live
    assert [(n.node_id, n.instance_id) for n in plan.nodes] == [(f"A{n}", f"i-{n}") for n in NUMBERS]
    places = {(n.node_id, v.device, v.snapshot_id, v.old_volume_id) for n in plan.nodes for v in n.volumes}
    assert ("A2", "/dev/sdh", snapshot_id(2, "/dev/sdh"), volume_id(2, "/dev/sdh")) in places
    assert len(places) == 6


def test_the_plan_says_what_will_and_will_not_come_back() -> None:
    notes = " ".join(planned(judge()).notes)
    assert "3599 s ago" in notes
    for word in ("comes_back", "lost", "deletes_return", "expired", "not_in_point"):
        assert word in notes


def test_the_signature_of_a_set_is_asked_for_only_where_no_restart_can_have_changed_it() -> None:
    assert {c.random for n in planned(judge()).nodes for c in n.sets} == {f"{number:016x}" for number in NUMBERS}
    crash = Label(consistency=Consistency.CRASH, reasons=("no write stop",), namespaces=("raw",), write_stop_s=None)
    plan = planned(judge(a_manifest(label=crash), accept_label=Consistency.CRASH))
    assert {c.random for n in plan.nodes for c in n.sets} == {None}


def test_an_instance_that_is_gone_is_relaunched_and_its_kept_volumes_are_known() -> None:
    estate = an_estate(
        instances=tuple(the_instance(number) for number in (1, 3)),
        surveys={f"i-{number}": the_survey(number) for number in (1, 3)},
    )
    node = planned(judge(estate=estate)).nodes[1]
    assert (node.node_id, node.instance_id, node.private_ip) == ("A2", None, "10.77.0.12")
    assert [volume.old_volume_id for volume in node.volumes] == [volume_id(2, d) for d in ("/dev/sdg", "/dev/sdh")]


def test_a_cluster_that_is_gone_with_its_volumes_is_not_live_and_has_no_way_back() -> None:
    plan = planned(judge(estate=Estate(instances=(), surveys={}, volumes={}, used_gib={})))
    assert not plan.live
    assert any(note.startswith("no_way_back") for note in plan.notes)
    assert any(note.startswith("relaunched: A1, A2, A3") for note in plan.notes)


def without(snapshot: str) -> list[Snapshot]:
    return [s for s in the_snapshots() if s.id != snapshot]


def changed(snapshot: str, **changes: Any) -> list[Snapshot]:  # noqa: ANN401 - any field
    return [s.model_copy(update=changes) if s.id == snapshot else s for s in the_snapshots()]


SNAP = snapshot_id(2, "/dev/sdg")
BROKEN_POINTS = {
    "one snapshot missing": (lambda: judge(snapshots=without(SNAP)), "snapshot_missing"),
    "one snapshot failed": (
        lambda: judge(snapshots=changed(SNAP, state=SnapshotState.ERROR)),
        "snapshot_unusable",
    ),
    "a member of another point": (
        lambda: judge(snapshots=changed(SNAP, tags={"aerokeep:point": "demo-20261120T120000Z"})),
        "mixed_points",
    ),
    "a member cut at another time": (lambda: judge(snapshots=changed(SNAP, started_at=at(90))), "mixed_points"),
    "a member of another volume": (lambda: judge(snapshots=changed(SNAP, volume_id="vol-else")), "snapshot_changed"),
    "a point without an inventory": (lambda: judge(a_manifest(inventory=None)), "no_inventory"),
    "a label below cluster": (
        lambda: judge(
            a_manifest(
                label=Label(consistency=Consistency.NODE, reasons=("a clock",), namespaces=("raw",), write_stop_s=2.0)
            )
        ),
        "label_not_accepted",
    ),
}


@pytest.mark.parametrize(("verdict", "code"), BROKEN_POINTS.values(), ids=list(BROKEN_POINTS))
def test_a_point_that_is_not_whole_is_refused(verdict: Callable[[], RestoreVerdict], code: str) -> None:
    assert codes(verdict()) == {code}


def test_fewer_devices_than_the_header_says_are_refused() -> None:
    """Asd would start with half of the data and say nothing."""
    lonely = a_node(1, devices=(a_device(1, 0),))
    manifest = a_manifest(nodes=(lonely, a_node(2), a_node(3)))
    assert codes(judge(manifest)) == {"devices_missing"}


def test_a_device_whose_volume_was_not_cut_is_refused() -> None:
    half = NodeCut(
        instance_id="i-1",
        node_id="A1",
        requested_at=at(1),
        responded_at=at(2),
        snapshots={volume_id(1, "/dev/sdg"): snapshot_id(1, "/dev/sdg")},
    )
    manifest = a_manifest(cuts=(half, *a_manifest().cuts[1:]))
    assert codes(judge(manifest)) == {"devices_missing"}


def an_estate_of(number: int, **changes: Any) -> Estate:  # noqa: ANN401 - any field of the instance
    others = tuple(the_instance(n) for n in NUMBERS if n != number)
    return an_estate(instances=(the_instance(number, **changes), *others))


def a_foreign_volume() -> Estate:
    """Somebody attached a volume of their own where the node's used to be."""
    attached = dict(the_instance(2).volumes)
    attached.pop(volume_id(2, "/dev/sdg"))
    attached["vol-foreign"] = AttachedVolume(volume_id="vol-foreign", device="/dev/sdg", size_gib=1, encrypted=False)
    estate = an_estate_of(2, volumes=attached)
    return estate.model_copy(update={"volumes": {**estate.volumes, "vol-foreign": a_volume("vol-foreign")}})


def a_volume_in_its_place(header: Header | None) -> Estate:
    """The conf's path leads to another volume than at the backup."""
    estate = a_foreign_volume()
    survey = estate.surveys["i-2"]
    first, *others = survey.namespaces[0].paths
    moved = first.model_copy(update={"volume_id": "vol-foreign", "header": header})
    namespace = survey.namespaces[0].model_copy(update={"paths": (moved, *others)})
    return estate.model_copy(
        update={"surveys": {**estate.surveys, "i-2": survey.model_copy(update={"namespaces": (namespace,)})}}
    )


def test_a_volume_to_which_the_operator_moved_the_data_is_the_nodes() -> None:
    plan = planned(judge(estate=a_volume_in_its_place(a_header(2, 0))))
    assert plan.nodes[1].volumes[0].old_volume_id == "vol-foreign"


def test_a_volume_that_holds_something_else_is_not() -> None:
    assert codes(judge(estate=a_volume_in_its_place(None))) == {"foreign_volume"}
    assert codes(judge(estate=a_volume_in_its_place(a_header(2, 0, namespace="other")))) == {"foreign_volume"}


def a_bigger_main_device() -> Estate:
    """The instance type was changed: its instance store is larger than the shadow in the point."""
    main = a_path(path="/dev/nvme9n1", role="device", index=0, volume_id=None, instance_store=True, size_bytes=2 << 30)
    survey = the_survey(2)
    namespace = survey.namespaces[0].model_copy(update={"paths": (*survey.namespaces[0].paths, main)})
    return an_estate(surveys={**an_estate().surveys, "i-2": survey.model_copy(update={"namespaces": (namespace,)})})


def shadowed() -> Manifest:
    shadow = a_device(2, 0, role="shadow")
    node = a_node(2, devices=(shadow, a_device(2, 1, role="shadow")))
    return a_manifest(nodes=(a_node(1), node, a_node(3)))


UNFIT_ESTATES: dict[str, tuple[Callable[[], RestoreVerdict], str]] = {
    "wrong zone": (
        lambda: judge(estate=an_estate_of(2, spec={"Placement": {"AvailabilityZone": "eu-central-1b"}})),
        "wrong_zone",
    ),
    "a stopped instance": (lambda: judge(estate=an_estate_of(2, state="stopped")), "node_not_running"),
    "a host without SSM": (
        lambda: judge(estate=an_estate(surveys={k: v for k, v in an_estate().surveys.items() if k != "i-2"})),
        "node_without_ssm",
    ),
    "a node that is not in the point": (
        lambda: judge(
            estate=an_estate(
                instances=(*an_estate().instances, the_instance(1, instance_id="i-9", private_ip="10.77.0.19"))
            )
        ),
        "node_not_in_point",
    ),
    "another node-id": (
        lambda: judge(estate=an_estate(surveys={**an_estate().surveys, "i-2": the_survey(2, calls_itself="B7")})),
        "node_id_differs",
    ),
    "a server before 6.0": (
        lambda: judge(estate=an_estate(surveys={**an_estate().surveys, "i-2": the_survey(2, build="5.7.0.7")})),
        "build_cut",
    ),
    "no unit": (
        lambda: judge(estate=an_estate(surveys={**an_estate().surveys, "i-2": the_survey(2, unit=None)})),
        "unit_missing",
    ),
    "a foreign volume": (lambda: judge(estate=a_foreign_volume()), "foreign_volume"),
    "a smaller shadow": (lambda: judge(shadowed(), a_bigger_main_device()), "shadow_too_small"),
    "no quota left": (lambda: judge(estate=an_estate(used_gib={"gp3": 50 * 1024})), "volume_quota"),
}


@pytest.mark.parametrize(("verdict", "code"), UNFIT_ESTATES.values(), ids=list(UNFIT_ESTATES))
def test_an_estate_that_the_point_does_not_fit_is_refused(verdict: Callable[[], RestoreVerdict], code: str) -> None:
    assert codes(verdict()) == {code}


def test_all_reasons_are_told_at_once() -> None:
    estate = an_estate_of(2, spec={"Placement": {"AvailabilityZone": "eu-central-1b"}})
    assert codes(judge(estate=estate, snapshots=without(SNAP))) == {"wrong_zone", "snapshot_missing"}


def test_a_volume_that_an_earlier_restore_put_there_is_ours() -> None:
    attached = dict(the_instance(2).volumes)
    attached.pop(volume_id(2, "/dev/sdg"))
    attached["vol-new"] = AttachedVolume(volume_id="vol-new", device="/dev/sdg", size_gib=1, encrypted=True)
    estate = an_estate_of(2, volumes=attached)
    ours = a_volume("vol-new", tags={"aerokeep:cluster": "demo"})
    plan = planned(judge(estate=estate.model_copy(update={"volumes": {**estate.volumes, "vol-new": ours}})))
    assert plan.nodes[1].volumes[0].old_volume_id == "vol-new"


@given(st.permutations(an_estate().instances), st.permutations(the_snapshots()))
def test_the_hash_of_a_plan_does_not_depend_on_the_order_of_answers(instances: list[Any], snapshots: list[Any]) -> None:
    same = plan_hash(planned(judge()))
    assert plan_hash(planned(judge(estate=an_estate(instances=tuple(instances)), snapshots=snapshots))) == same


def test_the_hash_changes_with_what_would_be_detached() -> None:
    moved = planned(judge(estate=a_volume_in_its_place(a_header(2, 0))))
    assert plan_hash(moved) != plan_hash(planned(judge()))


def test_the_hash_is_of_data_and_stays_when_a_machine_dies_or_is_relaunched() -> None:
    same = plan_hash(planned(judge()))
    dead = an_estate(
        instances=tuple(the_instance(number) for number in (1, 3)),
        surveys={f"i-{number}": the_survey(number) for number in (1, 3)},
    )
    assert plan_hash(planned(judge(estate=dead))) == same
    back = an_estate_of(2, instance_id="i-8", volumes={})
    assert (
        plan_hash(planned(judge(estate=back.model_copy(update={"surveys": {**dead.surveys, "i-8": the_survey(2)}}))))
        == same
    )


def test_the_hash_does_not_change_while_time_passes() -> None:
    manifest, estate = a_manifest(), an_estate()
    plans = [
        judge_restore(
            manifest,
            config=a_config(),
            estate=estate,
            snapshots=the_snapshots(),
            contents=NO_CONTENTS,
            accept_label=None,
            now=at(seconds),
        )
        for seconds in (10, 20)
    ]
    assert len({plan_hash(planned(plan)) for plan in plans}) == 1


def test_headers_that_differ_within_a_set_give_no_signature_to_ask_for() -> None:
    odd = a_node(1, devices=(a_device(1, 0), a_device(1, 1, header=a_header(1, 1, random="f" * 16))))
    plan = planned(judge(a_manifest(nodes=(odd, a_node(2), a_node(3)))))
    assert plan.nodes[0].sets[0].random is None
