"""What the matrix must know of each journey: how to prepare for it, its input, and what its ends look like."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.light.launch import LightCluster
from tests.crash.field import Execution, Field
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
    lost: frozenset[str] = frozenset()
    """Node-ids that do not run any more when the journey begins."""
    open_while_mixed: bool = False
    """Clients write while the journey is half done, since it writes as one of them."""


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

    def once_more(self, field: Field, prepared: Prepared, again: Execution) -> Mapping[str, Any] | None:
        """The input of one more run, where the second one has left everything as it was and said why; else None."""

    def known(self, row: Row) -> Mapping[str, str]:
        """Codes of breaches that are known to happen in a row → why they are put up with for now."""


def whole(cluster: LightCluster, *, without: frozenset[str] = frozenset()) -> bool:
    """All nodes (but some) run as one cluster, each at its address, and take writes."""
    servers = cluster.servers()
    running = {server.node_id: server.host.private_ip for server in servers}
    wanted = {member.node_id: member.private_ip for member in cluster.members if member.node_id not in without}
    if running != wanted or not servers:
        return False
    view = cluster.plane.view(servers[0].host)
    taking = all(not ns.guarded for server in servers for ns in server.namespaces.values())
    return view is not None and len(view.members) == len(wanted) and taking


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


def refused(execution: Execution) -> bool:
    """It said why it did nothing."""
    return execution.status == "FAILED" and execution.error == "RejectedError" and bool(execution.cause)


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

    def once_more(self, field: Field, prepared: Prepared, again: Execution) -> None:
        """The second run is the last."""

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

    def known(self, row: Row) -> Mapping[str, str]:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return {}


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

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:
        """A point, writes after it, for a relaunch a node without an instance, and the hash of the plan of all that."""
        cluster = field.launch(name)
        cluster.write(f"{name}/then")
        backup = done(field.run("backup", f"{name}-backup", {"cluster": name, **CRASH}))
        cluster.write(f"{name}/now")
        lost = {cluster.members[2].node_id} if row.state == "RelaunchNodes" else set()
        if lost:
            field.clear_member(cluster, 2)
        request = {"cluster": name, "point": backup.output["point"], "accept_label": "crash"}
        shown = done(field.run("restore", f"{name}-dry", {**request, "dry_run": True}))
        request["plan"] = shown.output["plan"]
        return Prepared(cluster, request, (backup, shown), frozenset(lost))

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:  # noqa: ARG002  # the protocol's
        """All of it on one of the two timelines; whoever was lost is back only with the new one."""
        cluster = prepared.cluster
        fate = fate_of(cluster, old=f"{cluster.name}/now", new=f"{cluster.name}/then")
        return fate, whole(cluster, without=prepared.lost if fate is Fate.OLD else frozenset())

    def once_more(self, field: Field, prepared: Prepared, again: Execution) -> Mapping[str, Any] | None:
        """A run that was halted on its way back has gone that way; one that finds another estate wants its plan named.

        What was relaunched before anything else was touched is another estate: the operator looks at a new dry run.
        """
        if again.status != "FAILED" or self.judge(field, prepared) != (Fate.OLD, True):
            return None
        if not again.cause.startswith("plan_changed: "):
            return prepared.request
        asked = {name: value for name, value in prepared.request.items() if name != "plan"}
        name = f"{prepared.cluster.name}-dry-again"
        return {**asked, "plan": done(field.run("restore", name, {**asked, "dry_run": True})).output["plan"]}

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """The point serves, and if nothing was left to do, that was said; each other volume tells why it is kept."""
        if self.judge(field, prepared) != (Fate.NEW, True) or not (again.status == "SUCCEEDED" or refused(again)):
            yield Breach("not_ended_well", again.words)
        for volume in list(field.region.ec2.backend.volumes.values()):
            tags = tags_of(volume)
            if volume.attachment is not None or tags.get("aerokeep:cluster") != prepared.cluster.name:
                continue
            if not tags.keys() & {"aerokeep:superseded-by", "aerokeep:rolled-back"}:
                yield Breach("unexplained_volume", f"{volume.id} is attached nowhere and does not say why: {tags}")

    def known(self, row: Row) -> Mapping[str, str]:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return {}


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
        request = {"cluster": name, "node": victim.node_id}
        return Prepared(cluster, request, (backup,), frozenset({victim.node_id}))

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:  # noqa: ARG002  # the protocol's
        """The others serve on; the victim is dead, or one of them."""
        cluster = prepared.cluster
        first = f"{cluster.name}/first"
        if whole(cluster, without=prepared.lost):
            return fate_of(cluster, old=first, new=""), True
        return fate_of(cluster, old="", new=first), whole(cluster)

    def once_more(self, field: Field, prepared: Prepared, again: Execution) -> None:
        """The second run is the last."""

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """Replaced by this run, or by the one before and then there was nothing to do."""
        if self.judge(field, prepared) != (Fate.NEW, True) or not (again.status == "SUCCEEDED" or refused(again)):
            yield Breach("not_ended_well", again.words)

    def known(self, row: Row) -> Mapping[str, str]:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return {}
