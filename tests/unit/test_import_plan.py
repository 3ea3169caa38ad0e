"""An import is planned only where everything can arrive; all that stands against it is told at once."""

from collections.abc import Sequence
from typing import Any

import pytest
from aerokeep.model.cluster import ExportPolicy, RunnerChoice, Tag
from aerokeep.model.errors import RejectedError
from aerokeep.model.export import ExportManifest
from aerokeep.model.import_ import ImportPlan, ImportRequest, TargetsFound
from aerokeep.model.transfer import Runner
from aerokeep.model.transfer_order import Compression, Mode, WriteRule
from aerokeep.rules.export_plan import MIB
from aerokeep.rules.import_plan import LEAST_AVAILABLE_PCT, needed_mib, plan_import, version_of, wanted_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.transfer_builders import (
    EXPORT,
    a_policy,
    a_runner,
    a_target,
    an_export_manifest,
    an_exported_namespace,
    an_import_request,
    targets,
)

DIRECTORY_MODE = a_policy(mode=Mode.DIRECTORY, parallel=2)
TWO = (an_exported_namespace("test", sindexes=1, indexes=("age",)), an_exported_namespace("other"))


def planned(
    found: TargetsFound | None = None,
    manifest: ExportManifest | None = None,
    policy: ExportPolicy | None = None,
    **request: Any,  # noqa: ANN401 - any field
) -> ImportPlan:
    wanted = an_import_request(**request)
    return plan_import(wanted, policy or a_policy(), manifest or an_export_manifest(), found or targets())


def reasons(*args: Any, **request: Any) -> list[str]:  # noqa: ANN401 - those of planned()
    with pytest.raises(RejectedError) as refused:
        planned(*args, **request)
    return str(refused.value).split("; ")


def codes(*args: Any, **request: Any) -> list[str]:  # noqa: ANN401 - those of planned()
    return [reason.partition(":")[0] for reason in reasons(*args, **request)]


def with_tools(*versions: str) -> Sequence[Runner]:
    return [a_runner(number, tools={"asrestore": version}) for number, version in enumerate(versions, start=1)]


def test_an_export_goes_into_empty_namespaces_of_the_same_names() -> None:
    plan = planned(targets(a_target("test"), a_target("other"), a_target("third")), an_export_manifest(*TWO))
    assert plan.export_id == EXPORT
    assert {part.name: (part.namespace, part.target) for part in plan.parts} == {
        f"{name}-{number:02d}": (name, name) for name in ("test", "other") for number in range(2)
    }
    assert plan.records == {part.name: 500 for part in plan.parts}
    assert plan.existing == {"test": 0, "other": 0}
    assert all(part.listing is not None and part.name in part.listing.key for part in plan.parts)


def test_parts_that_carry_indexes_and_udfs_come_last() -> None:
    plan = planned(targets(a_target("test"), a_target("other")), an_export_manifest(*TWO))
    assert [(part.name, part.metadata) for part in plan.parts] == [
        ("test-01", False),
        ("other-01", False),
        ("test-00", True),
        ("other-00", True),
    ]


def test_a_namespace_may_go_into_one_of_another_name_and_others_stay_out() -> None:
    plan = planned(targets(a_target("fresh")), an_export_manifest(*TWO), namespaces={"other": "fresh"})
    assert {(part.namespace, part.target) for part in plan.parts} == {("other", "fresh")}


def test_bad_input_a_namespace_that_the_export_does_not_hold_is_told_with_those_that_it_holds() -> None:
    with pytest.raises(RejectedError, match=rf"field 'namespaces': x is not in {EXPORT}; it holds test, other$"):
        wanted_of(an_import_request(namespaces={"x": "test"}), an_export_manifest(*TWO))


