"""What the matrix must know of each journey: how to prepare for it, its input, and what its ends look like."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.light.launch import LightCluster
from tests.crash.field import GUARDIAN, Execution, Field
from tests.crash.invariants import Breach, Fate, tags_of
from tests.crash.rows import How, Provocation, Row

CRASH = {"consistency": "crash"}
Provoked = Mapping[str, tuple[Provocation, ...]]


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

    @property
    def provoked(self) -> Provoked:
        """States that are reached only after a failure, and what is done to get there."""

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:
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


def done(execution: Execution) -> Execution:
    """An execution that must have succeeded for the row to begin.

    Raises:
        RuntimeError: it did not.

    """
    if execution.status != "SUCCEEDED":
        raise RuntimeError(f"not prepared: {execution.words}")
    return execution


def without_guardian(field: Field, row: Row, last_resorts: frozenset[str], *codes: str) -> Mapping[str, str]:
    """Until there is a guardian, nobody sees to an execution whose own last resort did not run to its end."""
    if field.deployed(GUARDIAN) or (row.how is not How.STOPPED and row.state not in last_resorts):
        return {}
    return dict.fromkeys(("lock_of_the_dead", "not_ended_well", *codes), "there is no guardian yet")


class Backup:
    """A backup never changes a cluster: what counts is what it leaves."""

    name = "backup"

    @property
    def provoked(self) -> Provoked:
        """Any failure leads there."""
        return {"AbandonPoint": (Provocation("PlanBackup", How.KILLED),)}

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:  # noqa: ARG002  # the protocol's
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
            tags = tags_of(snapshot)
            point = tags.get("aerokeep:point", "")
            if tags.get("aerokeep:cluster") != cluster.name:
                continue
            if field.manifest(cluster.name, point).get("state") != "committed":
                yield Breach("half_point", f"{snapshot.id} of {point}, which was never committed")

    def expected(self, field: Field, row: Row) -> Mapping[str, str]:
        """Nothing once there is a guardian."""
        return without_guardian(field, row, frozenset({"AbandonPoint"}), "half_point")


class Restore:
    """A restore turns ``now`` into ``then``: the whole cluster, or nothing of it."""

    name = "restore"

    @property
    def provoked(self) -> Provoked:
        """What was marked as open can't be rolled back: then the failure leads through RollBack into HaltRestore."""
        return {
            "RollBack": (Provocation("StageNodes", How.KILLED),),
            "HaltRestore": (Provocation("OpenWrites", How.KILLED_LATE),),
        }

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:  # noqa: ARG002  # the protocol's
        """A point, writes after it, and the hash of the plan that an operator has looked at."""
        cluster = field.launch(name)
        cluster.write(f"{name}/then")
        backup = done(field.run("backup", f"{name}-backup", {"cluster": name, **CRASH}))
        cluster.write(f"{name}/now")
        request = {"cluster": name, "point": backup.output["point"], "accept_label": "crash"}
        shown = done(field.run("restore", f"{name}-dry", {**request, "dry_run": True}))
        return Prepared(cluster, {**request, "plan": shown.output["plan"]}, (backup, shown))

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:  # noqa: ARG002  # the protocol's
        """All of it on one of the two timelines."""
        cluster = prepared.cluster
        return fate_of(cluster, old=f"{cluster.name}/now", new=f"{cluster.name}/then"), whole(cluster)

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """The point serves; of every other volume it is told why it is kept."""
        fate, _ = self.judge(field, prepared)
        if again.status != "SUCCEEDED" or fate is not Fate.NEW:
            yield Breach("not_ended_well", f"{fate}: {again.words}")
        for volume in list(field.region.ec2.backend.volumes.values()):
            tags = tags_of(volume)
            if volume.attachment is not None or tags.get("aerokeep:cluster") != prepared.cluster.name:
                continue
            if not tags.keys() & {"aerokeep:superseded-by", "aerokeep:rolled-back"}:
                yield Breach("unexplained_volume", f"{volume.id} is attached nowhere and does not say why: {tags}")

    def expected(self, field: Field, row: Row) -> Mapping[str, str]:
        """Nothing once there is a guardian."""
        return without_guardian(field, row, frozenset({"HaltRestore"}), "not_serving", "mixed")


class ReplaceNode:
    """A replacement brings the second of three nodes back to life at its address, or leaves it dead."""

    name = "replace-node"

    @property
    def provoked(self) -> Provoked:
        """Any failure leads there."""
        return {"HaltReplacement": (Provocation("RelaunchNode", How.KILLED),)}

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:  # noqa: ARG002  # the protocol's
        """A cluster that a backup has protected, and a node without power."""
        cluster = field.launch(name)
        backup = done(field.run("backup", f"{name}-backup", {"cluster": name, **CRASH}))
        victim = cluster.members[1]
        field.region.power_loss(victim.instance_id)
        return Prepared(cluster, {"cluster": name, "node": victim.node_id}, (backup,))

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:  # noqa: ARG002  # the protocol's
        """The others serve on; the victim is dead, or one of them."""
        cluster, victim = prepared.cluster, prepared.cluster.members[1]
        first = f"{cluster.name}/first"
        running = {server.node_id: server.host.private_ip for server in cluster.servers()}
        others = {m.node_id: m.private_ip for m in cluster.members if m is not victim}
        if running == others:
            taking = all(not ns.guarded for server in cluster.servers() for ns in server.namespaces.values())
            return fate_of(cluster, old=first, new=""), taking
        fate = fate_of(cluster, old="", new=first)
        return fate, whole(cluster) and running == {**others, victim.node_id: victim.private_ip}

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """Replaced by this run, or by the one before and then there was nothing to do."""
        fate, serves = self.judge(field, prepared)
        nothing_to_do = again.status == "FAILED" and again.error == "RejectedError" and bool(again.cause)
        if fate is not Fate.NEW or not serves or not (again.status == "SUCCEEDED" or nothing_to_do):
            yield Breach("not_ended_well", f"{fate}: {again.words}")

    def expected(self, field: Field, row: Row) -> Mapping[str, str]:
        """Nothing once there is a guardian."""
        return without_guardian(field, row, frozenset({"HaltReplacement"}), "not_serving", "mixed")


JOURNEYS: Mapping[str, Journey] = {journey.name: journey for journey in (Backup(), Restore(), ReplaceNode())}
