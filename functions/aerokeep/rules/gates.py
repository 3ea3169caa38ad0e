"""Is a cluster well: the gates that all of its nodes must pass together, several times, before writes may flow."""

from collections.abc import Iterator, Mapping, Sequence

from aerokeep.model.health import NamespaceHealth, NodeHealth
from aerokeep.model.restore import Expected
from aerokeep.model.wire import Wire

SAMPLES = 3
"""One node's word, or one look, is never proof (aerospike.md §E)."""
MOST_SKEW_MS = 10_000
"""AP namespaces warn at 30 s of skew and stop writes at 40 s; a cluster that was just started should be far from it."""


class Sample(Wire):
    """What one look at all nodes showed."""

    problems: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Every gate was passed."""
        return not self.problems


def passed(samples: Sequence[Sample]) -> bool:
    """Whether the last looks were all good."""
    return len(samples) >= SAMPLES and all(sample.good for sample in samples[-SAMPLES:])


def judge_gates(healths: Mapping[str, NodeHealth], *, node_ids: frozenset[str], rejecting: bool) -> Sample:
    """Judge one look at all nodes.

    Args:
        healths: by instance id; one for each node.
        node_ids: who the cluster must consist of, and nobody else.
        rejecting: whether client writes must still be rejected on every namespace.

    """
    return Sample(problems=tuple(_problems(healths, node_ids=node_ids, rejecting=rejecting)))


def _problems(healths: Mapping[str, NodeHealth], *, node_ids: frozenset[str], rejecting: bool) -> Iterator[str]:
    keys = sorted({health.cluster.key for health in healths.values()})
    if len(keys) > 1:
        yield f"cluster_split: nodes report the keys {', '.join(keys)}"
    if (members := {health.node_id for health in healths.values()}) != node_ids:
        yield f"members_differ: {', '.join(sorted(members))} answer, {', '.join(sorted(node_ids))} are expected"
    for instance_id, health in sorted(healths.items()):
        where = f"{health.node_id} ({instance_id})"
        yield from _node_problems(health, where, node_ids)
        for ns in health.namespaces:
            yield from _namespace_problems(ns, f"{ns.name} on {where}", rejecting=rejecting)


def _node_problems(health: NodeHealth, where: str, node_ids: frozenset[str]) -> Iterator[str]:
    cluster = health.cluster
    if cluster.size != len(node_ids):
        yield f"cluster_size: {where} sees {cluster.size} nodes, {len(node_ids)} are expected"
    if not (cluster.integrity and cluster.is_member):
        yield f"cluster_integrity: {where} does not see a whole cluster"
    if cluster.duplicate_nodes:
        yield f"duplicate_nodes: {where} sees two servers called {', '.join(cluster.duplicate_nodes)}"
    if strangers := set(health.peers) - node_ids:
        yield f"strangers: {where} has the peers {', '.join(sorted(strangers))}"
    if not cluster.migrate_allowed or cluster.migrations_remaining:
        yield f"migrations: {where} has {cluster.migrations_remaining} partitions to migrate"
    elif not cluster.is_stable:
        yield f"unstable: {where} says {cluster.stable or 'nothing'}"
    if abs(cluster.clock_skew_ms) > MOST_SKEW_MS:
        yield f"clock_skew: {where} sees clocks {cluster.clock_skew_ms} ms apart"


def _namespace_problems(ns: NamespaceHealth, where: str, *, rejecting: bool) -> Iterator[str]:
    if ns.stop_writes or ns.clock_skew_stop_writes:
        yield f"stop_writes: {where} takes no writes"
    if ns.unavailable_partitions or ns.dead_partitions:
        yield f"partitions: {where} has {ns.unavailable_partitions} unavailable and {ns.dead_partitions} dead ones"
    if ns.read_errors:
        yield f"read_errors: {where} has {ns.read_errors}"
    if ns.unreplicated_records:
        yield f"unreplicated: {where} has {ns.unreplicated_records} records without a replica"
    if rejecting and not ns.reject_non_xdr_writes:
        yield f"writes_open: {where} takes writes too early"


class Count(Wire):
    """The records of one namespace, at the cut and after the restore."""

    namespace: str
    expected: int | None
    found: int

    @property
    def missing(self) -> int:
        """How many fewer came back; none where nobody counted at the cut."""
        return 0 if self.expected is None else max(0, self.expected - self.found)


def count_records(healths: Mapping[str, NodeHealth], expected: Sequence[Expected]) -> tuple[Count, ...]:
    """Add up what each node is master of: with migrations over, every record has one master."""
    found: dict[str, int] = {}
    for health in healths.values():
        for ns in health.namespaces:
            found[ns.name] = found.get(ns.name, 0) + ns.master_objects
    return tuple(
        Count(namespace=wanted.namespace, expected=wanted.master_objects, found=found.get(wanted.namespace, 0))
        for wanted in expected
    )


def count_faults(counts: Sequence[Count], healths: Mapping[str, NodeHealth]) -> Iterator[str]:
    """Records that should have come back and did not; nothing for those that may have expired."""
    for count in counts:
        of_namespace = [ns for health in healths.values() for ns in health.namespaces if ns.name == count.namespace]
        gone = sum(ns.expired_objects + ns.evicted_objects for ns in of_namespace)
        if count.missing > gone and not any(map(_may_expire, of_namespace)):
            yield (
                f"records_missing: namespace {count.namespace} has {count.found} records, "
                f"{count.expected} were counted at the cut"
            )


def _may_expire(ns: NamespaceHealth) -> bool:
    """Records whose time is over when a server starts are dropped as it loads, and counted nowhere."""
    return ns.non_expirable_objects is None or ns.non_expirable_objects < ns.objects
