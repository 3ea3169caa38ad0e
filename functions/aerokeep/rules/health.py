"""What do the answers of a cluster's hosts say of its nodes: the values of the metrics that alarms watch."""

from collections.abc import Iterator, Mapping

from aerokeep.model.health import NodeHealth
from aerokeep.model.metric import Datum
from aerokeep.rules.alarms import ANSWERS


def measure(cluster: str, nodes: Mapping[str, str], healths: Mapping[str, NodeHealth]) -> Iterator[Datum]:
    """The metrics of one cluster.

    A node whose host can't be asked counts as answering while a peer has it in its cluster: an agent that died is no
    reason to replace a server that lives.

    Args:
        cluster: its name.
        nodes: instance id → node-id of every node that should be there.
        healths: by instance id, of the servers that answered.

    """
    seen = {peer for health in healths.values() for peer in health.peers}
    answering = 0
    for instance_id, node_id in sorted(nodes.items()):
        alive = instance_id in healths or node_id in seen
        answering += alive
        where = {"cluster": cluster, "node": node_id, "InstanceId": instance_id}
        yield Datum(name=ANSWERS, value=float(alive), dimensions=where)
    ours = {"cluster": cluster}
    yield Datum(name="NodesExpected", value=len(nodes), dimensions=ours)
    yield Datum(name="NodesAnswering", value=answering, dimensions=ours)
    if healths:
        yield from _of_cluster(ours, list(healths.values()))


def _of_cluster(ours: dict[str, str], healths: list[NodeHealth]) -> Iterator[Datum]:
    namespaces = [ns for health in healths for ns in health.namespaces]
    values = {
        "ClusterKeys": len({health.cluster.key for health in healths}),
        "MigrationsRemaining": sum(health.cluster.migrations_remaining for health in healths),
        "MissingPartitions": sum(ns.unavailable_partitions + ns.dead_partitions for ns in namespaces),
        "NamespacesNotWriting": sum(ns.stop_writes or ns.clock_skew_stop_writes for ns in namespaces),
        "ClockSkewSeconds": max(abs(health.cluster.clock_skew_ms) for health in healths) / 1000,
    }
    for name, value in values.items():
        yield Datum(name=name, value=float(value), dimensions=ours)
