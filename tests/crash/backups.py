"""The backup as the matrix plays it: it never changes a cluster, so what counts is what it leaves."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.crash.field import Execution, Field
from tests.crash.invariants import Breach, Fate, tags_of
from tests.crash.journeys import CRASH, WRITE_STOP, Prepared, fate_of, whole
from tests.crash.points import COMMITTED, false_points, manifests_of
from tests.crash.rows import How, Provocation, Row, Scene, states_of
from tests.crash.writer import Writer

WRITES_STOPPED = "writes-stopped"
SECOND_TRY = f"{WRITES_STOPPED}-twice"
NOT_CUT = Provocation("CutSnapshots", How.ERROR, "ec2.CreateSnapshots")
"""The first try of the cut comes to nothing; the second one is answered."""
STOPPING = ("StopWrites", "CutSnapshots", "ResumeWrites", "VerifyPoint", "CommitPoint")
LATER = timedelta(hours=1)


class Backup:
    """Scheduled: the same time again makes no second point, the next time makes the next one."""

    name = "backup"

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Writes are really stopped where that can matter; any failure leads into AbandonPoint."""
        return (
            Scene("", states_of(self.name, without=("StopWrites", "EndTry", "ResumeWrites", "AbandonPoint"))),
            Scene(WRITES_STOPPED, STOPPING),
            Scene(SECOND_TRY, ("EndTry", "StopWrites", "CutSnapshots", "ResumeWrites"), (NOT_CUT,)),
            Scene("failed", ("AbandonPoint",), (Provocation("PlanBackup", How.KILLED),)),
            Scene(f"{WRITES_STOPPED}-failed", ("AbandonPoint",), (Provocation("ResumeWrites", How.KILLED),)),
        )

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:
        """A cluster that serves, and is written to if writes are to be stopped."""
        cluster = field.launch(name, write_stop=WRITE_STOP)
        request = {"cluster": name, "scheduled_time": _iso(datetime.now(UTC))}
        if not row.scene.startswith(WRITES_STOPPED):
            return Prepared(cluster, {**request, **CRASH})
        return Prepared(cluster, request, writer=Writer(cluster))

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:  # noqa: ARG002  # the protocol's
        """It serves on as before."""
        cluster = prepared.cluster
        first = f"{cluster.name}/first"
        return fate_of(cluster, old=first, new=first), whole(cluster)

    def once_more(self, field: Field, prepared: Prepared, again: Execution) -> Mapping[str, Any] | None:
        """What was given up is not begun again under the same time: the next time comes."""
        if again.status != "SUCCEEDED" or COMMITTED in _states(field, prepared):
            return None
        return {**prepared.request, "scheduled_time": _iso(_time_of(prepared) + LATER)}

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """One point, and nothing left of points that are none."""
        cluster = prepared.cluster
        states = _states(field, prepared)
        if again.status != "SUCCEEDED":
            yield Breach("not_ended_well", again.words)
        if states.count(COMMITTED) != 1:
            yield Breach("not_one_point", f"{states} after {again.words}")
        yield from half_points(field, cluster.name)
        yield from false_points(field, cluster, prepared.writer)

    def known(self, row: Row) -> Mapping[str, str]:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return {}


def half_points(field: Field, cluster: str) -> Iterator[Breach]:
    """Snapshots of points that were never committed, once there was somebody to see to them."""
    for snapshot in list(field.region.ec2.backend.snapshots.values()):
        tags = tags_of(snapshot)
        point = tags.get("aerokeep:point", "")
        if tags.get("aerokeep:cluster") == cluster and field.manifest(cluster, point).get("state") != COMMITTED:
            yield Breach("half_point", f"{snapshot.id} of {point}, which was never committed")


def _states(field: Field, prepared: Prepared) -> list[str]:
    return [str(manifest.get("state")) for manifest in manifests_of(field, prepared.cluster.name).values()]


def _time_of(prepared: Prepared) -> datetime:
    return datetime.fromisoformat(str(prepared.request["scheduled_time"]))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
