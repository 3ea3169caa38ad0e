"""Nobody comes to end the write stop, or the host hangs meanwhile: the lease undoes everything all the same."""

import time
from pathlib import Path

import pytest

from sandbox.cluster import MOUNT_POINT, NAMESPACES
from sandbox.witness.ledger import Entry, Outcome, read
from tests.e2e.negative.three_nodes import ThreeNodes
from tests.plane_nodes import LONG_WRITE, Node, arm, eventually, long_write, resume, stop_writes

pytestmark = [pytest.mark.root, pytest.mark.sampled]

GUARD = ("reject-non-xdr-writes", "true")


def guards(node: Node) -> list[str]:
    return [node.settings(name)["reject-non-xdr-writes"] for name in NAMESPACES]


def entries(ledger: Path) -> list[Entry]:
    with ledger.open() as lines:
        return list(read(lines))


def by_outcome(found: list[Entry], outcome: Outcome, *, after: float, before: float) -> list[Entry]:
    """Writes of that outcome that lie wholly between two instants."""
    return [e for e in found if e.outcome is outcome and e.sent_at > after and e.ended_at < before]


def test_a_lease_whose_controller_vanished_ends_by_itself_and_writes_flow_again(cluster: ThreeNodes) -> None:
    before = cluster.states()
    with cluster.written_to() as writer:
        armed = arm(cluster.nodes, run="vanished", lease_s=6.0)
        evidence = [node.evidence("vanished") for node in cluster.nodes]  # nobody calls resume-writes
        time.sleep(1.0)
    assert cluster.states() == before
    for answer, seen in zip(armed, evidence, strict=True):
        assert seen["ended_by"] == "lease", seen
        assert seen["guarded_all"], seen
        assert seen["times"]["thaw_started"] >= answer["end_at"]
        assert seen["mounts"][MOUNT_POINT]["held"], seen
        assert {name: one["former"] for name, one in seen["namespaces"].items()} == answer["former"]
    found = entries(writer.ledger)
    guarded = max(seen["times"]["guarded"] for seen in evidence)
    lifting = min(seen["times"]["lift_started"] for seen in evidence)
    lifted = max(seen["times"]["lifted"] for seen in evidence)
    assert by_outcome(found, Outcome.ACKNOWLEDGED, after=0.0, before=guarded)
    assert by_outcome(found, Outcome.REJECTED, after=guarded, before=lifting)
    assert by_outcome(found, Outcome.ACKNOWLEDGED, after=guarded, before=lifting) == []
    assert by_outcome(found, Outcome.ACKNOWLEDGED, after=lifted, before=time.time())


def test_a_freeze_that_succeeds_after_the_leases_thaw_was_refused_is_thawed_all_the_same(cluster: ThreeNodes) -> None:
    node = cluster.nodes[0]
    below = long_write(node)
    (armed,) = arm([node], run="slow", lease_s=5.0, path=f"/{LONG_WRITE}")
    eventually((below / "began").exists, "the freeze has begun")
    node.wait_for_state("slow", "undoing")
    # The lift follows the first thaw, which found nothing frozen: the freeze has not happened yet.
    eventually(lambda: guards(node) == ["false", "false"], "lifted")
    assert not (below / "code").exists()
    assert node.read("slow", "evidence.json") is None, "it is not over while something can still freeze"
    (below / "go").touch()
    seen = node.evidence("slow")
    assert (below / "code").read_text().strip() == "0", "the late freeze did succeed"
    mount = seen["mounts"][MOUNT_POINT]
    assert mount["frozen"] is not None
    assert mount["frozen"] > armed["end_at"]
    assert mount["thawed"] is not None
    assert mount["thawed"] > armed["end_at"]
    assert seen["ended_by"] == "lease", seen
    assert not node.thaw(MOUNT_POINT), "nothing is frozen any more"
    probe = f"{MOUNT_POINT}/probe"
    code, words = node.shell(f"echo x >{probe} && sync {probe} && rm {probe}")
    assert code == 0, words


def test_a_set_config_that_hangs_over_the_lease_is_lifted_all_the_same(cluster: ThreeNodes) -> None:
    """The server notes changes in its work directory, which stands still: it takes them in after T1."""
    node = cluster.nodes[0]
    before = node.state()
    done = node.changes_done(*GUARD)
    (armed,) = arm([node], run="hanging", lease_s=3.0)
    node.freeze("/")
    try:
        node.wait_for_state("hanging", "undoing")
        eventually(lambda: time.time() > armed["end_at"] + 0.5, "T1 has passed")
        assert guards(node) == ["false", "false"], "the guard has not been set yet"
        assert node.read("hanging", "evidence.json") is None, "it is not over while the guard can still be set"
        thawed_at = time.time()
    finally:
        assert node.thaw("/")
    seen = node.evidence("hanging")
    eventually(lambda: node.changes_done(*GUARD) == done + len(NAMESPACES), "the guard did land")
    assert seen["times"]["guard_sent"] < armed["end_at"]
    assert seen["times"]["guarded"] is None
    assert not seen["guarded_all"]
    assert seen["times"]["lifted"] > thawed_at > armed["end_at"]
    assert node.state() == before


def test_a_stop_writes_delivered_after_its_t0_changes_nothing(cluster: ThreeNodes) -> None:
    before = cluster.states()
    changes = [node.changes_done() for node in cluster.nodes]
    lead_s = -0.5  # SSM took its time
    for code, result in stop_writes(cluster.nodes, run="late", lease_s=8.0, lead_s=lead_s):
        assert (code, result["error"]["code"]) == (3, "too_late"), result
    assert cluster.states() == before
    assert [node.changes_done() for node in cluster.nodes] == changes
    assert resume(cluster.nodes, run="late") == [None, None, None]
    assert not any(node.run_directory("late").exists() for node in cluster.nodes)


def test_a_host_that_slept_over_its_t0_stops_no_write(cluster: ThreeNodes) -> None:
    node = cluster.nodes[0]
    before = node.state()
    (armed,) = arm([node], run="asleep", lease_s=8.0)
    intent = node.read("asleep", "intent.json")
    assert intent is not None
    node.shell(f"kill -STOP {intent['resident']}")
    changes = node.changes_done()
    eventually(lambda: time.time() > armed["start_at"] + 1.0, "T0 has passed")
    node.shell(f"kill -CONT {intent['resident']}")
    seen = node.evidence("asleep")
    assert seen["ended_by"] == "never_started", seen
    assert seen["times"]["guard_sent"] is None
    assert node.changes_done() == changes, "no setting was touched"
    assert node.state() == before
