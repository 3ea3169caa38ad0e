"""The guardian as the matrix plays it: whatever it was struck at, its next round settles the dead."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.light.launch import LightCluster
from tests.crash.backups import half_points
from tests.crash.field import Execution, Field
from tests.crash.invariants import HALTED, Breach, Fate
from tests.crash.journeys import CRASH, WRITE_STOP, Prepared, Restore, whole
from tests.crash.points import manifests_of
from tests.crash.rows import How, Row, Scene, handler_of, states_of
from tests.crash.strikes import Strike
from tests.crash.transfers import half_exports

DEAD_EXPORT, DEAD_RESTORE, BY_HAND, ORPHANS = "dead-export", "dead-restore", "by-hand", "orphans"
LONG_AGO = timedelta(hours=4)
"""A run that began then is not young any more."""
LONG_LEASE = {**WRITE_STOP, "lease_s": 60}
"""The write stop must be the guardian's to end."""


class Guardian:
    """Its dead are a backup that has stopped writes, an export under way, and a restore that must not be touched."""

    name = "guardian"

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """One for each kind of dead; and an operator who does not wait for the round that settles them."""
        by_hand, orphans = Scene(BY_HAND, ("ResumeAll",)), Scene(ORPHANS, ("FindOrphans", "SettleOrphans"))
        return (
            Scene("", states_of(self.name, without=(*by_hand.states, *orphans.states))),
            by_hand,
            orphans,
            Scene(DEAD_EXPORT, ("SettleRun",)),
            Scene(DEAD_RESTORE, ("SettleRun",)),
        )

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:
        """Let somebody die."""
        request = {"cluster": name}
        match row.scene:
            case "" | "by-hand":
                cluster = field.launch(name, write_stop=LONG_LEASE)
                dead = _dead(field, cluster, "backup", "ResumeWrites", request)
                request |= {"resume": "all"} if row.scene == BY_HAND else {}
            case scene if scene == ORPHANS:
                cluster = field.launch(name)
                due = {"scheduled_time": f"{datetime.now(UTC) - LONG_AGO:%Y-%m-%dT%H:%M:%SZ}"}
                dead = _dead(field, cluster, "backup", "TagSnapshots", {**request, **CRASH, **due})
                field.forget_lock(name)
                request |= {"orphans": "delete"}
            case scene if scene == DEAD_EXPORT:
                cluster = field.launch(name)
                dead = _dead(field, cluster, "export", "VerifyExport", request)
            case _:
                restored = Restore().prepare(field, name, row)
                cluster = restored.cluster
                dead = _dead(field, cluster, "restore", "FenceCluster", restored.request)
        return Prepared(cluster, request, (dead,))

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:  # noqa: ARG002  # the protocol's
        """None of the dead has changed any data."""
        cluster = prepared.cluster
        found = {timeline for held in cluster.timelines().values() for timeline in held.values()}
        return (Fate.OLD if len(found) == 1 else Fate.MIXED), whole(cluster)

    def once_more(self, field: Field, prepared: Prepared, again: Execution) -> None:
        """The second run is the last."""

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """Given up and cleared away, or halted and told."""
        name, journey = prepared.cluster.name, field.journey_of(prepared.made[-1].arn)
        if again.status != "SUCCEEDED":
            yield Breach("not_ended_well", again.words)
        if journey == "restore":
            yield from _halted(field, name)
            return
        yield from half_points(field, name)
        yield from half_exports(field, name)
        states = [manifest.get("state") for manifest in manifests_of(field, name).values()]
        if journey == "backup" and states != ["abandoned"]:
            yield Breach("not_given_up", f"the dead backup's point is {states}")

    def known(self, row: Row) -> Mapping[str, str]:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return {}


def _dead(field: Field, cluster: LightCluster, journey: str, state: str, request: Mapping[str, Any]) -> Execution:
    """A journey that was stopped in a state, together with its Lambda, and that can't act any more."""
    name = f"{cluster.name}-dead"
    strike = Strike(handler_of(journey, state), How.GONE)
    field.strikes.arm(cluster.name, field.arn_of(journey, name), [strike])
    dead = field.run(journey, name, request)
    field.strikes.disarm(cluster.name)
    if dead.status != "ABORTED":
        raise RuntimeError(f"not prepared: {dead.words}")
    field.let_busy_time_pass(cluster.name)
    return dead


def _halted(field: Field, cluster: str) -> Iterator[Breach]:
    lock = field.lock(cluster)
    if lock.get("state") != HALTED:
        yield Breach("not_halted", f"the lock of the dead restore is {lock}")
    told = field.region.topic_messages(field.outputs["FailuresTopicArn"])
    if not any(f"of cluster {cluster} ended in the middle" in message for message in told):
        yield Breach("not_told", "no operator was told of the dead restore")
