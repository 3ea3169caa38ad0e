"""Data on the node's root filesystem: never frozen, and saved without loss all the same."""

import pytest

from sandbox.proof import judge_copies
from tests.e2e.negative.three_nodes import ThreeNodes
from tests.plane_nodes import arm, prepare_on_root, resume, stop_writes

pytestmark = [pytest.mark.root, pytest.mark.sampled]


def test_data_on_the_root_filesystem_is_never_frozen(root_data_cluster: ThreeNodes) -> None:
    before = root_data_cluster.states()
    for node in root_data_cluster.nodes:
        code, survey = node.call("survey")
        assert code == 0, survey
        namespaces = {namespace["name"]: namespace for namespace in survey["namespaces"]}
        (file,) = namespaces["test"]["paths"]
        assert (file["mount_point"], file["freezable"]) == ("/", False)
        assert file["freeze_reason"] is not None
        assert "/" in file["freeze_reason"]
        assert file["volume_id"] == node.volumes["/dev/sda1"]
    for code, result in stop_writes(root_data_cluster.nodes, run="root", lease_s=4.0, freeze="/"):
        assert (code, result["error"]["code"]) == (3, "not_freezable"), result
        assert result["error"]["detail"].startswith("/: ")
    assert root_data_cluster.states() == before
    assert not any(node.run_directory("root").exists() or node.thaw("/") for node in root_data_cluster.nodes)


def test_data_on_the_root_filesystem_is_written_back_under_the_guard_and_loses_nothing(
    root_data_cluster: ThreeNodes,
) -> None:
    before = root_data_cluster.states()
    with root_data_cluster.written_to() as writer:
        arm(root_data_cluster.nodes, run="synced", lease_s=20.0, freeze="none")
        for node in root_data_cluster.nodes:
            node.wait_for_state("synced", "holding")
        cuts = [node.cut(with_root=True) for node in root_data_cluster.nodes]
        evidence = resume(root_data_cluster.nodes, run="synced")
    assert root_data_cluster.states() == before
    for seen in evidence:
        assert seen["ended_by"] == "resume", seen
        assert seen["guarded_all"]
        assert seen["mounts"] == {}
        assert list(seen["synced"]) == ["/opt/aerospike/test.dat"]
        assert max(seen["synced"].values()) < cuts[0].requested_at
        assert cuts[-1].responded_at < seen["times"]["lift_started"]
    verdict = judge_copies(
        root_data_cluster.plane,
        [cut.copy for cut in cuts],
        ledger=writer.ledger,
        first_request_at=cuts[0].requested_at,
        last_response_at=cuts[-1].responded_at,
        lay_out=prepare_on_root,
    )
    assert verdict.before_cut > 0
    found = {name: verdict.raw[name] for name in ("lost", "stale", "from_after_cut", "holes", "unexplained")}
    assert set(found.values()) == {0}, verdict.raw
