"""What the matrix must know of each journey: how to prepare for it, its input, and what its ends look like."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.light.launch import LightCluster
from tests.crash.field import Execution, Field
from tests.crash.invariants import Breach, Fate, tags_of
from tests.crash.rows import How, Provocation, Row, Scene, states_of
from tests.crash.writer import Writer

CRASH = {"consistency": "crash"}
WRITE_STOP = {"lead_s": 8, "lease_s": 20, "budget_s": 15}
"""Short, and yet long enough to arm and cut on a machine that has much else to do: nothing but waiting comes of it."""
NODE_LOST = "node-lost"


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
    writer: Writer | None = None
    """Who writes all the while."""


class Journey(Protocol):
    """One journey as the matrix plays it."""

    name: str

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """The ways to set it up, with the states that are struck in each; the ordinary one comes first."""

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


class Restore:
    """A restore turns ``now`` into ``then``: the whole cluster, or nothing of it."""

    name = "restore"

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """What was marked as open can't be rolled back: then the failure leads through RollBack into HaltRestore."""
        others = (
            Scene(NODE_LOST, ("RelaunchNodes",)),
            Scene("failed", ("RollBack",), (Provocation("StageNodes", How.KILLED),)),
            Scene("opened", ("HaltRestore",), (Provocation("OpenWrites", How.KILLED_LATE),)),
        )
        special = [state for scene in others for state in scene.states]
        return (Scene("", states_of(self.name, without=special)), *others)

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:
        """A point, writes after it, for a relaunch a node without an instance, and the hash of the plan of all that."""
        cluster = field.launch(name)
        cluster.write(f"{name}/then")
        backup = done(field.run("backup", f"{name}-backup", {"cluster": name, **CRASH}))
        cluster.write(f"{name}/now")
        lost = {cluster.members[2].node_id} if row.scene == NODE_LOST else set()
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
    def scenes(self) -> tuple[Scene, ...]:
        """Any failure leads into HaltReplacement."""
        failed = Scene("failed", ("HaltReplacement",), (Provocation("RelaunchNode", How.KILLED),))
        return (Scene("", states_of(self.name, without=failed.states)), failed)

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
