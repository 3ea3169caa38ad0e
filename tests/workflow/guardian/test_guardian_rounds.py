"""One round of the guardian settles a backup that died, halts a restore that died, and leaves the living alone."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from aerokeep.model.recovery_point import Abandonment

from sandbox.region import ApiCall, ApiError
from tests.told import told_of_executions
from tests.workflow.backup.estate import PATIENT, Ended, Estate, point_of
from tests.workflow.backup.picture import settings
from tests.workflow.backup.small_cluster import Addresses, SmallCluster, launch_small
from tests.workflow.guardian.rounds import function_of, guardian_round, hold, lock_of, rounds, uncalled_by_events
from tests.workflow.region.shapes import eventually

pytestmark = pytest.mark.sampled

NAME = "guarded"
LONGEST_S = 150.0


DEATHS = {
    "stopwrites": ("StopWrites", "stop"),
    "cut": ("CutSnapshots", "stop"),
    "capture": ("CaptureMetadata", "stop"),
    "stopwrites-killed": ("StopWrites", "kill"),
    "cut-killed": ("CutSnapshots", "kill"),
}
"""Cluster → the state in which its backup dies, and whether its Lambda dies with it."""


@dataclass(frozen=True)
class Settled:
    """Backups that died, and the one round after."""

    clusters: dict[str, SmallCluster]
    points: dict[str, str]
    before: dict[str, dict[str, str]]
    round_: Ended


@pytest.fixture(scope="module")
def cluster(estate: Estate, addresses: Addresses) -> SmallCluster:
    made = launch_small(estate.region, estate.plane, addresses, tag=estate.configure(NAME, write_stop=PATIENT))
    made.wait_ready()
    return made


@pytest.fixture(scope="module")
def settled(estate: Estate, addresses: Addresses) -> Settled:
    """Every backup dies by itself; the round comes when the last one has."""
    clusters = {
        name: launch_small(estate.region, estate.plane, addresses, tag=estate.configure(name, write_stop=PATIENT))
        for name in DEATHS
    }
    for made in clusters.values():
        made.wait_ready()
    before = {name: settings(made) for name, made in clusters.items()}
    with uncalled_by_events(estate), ThreadPoolExecutor(len(DEATHS)) as pool:
        dying = {
            name: pool.submit(_dies_in, estate, name, state) for name, (state, by) in DEATHS.items() if by == "stop"
        }
        points = {name: died.result() for name, died in dying.items()}
        # Which run a Lambda works for can't be told from outside: these have the machine to themselves.
        points |= {name: _dies_in(estate, name, state, by) for name, (state, by) in DEATHS.items() if by == "kill"}
        return Settled(clusters, points, before, guardian_round(estate))


def _dies_in(estate: Estate, name: str, state: str, by: str = "stop") -> str:
    """A backup that is stopped (or stopped and its Lambda killed) in one state → its point."""
    at = estate.a_time()
    arn = estate.start(cluster=name, scheduled_time=at)
    estate.wait_for_state(arn, state)
    estate.region.client("stepfunctions").stop_execution(executionArn=arn, error="Test", cause="it had to die")
    if by == "kill":
        assert eventually(lambda: estate.region.fleet.kill(function_of(estate, "backup", state)) > 0)
    assert estate.ended(arn).status == "ABORTED"
    return point_of(name, at)


@pytest.mark.parametrize("name", DEATHS)
def test_one_round_settles_every_backup_that_was_stopped(estate: Estate, settled: Settled, name: str) -> None:
    assert settled.round_.status == "SUCCEEDED", settled.round_.message
    point = settled.points[name]
    assert estate.owner(name) is None
    assert settings(settled.clusters[name]) == settled.before[name]
    assert estate.snapshots(point) == []
    outcome = estate.outcome(name, point)
    assert isinstance(outcome, Abandonment)
    assert outcome.reason == "dead_run: found by the guardian: its execution is ABORTED"
    assert estate.entry(name, point)["state"] == "abandoned"


def test_a_second_round_finds_nothing_and_a_running_backup_is_left_alone(
    uncalled: Estate, cluster: SmallCluster
) -> None:
    assert cluster.ids
    at = uncalled.a_time()
    arn = uncalled.start(cluster=NAME, scheduled_time=at)
    uncalled.wait_for_state(arn, "StopWrites")
    ended = guardian_round(uncalled, cluster=NAME)
    assert (ended.status, ended.output["found"]["alive"]) == ("SUCCEEDED", [point_of(NAME, at)])
    assert ended.output["outcomes"] == []
    backup = uncalled.ended(arn)
    assert backup.status == "SUCCEEDED", backup.message
    again = guardian_round(uncalled)
    assert again.output["found"] | {"halted": []} == {
        "dead": [], "waiting": {}, "alive": [], "halted": [], "again": False, "wait_s": 0,
    }  # fmt: skip


@pytest.mark.parametrize("journey", ["restore", "replace-node", "import"])
def test_a_dead_journey_that_must_not_be_undone_is_halted_and_paged(uncalled: Estate, journey: str) -> None:
    name = f"half-{journey}"
    uncalled.configure(name)
    hold(uncalled, name, journey=journey)
    topic = uncalled.outputs["FailuresTopicArn"]

    def words() -> list[str]:
        return [message for message in uncalled.region.topic_messages(topic) if f"of cluster {name} " in message]

    ended = guardian_round(uncalled, cluster=name)
    assert ended.status == "SUCCEEDED", ended.message
    lock = lock_of(uncalled, name)
    assert (lock["state"], lock["epoch"]) == ("halted", "4")
    assert lock["reason"] == "dead_run: its execution is gone, and nothing was undone"
    (message,) = words()
    assert f"The {journey} {name}-restore-20260101T000000Z of cluster {name} ended in the middle" in message
    assert f"start the state machine of {journey} with the same input again" in message
    again = guardian_round(uncalled, cluster=name)
    assert again.output["found"]["halted"] == [lock["run"]]
    assert words() == [message]
    assert lock_of(uncalled, name) == lock


def test_what_a_dead_protection_held_is_let_go(uncalled: Estate) -> None:
    uncalled.configure("shielded")
    hold(uncalled, "shielded", journey="protect")
    ended = guardian_round(uncalled)
    assert [done["remedy"] for done in ended.output["outcomes"]] == ["release"]
    assert lock_of(uncalled, "shielded").keys() == {"pk", "sk", "epoch"}


def test_a_lambda_that_may_still_act_is_waited_for(uncalled: Estate) -> None:
    uncalled.configure("busy")
    until = time.time() + 3
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(until))
    hold(uncalled, "busy", journey="protect", busy_until=stamp)
    ended = guardian_round(uncalled, cluster="busy")
    assert ended.states.count("FindDeadRuns") > 1
    assert time.time() >= int(until)
    assert uncalled.owner("busy") is None


def test_a_wait_that_is_long_is_left_to_the_schedule(uncalled: Estate) -> None:
    uncalled.configure("busier")
    hold(uncalled, "busier", journey="protect", busy_until="2099-01-01T00:00:00+00:00")
    ended = guardian_round(uncalled, cluster="busier")
    assert ended.status == "SUCCEEDED"
    assert "a Lambda of it may be acting until 2099" in next(iter(ended.output["found"]["waiting"].values()))
    assert uncalled.owner("busier") is not None
    hold(uncalled, "busier", journey="protect")
    guardian_round(uncalled, cluster="busier")


@pytest.fixture
def two_dead(uncalled: Estate) -> Iterator[tuple[str, str]]:
    names = ("first", "second")
    for name in names:
        uncalled.configure(name)
        hold(uncalled, name, journey="backup", run=f"{name}-20260101T000000Z")
    yield names
    guardian_round(uncalled)


def test_a_run_that_cannot_be_settled_hinders_no_other_and_fails_the_round(
    uncalled: Estate, two_dead: tuple[str, str]
) -> None:
    first, second = two_dead

    def refuse(call: ApiCall) -> None:
        if "SettleRun" in call.caller and call.action == "PutObject" and f"{first}-" in repr(call.params):
            raise ApiError("AccessDenied", "as the test wants it", status=403)

    with uncalled.region.faults.during(before=refuse):
        ended = guardian_round(uncalled)
    assert ended.status == "FAILED"
    assert "as the test wants it" in ended.message
    assert uncalled.owner(first) is not None
    assert uncalled.owner(second) is None


def test_a_halted_run_that_was_taken_up_between_two_states_is_not_touched(uncalled: Estate) -> None:
    uncalled.configure("revived")
    hold(uncalled, "revived")
    other = uncalled.outputs["BackupMachineArn"].replace(":stateMachine:", ":execution:") + ":another"

    def take_up(call: ApiCall) -> None:
        if "SettleRun" in call.caller and call.action == "GetItem":
            hold(uncalled, "revived", owner=other, epoch=5)

    with uncalled.region.faults.during(before=take_up):
        ended = guardian_round(uncalled, cluster="revived")
    assert [done["remedy"] for done in ended.output["outcomes"]] == [None]
    lock = lock_of(uncalled, "revived")
    assert (lock["owner"], lock["epoch"], lock["state"]) == (other, "5", "held")
    hold(uncalled, "revived", state="halted")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"clusters": ["a"]}, "field clusters"),
        ({"cluster": "No Name"}, "field cluster"),
        ({"cluster": "nobody-knows"}, "unknown_cluster"),
    ],
)
def test_a_wrong_input_is_refused_by_the_name_of_the_field(
    uncalled: Estate, request_: dict[str, object], words: str
) -> None:
    ended = guardian_round(uncalled, **request_)
    assert (ended.status, ended.error) == ("FAILED", "RejectedError")
    assert words in ended.message


def test_an_aborted_backup_calls_the_guardian_by_itself(estate: Estate, cluster: SmallCluster) -> None:
    before = settings(cluster)
    known = rounds(estate)
    point = _dies_in(estate, NAME, "CutSnapshots")
    deadline = time.monotonic() + LONGEST_S
    while estate.owner(NAME) is not None:
        assert time.monotonic() < deadline, "nobody came"
        time.sleep(0.1)
    assert len(rounds(estate)) > len(known)
    for arn in set(rounds(estate)) - set(known):
        assert estate.ended(arn).status == "SUCCEEDED"
    assert settings(cluster) == before
    assert estate.snapshots(point) == []
    assert isinstance(estate.outcome(NAME, point), Abandonment)
    told = told_of_executions(estate.region, estate.outputs["FailuresTopicArn"])
    ours = [detail["status"] for detail in told if json.loads(detail["input"]).get("cluster") == NAME]
    assert ours[-1] == "ABORTED"
