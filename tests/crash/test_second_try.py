"""What comes to nothing for a reason that may pass is ended everywhere and tried once more, whoever dies meanwhile."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import pytest
from aerokeep.model.recovery_point import Manifest
from aerokeep.rules.second_try import BETWEEN_TRIES_S

from sandbox.light.guarding import Stop
from sandbox.light.launch import LightCluster
from sandbox.region import ApiCall, ApiError
from tests.crash.backups import half_points
from tests.crash.field import GUARDIAN, Execution, Field
from tests.crash.journeys import WRITE_STOP
from tests.crash.rows import How, handler_of
from tests.crash.strikes import Strike

pytestmark = pytest.mark.sampled

LONG = {**WRITE_STOP, "lease_s": 60, "budget_s": 60}
"""A lease does not end by itself before a test has looked."""
SECONDS = iter(range(10, 60))
Fault = Callable[[Field, LightCluster, str], Callable[[ApiCall], None]]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What goes wrong in one backup."""

    fault: Fault | None = None
    strikes: tuple[tuple[str, How, str], ...] = ()
    settings: Mapping[str, Any] = dataclass_field(default_factory=dict)
    guarded: bool = False
    """The guardian comes after it."""


@dataclass(frozen=True)
class Seen:
    """What a scene left."""

    field: Field
    cluster: LightCluster
    point: str
    execution: Execution

    @property
    def states(self) -> list[str]:
        """Those that were entered."""
        entered = (event.get("stateEnteredEventDetails") for event in self.execution.events)
        return [details["name"] for details in entered if details]

    @property
    def manifest(self) -> Manifest:
        """Of the point that was made."""
        return Manifest.model_validate(self.field.manifest(self.cluster.name, self.point))

    @property
    def stops(self) -> list[Stop]:
        """The last write stop of each host."""
        with self.field.plane.lock:
            return [server.host.stop for server in self.cluster.servers() if isinstance(server.host.stop, Stop)]

    @property
    def tombstones(self) -> list[set[str]]:
        """Of each host."""
        with self.field.plane.lock:
            return [set(server.host.tombstones) for server in self.cluster.servers()]


def _throttled(times: int, *, code: str = "RequestLimitExceeded", status: int = 503) -> Fault:
    """The second node's cut is refused so many times."""

    def fault(_: Field, cluster: LightCluster, __: str) -> Callable[[ApiCall], None]:
        left = [times]

        def strike(call: ApiCall) -> None:
            second = cluster.members[1].instance_id
            if call.action == "CreateSnapshots" and second in repr(call.params) and left[0]:
                left[0] -= 1
                raise ApiError(code, "as the test wants it", status=status)

        return strike

    return fault


def _deaf(times: int) -> Fault:
    """The second node's agent picks up so many stops of this run too late, and every resumption in time."""

    def fault(field: Field, cluster: LightCluster, point: str) -> Callable[[ApiCall], None]:
        left = [times]
        second = cluster.members[1].instance_id

        def strike(call: ApiCall) -> None:
            if call.action != "SendCommand" or point not in repr(call.params):
                return
            if "stop-writes" in call.params["DocumentName"] and left[0]:
                left[0] -= 1
                field.region.set_agent(second, online=True, hears=False)
            elif "resume-writes" in call.params["DocumentName"]:
                field.region.set_agent(second, online=True)

        return strike

    return fault


ONCE_NOT_CUT = ("CutSnapshots", How.ERROR, "ec2.CreateSnapshots")
SCENES: Mapping[str, Scene] = {
    "throttled": Scene(fault=_throttled(1)),
    "throttled-twice": Scene(fault=_throttled(2)),
    "refused": Scene(fault=_throttled(1, code="UnauthorizedOperation", status=403)),
    "deaf": Scene(fault=_deaf(1)),
    "deaf-twice": Scene(fault=_deaf(2), settings={"shortfall": "degrade"}),
    "killed": Scene(strikes=(ONCE_NOT_CUT, ("CutSnapshots", How.KILLED, "")), settings={"write_stop": LONG}),
    "stopped": Scene(
        strikes=(ONCE_NOT_CUT, ("CutSnapshots", How.GONE, "")), settings={"write_stop": LONG}, guarded=True
    ),
    "crash": Scene(fault=_throttled(1), settings={"consistency": "crash"}),
}


@pytest.fixture(scope="module")
def played(field: Field) -> Iterator[Mapping[str, Future[Seen]]]:
    """All scenes, each on a cluster of its own, side by side."""
    with ThreadPoolExecutor(len(SCENES), thread_name_prefix="scene") as pool:
        yield {name: pool.submit(_play, field, name, scene) for name, scene in SCENES.items()}


