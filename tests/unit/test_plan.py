"""A plan is made when everything is right, and refused with every reason when it is not."""

from typing import TYPE_CHECKING, Any

import pytest
from aerokeep.model.cluster import ClusterConfig
from aerokeep.model.consistency import Consistency, Shortfall
from aerokeep.model.survey import Problem, Survey
from aerokeep.rules.plan import MOST_NODES_PER_BARRIER, PlanVerdict, judge_plan
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_clock, a_config, a_namespace, a_path, a_survey, an_instance

if TYPE_CHECKING:
    from aerokeep.model.instance import Instance

MEMORY = a_namespace(name="cache", storage="memory", persisted=False, paths=())
RAW = a_namespace(
    name="raw",
    storage="device",
    paths=(
        a_path(path="/dev/nvme2n1", role="device", mount_point=None, freezable=False, volume_id="vol-x"),
        a_path(path="/dev/nvme9n1", role="device", index=1, mount_point=None, freezable=False, volume_id="vol-a"),
    ),
)


def judged(*surveys: Survey, config: ClusterConfig | None = None, **options: Any) -> PlanVerdict:  # noqa: ANN401 - options
    by_id = {f"i-{n}": survey for n, survey in enumerate(surveys, start=1)}
    instances: dict[str, Instance] = {i: an_instance(i) for i in by_id}
    return judge_plan(config or a_config(), instances=instances, surveys=by_id, **options)


def codes(verdict: PlanVerdict) -> list[str]:
    return [refusal.code for refusal in verdict.refusals]


def test_a_healthy_node_is_planned_with_exactly_its_volumes() -> None:
    plan = judged(a_survey()).plan
    assert plan is not None
    node = plan.nodes[0]
    assert node.volume_ids == {"vol-a"}
    assert (node.exclude_boot, node.exclude_volume_ids) == (True, ("vol-x",))
    assert node.freeze == ("/opt/aerospike/data",)
    assert node.frozen_namespaces == ("test",)


def test_raw_devices_are_cut_but_never_frozen() -> None:
    plan = judged(a_survey(namespaces=[RAW])).plan
    assert plan is not None
    assert plan.nodes[0].volume_ids == {"vol-a", "vol-x"}
    assert plan.nodes[0].freeze == plan.nodes[0].frozen_namespaces == ()


def test_data_on_the_boot_volume_is_synced_and_the_boot_volume_is_cut() -> None:
    on_root = a_path(path="/srv/a.dat", mount_point="/", freezable=False, freeze_reason="root", volume_id="vol-root")
    plan = judged(a_survey(namespaces=[a_namespace(paths=(on_root,))])).plan
    assert plan is not None
    node = plan.nodes[0]
    assert (node.exclude_boot, node.freeze, node.sync_paths) == (False, (), ("/srv/a.dat",))
    assert node.volumes[0].root


def test_a_shadow_is_what_is_saved() -> None:
    local = a_path(path="/dev/nvme3n1", role="device", mount_point=None, volume_id=None, instance_store=True)
    shadow = a_path(path="/dev/nvme1n1", role="shadow", mount_point=None, volume_id="vol-a")
    plan = judged(a_survey(namespaces=[a_namespace(storage="device", paths=(local, shadow))])).plan
    assert plan is not None
    assert plan.nodes[0].volume_ids == {"vol-a"}


@pytest.mark.parametrize(
    ("path", "code", "remedy"),
    [
        (a_path(volume_id=None, instance_store=True), "instance_store", "add an EBS shadow"),
        (a_path(volume_id=None), "no_ebs_volume", "put it on an EBS volume"),
        (a_path(volume_id="vol-of-another"), "foreign_volume", "EC2 does not show attached"),
        (a_path(problem=Problem(code="lvm", detail="is a logical volume")), "lvm", "is a logical volume"),
    ],
)
def test_a_path_that_cannot_be_saved_refuses_the_plan(path: Any, code: str, remedy: str) -> None:  # noqa: ANN401 - a path
    verdict = judged(a_survey(namespaces=[a_namespace(paths=(path,))]))
    assert codes(verdict) == [code]
    assert remedy in verdict.message


def test_a_namespace_in_memory_only_must_be_listed() -> None:
    assert codes(judged(a_survey(namespaces=[a_namespace(), MEMORY]))) == ["memory_only"]
    listed = judged(a_survey(namespaces=[a_namespace(), MEMORY]), config=a_config(not_saved=("cache",))).plan
    assert listed is not None
    assert (listed.namespaces, listed.not_saved) == (("test",), ("cache",))


def test_nothing_but_memory_is_nothing_to_save() -> None:
    assert codes(judged(a_survey(namespaces=[MEMORY]), config=a_config(not_saved=("cache",)))) == ["nothing_to_save"]


def test_a_guard_that_someone_else_set_is_not_taken_for_the_former_value() -> None:
    assert codes(judged(a_survey(namespaces=[a_namespace(reject_non_xdr_writes=True)]))) == ["guard_already_set"]


