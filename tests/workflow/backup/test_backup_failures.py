"""Whatever fails: writes flow again, no half point and no lock is left, and the first error is the one that is told."""

from collections.abc import Iterator, Mapping

import pytest
from aerokeep.model.recovery_point import Abandonment, Manifest

from sandbox.dataplane.plane import TRUE_CLOCK, NodeClock
from sandbox.region import ApiCall, ApiError, LostResponseError
from tests.workflow.backup.estate import PATIENT, Estate
from tests.workflow.backup.failing_runs import CRASH, After, Case, Players, Run, refuse
from tests.workflow.backup.small_cluster import Addresses, SmallCluster, launch_small

DENIED = refuse("AccessDenied", status=403)


def _refuse_the_second_node(run: Run, call: ApiCall) -> None:
    if run.cluster.ids[1] in repr(call.params):
        raise ApiError("InvalidParameterValue", "as the test wants it")


def _lose(_run: Run, _call: ApiCall) -> None:
    raise LostResponseError


def _break_a_member(run: Run, _call: ApiCall) -> None:
    """The set exists; a moment later AWS puts one member into error."""
    run.estate.region.snapshots.fail(run.estate.snapshots(run.point)[0]["SnapshotId"], "the key can't be used")


def _silence(run: Run, _call: ApiCall) -> None:
    """The second node's agent picks nothing up, though it looks connected, until it alone is told to resume."""
    region, second = run.estate.region, run.cluster.ids[1]
    region.set_agent(second, online=True, hears=False)

    def come_back(call: ApiCall) -> None:
        if call.action == "SendCommand" and call.params["InstanceIds"] == [second]:
            region.set_agent(second, online=True)

    region.faults.before(come_back)


ABANDONED = {
    "lock": Case(state="AcquireLock", action="PutItem", act=DENIED),
    "order": Case(state="AcquireLock", action="PutObject", act=DENIED),
    "survey": Case(state="DiscoverCluster", action="SendCommand", act=DENIED),
    "plan": Case(state="PlanBackup", action="PutObject", act=DENIED),
    "arm": Case(state="StopWrites", action="SendCommand", act=DENIED),
    "cut": Case(state="CutSnapshots", action="CreateSnapshots", act=_refuse_the_second_node),
    "resume": Case(state="ResumeWrites", action="SendCommand", act=DENIED),
    "tags": Case(state="TagSnapshots", action="CreateTags", act=DENIED, request=CRASH),
    "capture": Case(state="CaptureMetadata", action="SendCommand", act=DENIED, request=CRASH),
    "member": Case(state="CutSnapshots", action="CreateSnapshots", act=_break_a_member, effective=True, request=CRASH),
    "manifest": Case(state="CommitPoint", action="PutObject", about="manifest.json", act=DENIED, request=CRASH),
}
COMMITTED = {
    "record": Case(state="CommitPoint", action="PutItem", act=DENIED, request=CRASH),
    "release": Case(state="ReleaseLock", action="UpdateItem", act=DENIED, request=CRASH),
}


def _answer_lost(state: str, action: str, about: str = "", request: Mapping[str, str] = CRASH) -> Case:
    """The call has its effect, its answer is lost once, and boto3 makes it again (but for the cut)."""
    return Case(state=state, action=action, about=about, act=_lose, effective=True, times=1, request=request)


SURVIVED = {
    "lost lock": _answer_lost("AcquireLock", "UpdateItem"),
    "lost announcement": _answer_lost("AcquireLock", "PutItem"),
    "lost survey": _answer_lost("DiscoverCluster", "SendCommand"),
    "lost cut": _answer_lost("CutSnapshots", "CreateSnapshots", request={}),
    "lost resumption": _answer_lost("ResumeWrites", "SendCommand", request={}),
    "lost tags": _answer_lost("TagSnapshots", "CreateTags"),
    "lost capture": _answer_lost("CaptureMetadata", "SendCommand"),
    "lost manifest": _answer_lost("CommitPoint", "PutObject", about="manifest.json"),
    "lost record": _answer_lost("CommitPoint", "PutItem"),
    "lost release": _answer_lost("ReleaseLock", "UpdateItem"),
    "throttled tags": Case(
        state="TagSnapshots",
        action="CreateTags",
        act=refuse("RequestLimitExceeded", status=503),
        times=6,
        request=CRASH,
    ),
}
LOST_STOP = _answer_lost("StopWrites", "SendCommand", request={})
SILENT = Case(state="StopWrites", action="SendCommand", about="stop-writes", act=_silence)
DEGRADED = Case(state="nobody", action="", act=DENIED, request={"shortfall": "degrade"})
TOLD = {
    "cut": ("NotReadyError", "cut_failed: "),
    "member": ("CorruptError", "the key can't be used"),
}
PLAYED_BY = {
    **dict.fromkeys(("arm", "cut"), "two"),
    **dict.fromkeys(("lock", "order", "survey", "plan", "resume", "lost cut", "lost manifest", "lost capture"), "one"),
    **dict.fromkeys(("lost resumption", "member", "record", "throttled tags", "lost record"), "other"),
}
"""The clusters, so that each has about as long to play; the others are played on the one with the wild clock."""
AS_BOTO3_NAMES_IT = {"ClientError", "AccessDenied"}
"""What AWS refuses by a code that our table doesn't know goes by boto3's class."""


