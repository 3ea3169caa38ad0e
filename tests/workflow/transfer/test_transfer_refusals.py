"""What may not be exported or imported is refused before anything is touched: every call is recorded."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.light.launch import LightCluster
from tests.crash.field import Field
from tests.crash.journeys import done
from tests.workflow.restore.recorded import recorded
from tests.workflow.transfer.vaulted import (
    beyond_questions,
    exported,
    full,
    launched,
    manifests,
    namespaces_of,
    run,
    wiped,
    with_tools,
)

RECORDS = 600
"""In two namespaces."""
NOWHERE = "vaulted-export-20260101T000000Z"


@pytest.fixture(scope="module")
def live(field: Field) -> LightCluster:
    """A cluster that nothing is done to but exports."""
    return launched(field)


@pytest.fixture(scope="module")
def export_id(field: Field, live: LightCluster) -> str:
    """Of ``live``."""
    return exported(field, live)


def importing(live: LightCluster, export_id: str) -> dict[str, Any]:
    return {"export": export_id, "source_cluster": live.name}


def test_a_dry_run_prints_the_plan_takes_no_lock_and_touches_nothing(
    field: Field, live: LightCluster, export_id: str
) -> None:
    before = live.timelines()
    with recorded(field, live.name) as calls:
        shown = done(run(field, "import", live, export=export_id, dry_run=True, existing="allow"))
    assert (shown.output["export"], shown.output["records"], shown.output["parts"]) == (export_id, RECORDS, 2)
    assert set(shown.output["existing"]) == {"test", "raw"}
    assert min(shown.output["existing"].values()) > 0
    assert beyond_questions(calls) == []
    assert [call for call in calls if call.service == "dynamodb"] == []
    assert live.timelines() == before


def test_a_dry_run_tells_everything_that_stands_against_it(field: Field, live: LightCluster, export_id: str) -> None:
    ended = run(field, "import", live, export=export_id, dry_run=True)
    assert ended.error == "RejectedError"
    assert "target_not_empty: raw holds" in ended.cause
    assert "target_not_empty: test holds" in ended.cause


def guarded(cluster: LightCluster) -> None:
    for namespace in namespaces_of(wiped(cluster)):
        namespace.guarded = True


def one_node_full(cluster: LightCluster) -> None:
    next(namespaces_of(wiped(cluster))).full = True


def not_empty(cluster: LightCluster) -> None:
    cluster.write("somebody's")


@pytest.mark.parametrize(
    ("prepare", "code"),
    [(guarded, "namespace_guarded"), (one_node_full, "namespace_full"), (not_empty, "target_not_empty")],
)
def test_an_import_that_could_not_arrive_is_refused_before_anything_is_written(
    field: Field, live: LightCluster, export_id: str, prepare: Callable[[LightCluster], None], code: str
) -> None:
    target = launched(field, export={"import_from": [live.name]})
    prepare(target)
    before = target.timelines()
    with recorded(field, target.name) as calls:
        ended = run(field, "import", target, **importing(live, export_id))
    assert (ended.status, ended.error) == ("FAILED", "RejectedError"), ended.words
    assert f"{code}: " in ended.cause
    assert beyond_questions(calls) == []
    assert target.timelines() == before
    assert "owner" not in field.lock(target.name)


def test_an_export_of_another_cluster_is_imported_only_where_that_cluster_is_named(
    field: Field, live: LightCluster, export_id: str
) -> None:
    stranger = wiped(launched(field))
    with recorded(field, stranger.name) as calls:
        refused = run(field, "import", stranger, **importing(live, export_id))
    assert refused.error == "RejectedError"
    assert f"source_not_allowed: field 'source_cluster': exports of {live.name} may not" in refused.cause
    assert "allows none): add it there and deploy" in refused.cause
    assert beyond_questions(calls) == []
    friend = wiped(launched(field, export={"import_from": [live.name]}))
    assert done(run(field, "import", friend, **importing(live, export_id))).output["counters"]["inserted"] == RECORDS
    assert full(friend, f"{live.name}/first")


def test_bad_input_of_an_export_names_its_fields_and_touches_nothing(field: Field, live: LightCluster) -> None:
    before = manifests(field, live.name)
    with recorded(field, live.name) as calls:
        ended = run(field, "export", live, slices=99, colour="red")
    assert (ended.status, ended.error) == ("FAILED", "RejectedError")
    assert "field slices" in ended.cause
    assert "field colour" in ended.cause
    assert beyond_questions(calls) == []
    assert manifests(field, live.name) == before


def test_bad_input_of_an_import_names_its_fields_and_touches_nothing(field: Field, live: LightCluster) -> None:
    with recorded(field, live.name) as calls:
        ended = run(field, "import", live, export="newest", plan="zz")
    assert ended.error == "RejectedError"
    assert "field export" in ended.cause
    assert "field plan" in ended.cause
    assert beyond_questions(calls) == []


def test_bad_input_a_namespace_that_the_cluster_has_not_is_told_and_leaves_nothing(
    field: Field, live: LightCluster
) -> None:
    ended = run(field, "export", live, namespaces=["tset"])
    assert ended.error == "RejectedError"
    assert "unknown_namespace: field 'namespaces': tset; the cluster has raw, test" in ended.cause
    assert "owner" not in field.lock(live.name, lane="export-lock")


@pytest.mark.parametrize("request_", [{"exact": True, "mode": "directory"}, {"runner": "tagged"}])
def test_bad_input_that_contradicts_itself_takes_no_lock(
    field: Field, live: LightCluster, request_: dict[str, Any]
) -> None:
    epoch = field.lock(live.name, lane="export-lock").get("epoch")
    assert run(field, "export", live, **request_).error == "RejectedError"
    assert field.lock(live.name, lane="export-lock").get("epoch") == epoch


def test_bad_input_of_an_export_that_never_was_is_told(field: Field, live: LightCluster) -> None:
    ended = run(field, "import", live, export=NOWHERE)
    assert ended.error == "RejectedError"
    assert (
        f"unknown_export: field 'export': {NOWHERE} of cluster {live.name}: there is none of that name" in ended.cause
    )
    assert "owner" not in field.lock(live.name)


def test_tool_version_an_export_of_a_newer_tool_is_refused_by_an_older_one_with_both_versions(field: Field) -> None:
    cluster = with_tools(launched(field), "4.10.1")
    export_id = exported(field, cluster)
    with_tools(wiped(cluster), "4.5.8")
    with recorded(field, cluster.name) as calls:
        refused = run(field, "import", cluster, export=export_id)
    assert refused.error == "RejectedError"
    assert f"tool_too_old: {export_id} was written by asbackup 4.10.1, and the newest asrestore here is of 4.5.8: " in (
        refused.cause
    )
    assert "or say force_tool_version" in refused.cause
    assert beyond_questions(calls) == []
    assert not full(cluster, f"{cluster.name}/first")
    forced = done(run(field, "import", cluster, export=export_id, force_tool_version=True))
    assert forced.output["counters"]["inserted"] == RECORDS
    assert full(cluster, f"{cluster.name}/first")


def test_tool_version_a_newer_one_reads_what_an_older_one_wrote(field: Field) -> None:
    cluster = with_tools(launched(field), "3.11.0")
    export_id = exported(field, cluster)
    assert manifests(field, cluster.name)[export_id]["tool"] == {"name": "asbackup", "version": "3.11.0"}
    with_tools(wiped(cluster), "4.5.8")
    done(run(field, "import", cluster, export=export_id))
    assert full(cluster, f"{cluster.name}/first")


def test_tool_version_is_that_of_a_single_host_that_has_the_right_one(field: Field) -> None:
    cluster = launched(field)
    export_id = exported(field, cluster)
    with_tools(wiped(cluster), "3.11.0")
    chosen = cluster.members[2].instance_id
    cluster.plane.host(chosen).tool_version = "4.5.8"
    shown = done(run(field, "import", cluster, export=export_id, dry_run=True))
    assert shown.output["runners"] == [chosen]
    done(run(field, "import", cluster, export=export_id))
    assert full(cluster, f"{cluster.name}/first")