def test_a_guard_that_stands_in_the_conf_is_a_former_value() -> None:
    passive = a_namespace(reject_non_xdr_writes=True, conf_reject_non_xdr_writes=True)
    assert judged(a_survey(namespaces=[passive])).plan is not None


def test_a_silent_server_is_named() -> None:
    silent = a_survey("", running=False, namespaces=[], peers=["A1"])
    verdict = judged(a_survey("A1", peers=["A2"]), silent)
    assert "asd_silent" in codes(verdict)
    assert "asd_silent: asd does not answer on host- (i-2)" in verdict.message


def test_a_member_without_the_tag_is_named() -> None:
    verdict = judged(a_survey("A1", peers=["A2", "A3"]), a_survey("A2", peers=["A1", "A3"]))
    assert "node_without_tag" in codes(verdict)
    assert "node A3 is a member" in verdict.message


def test_two_clusters_under_one_tag_are_refused() -> None:
    other = a_survey("A2", peers=["A1"], cluster_key="FFFF")
    assert "cluster_split" in codes(judged(a_survey("A1", peers=["A2"]), other))


def test_an_unsynchronised_clock_is_refused_under_abort_and_noted_under_degrade() -> None:
    wild = a_survey(clock=a_clock(synchronised=False, source="none"))
    assert codes(judged(wild)) == ["clock_unsynchronised"]
    plan = judged(wild, shortfall=Shortfall.DEGRADE).plan
    assert plan is not None
    assert plan.notes[0].startswith("clock_unsynchronised")
    assert codes(judged(wild, consistency=Consistency.NODE)) == ["clock_unsynchronised"]
    assert judged(wild, consistency=Consistency.CRASH).plan is not None


def test_migrations_are_in_the_way_of_cluster_only() -> None:
    moving = a_survey(migrations_remaining=7)
    assert codes(judged(moving)) == ["migrations_running"]
    assert judged(moving, consistency=Consistency.NODE).plan is not None


def test_a_conf_that_differs_from_the_running_server_is_noted() -> None:
    edited = a_survey().model_copy(update={"problems": (Problem(code="conf_differs", detail="filesize 2G, 1G runs"),)})
    plan = judged(edited).plan
    assert plan is not None
    assert plan.notes == ("conf_differs: A1 (i-1): filesize 2G, 1G runs",)


def test_a_server_that_cannot_reject_writes_is_refused_with_the_remedy() -> None:
    old = a_survey().model_copy(update={"problems": (Problem(code="guard_unknown", detail="no such setting"),)})
    assert codes(judged(old)) == ["guard_unknown"]
    assert "consistency to crash" in judged(old).message
    for plan in (judged(old, consistency=Consistency.CRASH).plan, judged(old, shortfall=Shortfall.DEGRADE).plan):
        assert plan is not None
        assert not plan.stop_writes


def test_crash_stops_no_writes() -> None:
    plan = judged(a_survey(), consistency=Consistency.CRASH).plan
    assert plan is not None
    assert not plan.stop_writes


def test_a_cluster_larger_than_one_barrier_can_only_have_crash() -> None:
    ids = [f"A{n}" for n in range(MOST_NODES_PER_BARRIER + 1)]
    surveys = [a_survey(node_id, peers=[other for other in ids if other != node_id]) for node_id in ids]
    assert codes(judged(*surveys)) == ["too_many_nodes"]
    plan = judged(*surveys, shortfall=Shortfall.DEGRADE).plan
    assert plan is not None
    assert not plan.stop_writes


def test_all_mistakes_are_told_at_once() -> None:
    bad = a_survey(namespaces=[a_namespace(paths=(a_path(volume_id=None),)), MEMORY])
    assert codes(judged(bad)) == ["no_ebs_volume", "memory_only"]


@given(
    st.sets(st.sampled_from(["vol-a", "vol-b", "vol-c", "vol-root"]), min_size=1),
    st.sets(st.sampled_from(["vol-a", "vol-b", "vol-c", "vol-d"])),
)
def test_the_cut_covers_what_is_used_and_excludes_the_rest(used: set[str], attached: set[str]) -> None:
    volumes = {v: an_instance().volumes["vol-a"].model_copy(update={"volume_id": v}) for v in attached | {"vol-root"}}
    volumes["vol-root"] = volumes["vol-root"].model_copy(update={"device": "/dev/xvda"})
    paths = tuple(a_path(path=f"/data/{v}", index=n, volume_id=v, mount_point=None) for n, v in enumerate(sorted(used)))
    survey = a_survey(namespaces=[a_namespace(storage="device", paths=paths)])
    verdict = judge_plan(a_config(), instances={"i-1": an_instance(volumes=volumes)}, surveys={"i-1": survey})
    if not used <= volumes.keys():
        assert set(codes(verdict)) == {"foreign_volume"}
        return
    assert verdict.plan is not None
    node = verdict.plan.nodes[0]
    cut = volumes.keys() - set(node.exclude_volume_ids) - ({"vol-root"} if node.exclude_boot else set())
    assert cut >= node.volume_ids == used
    assert cut - used == set(), "foreign volumes are excluded"