def _play(field: Field, name: str, scene: Scene) -> Seen:
    cluster = field.launch(name, **{"write_stop": WRITE_STOP, **scene.settings})
    due = f"2026-11-23T12:00:{next(SECONDS)}Z"
    point = f"{name}-{due.replace('-', '').replace(':', '')}"
    strikes = [Strike(handler_of("backup", state), how, action) for state, how, action in scene.strikes]
    with ExitStack() as stack:
        if scene.fault is not None:
            stack.enter_context(field.region.faults.during(before=scene.fault(field, cluster, point)))
        if strikes:
            field.strikes.arm(name, field.arn_of("backup", name), strikes)
            stack.callback(field.strikes.disarm, name)
        execution = field.run("backup", name, {"cluster": name, "scheduled_time": due})
    if scene.guarded:
        field.let_busy_time_pass(name)
        field.run(GUARDIAN, f"{name}-round", {"cluster": name})
    return Seen(field, cluster, point, execution)


@pytest.mark.parametrize("name", ["throttled", "deaf", "crash"])
def test_what_went_wrong_once_is_tried_once_more_and_succeeds(played: Mapping[str, Future[Seen]], name: str) -> None:
    seen = played[name].result()
    assert seen.execution.status == "SUCCEEDED", seen.execution.words
    manifest = seen.manifest
    (failed,) = manifest.failed_tries
    assert (failed.number, failed.unheard, manifest.label.tries) == (1, {}, 2)
    assert seen.cluster.members[1].instance_id in failed.reason
    assert (manifest.first_request - failed.ended_at).total_seconds() >= BETWEEN_TRIES_S
    assert seen.states.count("StopWrites") == 2
    held = seen.field.region.client("ec2").describe_snapshots(Filters=_of_run(seen.point))["Snapshots"]
    assert {s["SnapshotId"] for s in held} == {s.id for s in manifest.snapshots}
    assert {t["Value"] for s in held for t in s["Tags"] if t["Key"] == "aerokeep:try"} == {"2"}


@pytest.mark.parametrize("name", ["throttled", "deaf"])
def test_the_second_try_has_a_window_a_token_and_a_name_of_its_own_and_the_first_has_tombstones(
    played: Mapping[str, Future[Seen]], name: str
) -> None:
    seen = played[name].result()
    window = seen.manifest.window
    assert window is not None
    assert window.go
    assert {(stop.run, stop.token, stop.ended_by) for stop in seen.stops} == {
        (f"{seen.point}-2", window.token, "resume")
    }
    assert seen.manifest.label.consistency == "cluster", seen.manifest.label.reasons
    assert all(seen.point in tombstones for tombstones in seen.tombstones)


def test_the_write_stop_of_the_first_try_is_told_apart(played: Mapping[str, Future[Seen]]) -> None:
    manifest = played["throttled"].result().manifest
    (failed,) = manifest.failed_tries
    assert failed.write_stop_s is not None
    assert failed.write_stop_s > 0
    assert manifest.label.write_stop_s is not None
    (of_a_no_go,) = played["deaf"].result().manifest.failed_tries
    assert of_a_no_go.write_stop_s is None


def test_nothing_is_tried_a_third_time(played: Mapping[str, Future[Seen]]) -> None:
    seen = played["throttled-twice"].result()
    assert (seen.execution.status, seen.execution.error) == ("FAILED", "NotReadyError")
    assert seen.execution.cause.startswith("cut_failed: ")
    assert seen.execution.cause.endswith("(try 2 of 2)")
    assert list(half_points(seen.field, seen.cluster.name)) == []


def test_what_was_refused_for_good_is_not_tried_again(played: Mapping[str, Future[Seen]]) -> None:
    seen = played["refused"].result()
    assert seen.execution.cause.startswith("cut_failed: ")
    assert "UnauthorizedOperation" in seen.execution.cause
    assert "EndTry" not in seen.states


def test_an_operator_who_accepts_less_gets_it_only_after_the_second_try(played: Mapping[str, Future[Seen]]) -> None:
    seen = played["deaf-twice"].result()
    assert seen.execution.status == "SUCCEEDED", seen.execution.words
    label = seen.manifest.label
    assert (label.consistency, label.tries) == ("crash", 2)
    assert label.reasons[0].startswith("the write stop was called off: ")
    assert label.reasons[0].endswith("(try 2 of 2)")
    assert label.reasons[-1].startswith("try 1: not_armed: ")


@pytest.mark.parametrize("name", ["killed", "stopped"])
def test_whoever_cleans_up_after_a_death_in_the_second_try_ends_the_stops_of_both(
    played: Mapping[str, Future[Seen]], name: str
) -> None:
    seen = played[name].result()
    assert seen.execution.status == ("FAILED" if name == "killed" else "ABORTED")
    assert {(stop.run, stop.ended_by) for stop in seen.stops} == {(f"{seen.point}-2", "resume")}
    assert all({seen.point, f"{seen.point}-2"} <= tombstones for tombstones in seen.tombstones)
    assert seen.field.manifest(name, seen.point)["state"] == "abandoned"
    assert list(half_points(seen.field, seen.cluster.name)) == []
    assert "owner" not in seen.field.lock(name)


def _of_run(point: str) -> list[Any]:
    return [{"Name": "tag:aerokeep:run", "Values": [point]}]