@pytest.fixture(scope="module")
def players(estate: Estate, addresses: Addresses) -> Iterator[Players]:
    """Four clusters; every case is under way, those that wait most first."""

    def launched(name: str, *clocks: NodeClock) -> SmallCluster:
        tag = estate.configure(name, write_stop=PATIENT)
        return launch_small(estate.region, estate.plane, addresses, tag=tag, clocks=clocks)

    clusters = {
        "one": launched("one", TRUE_CLOCK),
        "other": launched("other", TRUE_CLOCK),
        "two": launched("two", TRUE_CLOCK, TRUE_CLOCK),
        "wild": launched("wild", NodeClock(synchronised=False)),
    }
    for cluster in clusters.values():
        cluster.wait_ready()
    made = Players(estate, clusters)
    try:
        made.begin("degraded", "wild", DEGRADED)
        made.begin("silent", "two", SILENT)
        made.begin("lost stop", "other", LOST_STOP)
        for title, case in {**ABANDONED, **COMMITTED, **SURVIVED}.items():
            made.begin(title, PLAYED_BY.get(title, "wild"), case)
        yield made
    finally:
        made.close()


def _nothing_is_held(after: After) -> None:
    assert after.owner is None
    assert after.settings_after == after.settings_before
    assert all("reject-non-xdr-writes=true" not in told for told in after.settings_after.values())


def _given_up(after: After) -> Abandonment:
    _nothing_is_held(after)
    assert after.ended.status == "FAILED"
    assert after.ended.states[-2:] == ["AbandonPoint", "BackupFailed"], repr(after.ended)
    assert after.snapshots == []
    assert isinstance(after.outcome, Abandonment)
    assert after.outcome.execution == after.ended.arn
    assert after.entry["state"] == "abandoned"
    return after.outcome


@pytest.mark.parametrize("title", ABANDONED)
def test_a_failure_gives_the_point_up_and_lets_the_cluster_go(players: Players, title: str) -> None:
    after = players.result(title)
    assert after.struck > 0, after.ended
    given_up = _given_up(after)
    assert ABANDONED[title].state in after.ended.states or title == "member"
    error, words = TOLD.get(title, ("", "(AccessDenied) when calling the"))
    assert after.ended.error == error or (not error and after.ended.error in AS_BOTO3_NAMES_IT)
    assert words in after.ended.message
    assert given_up.reason == f"{after.ended.error}: {after.ended.message}", "no stack trace, no JSON"


@pytest.mark.parametrize("title", ["silent", "arm", "cut", "resume"])
def test_a_failure_while_writes_are_stopped_leaves_a_tombstone_on_every_host(players: Players, title: str) -> None:
    after = players.result(title)
    for instance_id in after.run.cluster.ids:
        assert "tombstone" in after.run_files(instance_id)


@pytest.mark.parametrize("title", COMMITTED)
def test_a_committed_point_outlives_a_failure_after_it(players: Players, title: str) -> None:
    after = players.result(title)
    assert after.struck > 0
    _nothing_is_held(after)
    assert after.ended.status == "FAILED"
    assert after.ended.error in AS_BOTO3_NAMES_IT
    assert after.ended.output_of("AbandonPoint")["committed"] is True
    assert isinstance(after.outcome, Manifest)
    assert {s["SnapshotId"] for s in after.snapshots} == {s.id for s in after.outcome.snapshots}


@pytest.mark.parametrize("title", SURVIVED)
def test_a_doubtful_answer_or_a_throttle_makes_one_good_point(players: Players, title: str) -> None:
    after = players.result(title)
    assert after.struck > 0
    _nothing_is_held(after)
    assert after.ended.status == "SUCCEEDED", after.ended.message
    assert isinstance(after.outcome, Manifest)
    volumes = [volume for node in after.run.cluster.nodes.values() for volume in node.volumes.values()]
    assert {s.id for s in after.outcome.snapshots} == {s["SnapshotId"] for s in after.snapshots}
    assert len(after.snapshots) == len({s["VolumeId"] for s in after.snapshots}) <= len(volumes)


def test_a_host_that_falls_silent_before_it_is_armed_is_a_no_go(players: Players) -> None:
    after = players.result("silent")
    second = after.run.cluster.ids[1]
    given_up = _given_up(after)
    assert after.ended.error == "NotReadyError"
    assert "not_armed: " in after.ended.message
    assert second in after.ended.message
    assert "nothing was stopped or cut" in after.ended.message
    assert "raise lead_s" in after.ended.message
    assert "CutSnapshots" not in after.ended.states
    assert "not_armed" in given_up.reason
    assert after.ended.output_of("AbandonPoint")["still_stopping"] == []


def test_a_stop_that_was_sent_twice_after_a_lost_answer_is_whole_or_called_off(players: Players) -> None:
    # SendCommand has no ClientToken, so boto3's second try is a second command. Which of the two arms first on the host
    # is a race: the later one finds the stop armed, or is refused as a second stop. Either end must be a clean one.
    after = players.result("lost stop")
    assert after.struck == 1
    _nothing_is_held(after)
    if after.ended.status == "SUCCEEDED":
        assert isinstance(after.outcome, Manifest)
        assert {s["SnapshotId"] for s in after.snapshots} == {s.id for s in after.outcome.snapshots}
    else:
        _given_up(after)
        assert (after.ended.error, after.ended.message.partition(":")[0]) == ("ConflictError", "guard_held")


def test_degrade_accepts_a_lower_label_and_says_why(players: Players) -> None:
    after = players.result("degraded")
    _nothing_is_held(after)
    assert after.ended.status == "SUCCEEDED", after.ended.message
    assert isinstance(after.outcome, Manifest)
    label = after.outcome.label
    assert label.consistency != "cluster"
    assert any("clock" in reason for reason in label.reasons), label.reasons
    assert any(note.startswith("clock_unsynchronised") for note in after.outcome.plan.notes)
    assert after.entry["consistency"] == label.consistency