@pytest.mark.parametrize(
    ("found", "request_", "words"),
    [
        (
            targets(a_target(guarded=True)),
            {},
            "namespace_guarded: test rejects client writes: lift reject-non-xdr-writes on every node first",
        ),
        (targets(a_target(stop_writes=True)), {}, "namespace_full: test has stop-writes: make room first"),
        (
            targets(a_target(available_pct=LEAST_AVAILABLE_PCT - 1)),
            {},
            "namespace_full: test has 19 % of a device left, not 20 %",
        ),
        (targets(a_target(nodes=2)), {}, "target_incomplete: test is on 2 of 3 nodes"),
        (
            targets(a_target("other")),
            {},
            "unknown_target: the cluster has no namespace test: name another one in 'namespaces'",
        ),
        (
            targets(a_target(master_objects=7)),
            {},
            (
                "target_not_empty: test holds 7 records: say existing: allow, and choose by write what becomes of "
                "them, or import into another namespace"
            ),
        ),
        (
            targets(problems=("node_silent: i-3 did not answer",)),
            {},
            "node_silent: i-3 did not answer",
        ),
    ],
)
def test_what_stands_against_it_is_told_with_what_helps(
    found: TargetsFound, request_: dict[str, Any], words: str
) -> None:
    assert reasons(found, **request_) == [words]


def test_what_just_fits_is_let_in() -> None:
    assert planned(targets(a_target(available_pct=LEAST_AVAILABLE_PCT)))
    assert planned(targets(a_target(available_pct=None))), "in memory there is no device"
    assert planned(targets(a_target(master_objects=7)), existing="allow").existing == {"test": 7}


def test_two_namespaces_of_an_export_do_not_go_into_one() -> None:
    both = {"test": "fresh", "other": "fresh"}
    (reason,) = reasons(targets(a_target("fresh")), an_export_manifest(*TWO), namespaces=both)
    assert reason.startswith("bad_input: field 'namespaces': two namespaces of the export go into one")


def test_everything_that_stands_against_it_is_told_at_once() -> None:
    found = targets(
        a_target("test", guarded=True, stop_writes=True, available_pct=1, master_objects=1, nodes=1),
        runners=with_tools("3.11.0"),
        problems=("cluster_split: the nodes see 2 clusters",),
    )
    assert codes(found, an_export_manifest(*TWO)) == [
        "cluster_split",
        "target_incomplete",
        "namespace_guarded",
        "namespace_full",
        "namespace_full",
        "target_not_empty",
        "unknown_target",
        "tool_too_old",
    ]


@pytest.mark.parametrize(
    ("older", "newer"),
    [("3.11.0", "4.5.8"), ("4.5.8", "4.10.1"), ("3.11.0", "4.10.1"), ("4.5.8", "4.5.9"), ("4.5", "4.5.1")],
)
def test_tool_version_of_numbers_not_of_letters_decides_which_tool_is_older(older: str, newer: str) -> None:
    assert version_of(older) < version_of(newer)
    assert planned(targets(runners=with_tools(newer)), an_export_manifest(version=older))
    assert codes(targets(runners=with_tools(older)), an_export_manifest(version=newer)) == ["tool_too_old"]


@pytest.mark.parametrize(
    ("one", "other"), [("4.10", "4.10.0"), ("4.5.8-rc1", "4.5.8"), ("v4.5.8", "4.5.8"), ("4.5.8.1", "4.5.8")]
)
def test_tool_version_is_the_same_however_it_is_spelt(one: str, other: str) -> None:
    assert version_of(one) == version_of(other)


def test_tool_version_too_old_is_told_with_both_versions_and_with_what_helps() -> None:
    (reason,) = reasons(targets(runners=with_tools("3.11.0", "4.2.0")))
    assert reason == (
        f"tool_too_old: {EXPORT} was written by asbackup 4.5.8, and the newest asrestore here is of 3.11.0, 4.2.0: "
        "update aerospike-tools on a runner, or say force_tool_version"
    )


