"""What the matrix must know of each journey: how to prepare for it, its input, and what its ends look like."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.light.launch import LightCluster
from tests.crash.field import GUARDIAN, Execution, Field
from tests.crash.invariants import Breach, Fate
from tests.crash.rows import How, Row

CRASH = {"consistency": "crash"}


@dataclass(frozen=True)
class Prepared:
    """A cluster that a journey is about to be started on."""

    cluster: LightCluster
    request: Mapping[str, Any]
    made: tuple[Execution, ...] = ()
    """Executions that prepared it."""


class Journey(Protocol):
    """One journey as the matrix plays it."""

    name: str
    provoked: Mapping[str, str]
    """A state that is reached only after a failure → the state whose Lambda is killed to get there."""

    def prepare(self, field: Field, name: str) -> Prepared:
        """A cluster of its own, and the input."""

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:
        """What has become of the cluster, and whether it serves as it should in this state."""

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """What is wrong with the journey's second run."""

    def expected(self, field: Field, row: Row) -> Mapping[str, str]:
        """Codes of breaches that are known to happen in a row → why."""


def whole(cluster: LightCluster) -> bool:
    """All nodes run as one cluster and take writes."""
    servers = cluster.servers()
    if {server.node_id for server in servers} != {member.node_id for member in cluster.members}:
        return False
    view = cluster.plane.view(servers[0].host)
    taking = all(not ns.guarded for server in servers for ns in server.namespaces.values())
    return view is not None and len(view.members) == len(cluster.members) and taking


def fate_of(cluster: LightCluster, *, old: str, new: str) -> Fate:
    """Fully on one timeline, or on neither."""
    found = {timeline for held in cluster.timelines().values() for timeline in held.values()}
    return {frozenset({old}): Fate.OLD, frozenset({new}): Fate.NEW}.get(frozenset(found), Fate.MIXED)


def backed_up(field: Field, cluster: LightCluster) -> tuple[str, Execution]:
    """A recovery point of the cluster → its id, and the execution that made it.

    Raises:
        RuntimeError: there is none.

    """
    done = field.run("backup", f"{cluster.name}-prepare", {"cluster": cluster.name, **CRASH})
    if done.status != "SUCCEEDED":
        raise RuntimeError(f"no point could be made: {done.words}")
    return str(done.output["point"]), done


class Backup:
    """A backup never changes a cluster: what counts is what it leaves."""

    name = "backup"
    provoked: Mapping[str, str] = {"AbandonPoint": "PlanBackup"}

    def prepare(self, field: Field, name: str) -> Prepared:
        """A cluster that serves."""
        return Prepared(field.launch(name), {"cluster": name, **CRASH})

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:  # noqa: ARG002  # the protocol's
        """It serves on as before."""
        cluster = prepared.cluster
        first = f"{cluster.name}/first"
        return fate_of(cluster, old=first, new=first), whole(cluster)

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """A point, and nothing left of points that are none."""
        cluster = prepared.cluster
        if again.status != "SUCCEEDED":
            yield Breach("not_ended_well", again.words)
        elif field.manifest(cluster.name, str(again.output.get("point"))).get("state") != "committed":
            yield Breach("no_point", again.words)
        for snapshot in list(field.region.ec2.backend.snapshots.values()):
            tags = {str(tag["key"]): str(tag["value"]) for tag in snapshot.get_tags()}
            point = tags.get("aerokeep:point", "")
            if tags.get("aerokeep:cluster") != cluster.name:
                continue
            if field.manifest(cluster.name, point).get("state") != "committed":
                yield Breach("half_point", f"{snapshot.id} of {point}, which was never committed")

    def expected(self, field: Field, row: Row) -> Mapping[str, str]:
        """Until there is a guardian, nobody cleans up after an execution whose AbandonPoint did not run to its end."""
        if field.deployed(GUARDIAN) or (row.how is not How.STOPPED and row.state != "AbandonPoint"):
            return {}
        reason = "there is no guardian yet"
        return dict.fromkeys(("lock_of_the_dead", "not_ended_well", "half_point"), reason)


def a_second_later() -> None:
    """Runs are named to the second: two inputs that are alike make two runs only if their seconds differ."""
    time.sleep(1.0 - time.time() % 1.0)


JOURNEYS: Mapping[str, Journey] = {journey.name: journey for journey in (Backup(),)}
