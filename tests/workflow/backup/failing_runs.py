"""Runs in which one thing goes wrong, each on a cluster that has no other run, several clusters at a time."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from aerokeep.model.recovery_point import Abandonment, Manifest

from sandbox.region import ApiCall, ApiError
from tests.workflow.backup.estate import Ended, Estate, point_of
from tests.workflow.backup.picture import settings
from tests.workflow.backup.small_cluster import SmallCluster

CRASH = {"consistency": "crash"}
"""For what fails after the cut: without a write stop there is no lead to wait for."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run under way, as a fault sees it."""

    estate: Estate
    name: str
    """The cluster's."""
    cluster: SmallCluster
    point: str

    def concerns(self, call: ApiCall) -> bool:
        """Whether a call is about this run's cluster."""
        told = repr(call.params)
        return f"{self.name}-" in told or f"cluster#{self.name}'" in told or any(i in told for i in self.cluster.ids)


Act = Callable[[Run, ApiCall], None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What goes wrong: at which call of which state, before or after it takes effect."""

    state: str
    action: str
    act: Act
    about: str = ""
    """Must occur in the call's parameters."""
    effective: bool = False
    """The call has its effect, and goes wrong only then."""
    times: int = 1_000
    request: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class After:
    """What was there when the run had ended."""

    run: Run
    ended: Ended
    struck: int
    """How often the fault was met."""
    owner: str | None
    entry: Mapping[str, str]
    snapshots: list[dict[str, Any]]
    outcome: Manifest | Abandonment | None
    settings_before: Mapping[str, str]
    settings_after: Mapping[str, str]

    def run_files(self, instance_id: str) -> set[str]:
        """What the host's directory of the run holds."""
        folder = self.run.estate.plane.tree(instance_id) / "run/aerokeep" / self.run.point
        return {path.name for path in folder.iterdir()} if folder.exists() else set()


def refuse(code: str, *, status: int = 400) -> Act:
    """The call is answered with an error."""

    def act(_run: Run, _call: ApiCall) -> None:
        raise ApiError(code, "as the test wants it", status=status)

    return act


def play(estate: Estate, name: str, cluster: SmallCluster, case: Case) -> After:
    """Run one backup in which the case's fault strikes."""
    at = estate.a_time()
    run = Run(estate=estate, name=name, cluster=cluster, point=point_of(name, at))
    struck: list[ApiCall] = []
    lock = Lock()

    def witness(call: ApiCall) -> None:
        if case.state not in call.caller or call.action != case.action:
            return
        if case.about not in repr(call.params) or not run.concerns(call):
            return
        with lock:
            if len(struck) >= case.times:
                return
            struck.append(call)
        case.act(run, call)

    before = settings(cluster)
    when = "after" if case.effective else "before"
    with estate.region.faults.during(**{when: witness}):
        ended = estate.run(cluster=name, scheduled_time=at, **case.request)
    key = f"clusters/{name}/points/{run.point}/manifest.json"
    return After(
        run=run,
        ended=ended,
        struck=len(struck),
        owner=estate.owner(name),
        entry=estate.entry(name, run.point),
        snapshots=estate.snapshots(run.point),
        outcome=estate.outcome(name, run.point) if estate.keys(key) else None,
        settings_before=before,
        settings_after=settings(cluster),
    )


class Players:
    """Plays each cluster's cases one after the other, and the clusters side by side."""

    def __init__(self, estate: Estate, clusters: Mapping[str, SmallCluster]) -> None:
        self._estate, self._clusters = estate, clusters
        self._pools = {name: ThreadPoolExecutor(max_workers=1, thread_name_prefix=name) for name in clusters}
        self._played: dict[str, Future[After]] = {}

    def begin(self, title: str, cluster: str, case: Case) -> None:
        """Play a case as soon as its cluster is free."""
        self._played[title] = self._pools[cluster].submit(play, self._estate, cluster, self._clusters[cluster], case)

    def result(self, title: str) -> After:
        """Wait for a case."""
        return self._played[title].result()

    def close(self) -> None:
        """Play nothing more."""
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)