def test_tool_version_of_each_runner_is_judged_by_itself() -> None:
    plan = planned(targets(runners=with_tools("3.11.0", "4.10.1", "4.5.8")))
    assert [runner.instance_id for runner in plan.runners] == ["i-2", "i-3"]


def test_tool_version_may_be_forced_and_that_is_noted() -> None:
    plan = planned(targets(runners=with_tools("3.11.0")), force_tool_version=True)
    assert any("read by a tool older than 4.5.8, as forced" in note for note in plan.notes)
    unneeded = planned(targets(runners=with_tools("4.5.8")), force_tool_version=True)
    assert not any("as forced" in note for note in unneeded.notes)


def test_no_more_runners_work_side_by_side_than_there_are_with_the_right_tool() -> None:
    tagged = a_policy(runner=RunnerChoice.TAGGED, runner_tag=Tag(key="role", value="tools"))
    found = targets(runners=with_tools("3.11.0", "4.10.1", "4.5.8"))
    assert planned(found, policy=tagged).width == 2
    assert planned(found).width == 1


def test_directory_mode_needs_room_for_the_largest_files_side_by_side_packed_and_unpacked() -> None:
    large = an_exported_namespace(bytes=100 * MIB)
    assert needed_mib(DIRECTORY_MODE, [(large, "test")]) == 2 * 100 * 2 * 1.25 + 1
    assert needed_mib(a_policy(), [(large, "test")]) == 0


def test_runners_without_that_room_are_left_out_and_if_none_has_it_that_is_told() -> None:
    large = an_export_manifest(an_exported_namespace(bytes=100 * MIB))
    runners = [a_runner(1, free_mib=500), a_runner(2, free_mib=501)]
    plan = planned(targets(runners=runners), large, DIRECTORY_MODE)
    assert [runner.instance_id for runner in plan.runners] == ["i-2"]
    (reason,) = reasons(targets(runners=runners[:1]), large, DIRECTORY_MODE)
    assert reason.startswith("disk_too_small: 501 MiB are needed below /var/lib/aerokeep/transfer, at most 500 MiB are")
    assert len(planned(targets(runners=runners[:1]), large).runners) == 1, "a stream needs none"
    elsewhere = DIRECTORY_MODE.model_copy(update={"directory": "/mnt/large/transfer"})
    assert len(planned(targets(runners=runners[:1]), large, elsewhere).runners) == 1, "nobody knows of that place"


@pytest.mark.parametrize(
    ("manifest", "request_", "words"),
    [
        (an_export_manifest(*TWO[:1]), {}, "test → test: 1000 records, 1 indexes"),
        (an_export_manifest(compression=Compression.ZSTD), {}, "files are compressed by zstd"),
        (
            an_export_manifest(),
            {"write": WriteRule.NO_GENERATION},
            "written over whatever exists, also over newer ones",
        ),
        (an_export_manifest(), {}, "generations and last-update times begin anew"),
    ],
)
def test_the_plan_says_what_will_become_of_the_records(
    manifest: ExportManifest, request_: dict[str, Any], words: str
) -> None:
    assert any(words in note for note in planned(manifest=manifest, **request_).notes)


def test_bad_input_of_a_time_to_live_that_no_server_takes_is_refused() -> None:
    assert an_import_request(extra_ttl_s=315_360_000)
    with pytest.raises(ValidationError):
        an_import_request(extra_ttl_s=315_360_001)


@given(st.sampled_from(["test", "other", "x"]), st.sampled_from(["test", "other", "y"]))
def test_whatever_is_named_nothing_is_written_elsewhere(source: str, target: str) -> None:
    request = ImportRequest(cluster="demo", export=EXPORT, namespaces={source: target})
    try:
        plan = plan_import(request, a_policy(), an_export_manifest(*TWO), targets(a_target("test"), a_target("other")))
    except RejectedError:
        assert source == "x" or target == "y"
    else:
        assert {(part.namespace, part.target) for part in plan.parts} == {(source, target)}
