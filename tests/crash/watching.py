"""The journeys that watch, as the matrix plays them: their next run makes up for whatever was struck."""

from collections.abc import Iterator, Mapping

from aerokeep.model.inventory import Inventory
from aerokeep.rules.alarms import node_prefix, wanted_alarms
from moto.cloudwatch.models import cloudwatch_backends

from tests.crash.field import Execution, Field
from tests.crash.invariants import Breach, Fate
from tests.crash.journeys import Prepared, done, fate_of, whole
from tests.crash.rows import Row, Scene, states_of

NAMESPACE = "Aerokeep"
NO_IMAGE = "no-image"
PER_CLUSTER = ("NodesExpected", "NodesAnswering", "ClusterKeys")


class Watching:
    """What they have in common: they hold nothing, and change nothing that serves."""

    name: str

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:  # noqa: ARG002  # the protocol's
        """It serves on as before."""
        cluster = prepared.cluster
        first = f"{cluster.name}/first"
        return fate_of(cluster, old=first, new=first), whole(cluster)

    def once_more(self, field: Field, prepared: Prepared, again: Execution) -> None:
        """The second run is the last."""

    def known(self, row: Row) -> Mapping[str, str]:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return {}


class Protect(Watching):
    """After the next run every setting, the inventory and the alarms are current, and nothing was deleted."""

    name = "protect"

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Nodes whose image is not known to hold their build get one of their own."""
        return (Scene("", states_of(self.name)), Scene(NO_IMAGE, ("ProtectNodes",)))

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:
        """A cluster as an operator launches it, with all defaults."""
        cluster = field.launch(name, known_build=row.scene != NO_IMAGE)
        return Prepared(cluster, {"cluster": name})

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """The inventory has all nodes with their files, the alarms are theirs, and all images are in use."""
        cluster = prepared.cluster
        if again.status != "SUCCEEDED":
            yield Breach("not_ended_well", again.words)
        held = field.json(f"clusters/{cluster.name}/inventory.json")
        if not held:
            yield Breach("no_inventory", again.words)
            return
        inventory = Inventory.model_validate(held)
        if sorted(n.node_id for n in inventory.nodes) != sorted(m.node_id for m in cluster.members):
            yield Breach("not_all_nodes", f"the inventory has {[node.node_id for node in inventory.nodes]}")
        stored = field.sizes(f"clusters/{cluster.name}/")
        for node in inventory.nodes:
            lacking = [file.key for file in node.conf if stored.get(file.key) != file.size_bytes]
            if lacking or not node.conf or node.unprotected:
                yield Breach("not_protected", f"{node.node_id}: {node.unprotected}, lacks {lacking or 'no file'}")
        yield from _alarms(field, inventory)
        yield from _images(field, inventory)
        with field.plane.lock:
            gone = [d.resource_id for d in field.plane.store.deleted if _is_of(d.content.parts, cluster.name)]
        if gone:
            yield Breach("deleted", ", ".join(gone))


def _alarms(field: Field, inventory: Inventory) -> Iterator[Breach]:
    prefix = node_prefix(inventory.cluster)
    pages = field.region.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
    found = {alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]}
    if found != (wanted := wanted_alarms(inventory.cluster, inventory.nodes).keys()):
        yield Breach("alarms_not_current", f"{sorted(found)}, not {sorted(wanted)}")


def _images(field: Field, inventory: Inventory) -> Iterator[Breach]:
    ours = [{"Name": "tag:aerokeep:cluster", "Values": [inventory.cluster]}]
    made = {image["ImageId"] for image in field.region.client("ec2").describe_images(Filters=ours)["Images"]}
    if idle := made - {node.image_id for node in inventory.nodes}:
        yield Breach("image_twice", f"{sorted(idle)} beside {sorted(node.image_id for node in inventory.nodes)}")


def _is_of(parts: frozenset[tuple[str, str, str]], cluster: str) -> bool:
    return any(timeline.startswith(f"{cluster}/") for _, timeline, _ in parts)


class Health(Watching):
    """The next minute has its values."""

    name = "health"

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """The ordinary one."""
        return (Scene("", states_of(self.name)),)

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:  # noqa: ARG002  # the protocol's
        """A cluster whose nodes are known."""
        cluster = field.launch(name)
        protect = done(field.run("protect", f"{name}-protect", {"cluster": name}))
        return Prepared(cluster, {"cluster": name}, (protect,))

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """Every node was heard in the second run."""
        if again.status != "SUCCEEDED":
            yield Breach("not_ended_well", again.words)
        nodes = len(prepared.cluster.members)
        values = {"NodesExpected": nodes, "NodesAnswering": nodes, "ClusterKeys": 1}
        begun = min(event["timestamp"] for event in again.events)
        recorded = _recorded(field, prepared.cluster.name, since=begun.timestamp())
        if recorded != values:
            yield Breach("no_metrics", f"{recorded} instead of {values}")


def _recorded(field: Field, cluster: str, *, since: float) -> dict[str, float]:
    """Metric → value, of those that tell of the cluster as a whole."""
    ours = {("cluster", cluster)}
    return {
        datum.name: float(datum.value)
        for datum in list(cloudwatch_backends[field.region.account][field.region.region].metric_data)
        if datum.namespace == NAMESPACE
        and {(d.name, d.value) for d in datum.dimensions} == ours
        and datum.timestamp.timestamp() >= since
        and datum.name in PER_CLUSTER
    }
