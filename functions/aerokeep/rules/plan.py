"""May this cluster be backed up as asked, and how: judge surveys and EC2's view against the configuration."""

from collections.abc import Iterator, Mapping
from itertools import chain

from aerokeep.model.cluster import ClusterConfig
from aerokeep.model.consistency import Consistency, Shortfall
from aerokeep.model.instance import Instance
from aerokeep.model.plan import BackupPlan, NodePlan, VolumePlan
from aerokeep.model.survey import Namespace, StoragePath, Survey
from aerokeep.model.wire import Wire

MOST_NODES_PER_BARRIER = 80
"""CreateSnapshots has a bucket of 100 and refills 5/s per account and Region (aws.md §A3); the rest is headroom."""

REMEDIES = {
    "instance_store": "add an EBS shadow device, or export the namespace",
    "no_ebs_volume": "put it on an EBS volume",
    "no_mount": "mount its filesystem, or correct the path in aerospike.conf",
    "no_such_device": "attach the device, or correct the path in aerospike.conf",
    "lvm": "give asd the EBS volumes themselves",
    "device_mapper": "give asd the EBS volumes themselves",
    "volume_id_conflict": "trigger udev there (udevadm trigger), and tell us if it stays",
}
"""What to do about a path that a host can't map to an EBS volume; hosts say themselves what is to be done of others."""
UNUSABLE = {
    "pmem": "keep the namespace on EBS, or export it",
    "security_enabled": "give the host a login, or leave the cluster out of clusters.yaml",
    "tls_unreadable": "let root read ca-file or cert-file, or open a plain service port for this host alone",
    "conf_unreadable": "let root read it: it belongs into the recovery point",
}
"""What a host finds wrong with the server as a whole, and what to do about it."""


_IN_THE_WAY_OF: Mapping[str, frozenset[Consistency]] = {
    "clock_unsynchronised": frozenset({Consistency.CLUSTER, Consistency.NODE}),
    "too_many_nodes": frozenset({Consistency.CLUSTER, Consistency.NODE}),
    "guard_unknown": frozenset({Consistency.CLUSTER, Consistency.NODE}),
    "migrations_running": frozenset({Consistency.CLUSTER}),
}
"""Which labels can't be had while this is so; a policy of ``degrade`` goes on all the same, and notes it."""
_NO_STOP_WITH = frozenset({"too_many_nodes", "guard_unknown"})
"""With these, writes can't be stopped at all."""


class Refusal(Wire):
    """One reason why the plan was refused, with the remedy in its words."""

    code: str
    detail: str


class PlanVerdict(Wire):
    """Either a plan or all the reasons against it."""

    plan: BackupPlan | None
    refusals: tuple[Refusal, ...]

    @property
    def message(self) -> str:
        """Every refusal in one line, the first code leading."""
        rest = "; ".join(f"{refusal.code}: {refusal.detail}" for refusal in self.refusals)
        return rest or "planned"


def judge_plan(
    config: ClusterConfig,
    *,
    instances: Mapping[str, Instance],
    surveys: Mapping[str, Survey],
    consistency: Consistency | None = None,
    shortfall: Shortfall | None = None,
) -> PlanVerdict:
    """Judge everything at once, so that the operator sees all that is wrong in one message.

    Args:
        config: the cluster as configured.
        instances: EC2's view by instance id.
        surveys: the hosts' view by instance id; one for each instance.
        consistency: overrides the configured consistency.
        shortfall: overrides the configured shortfall policy.

    """
    wanted = consistency or config.consistency
    policy = shortfall or config.shortfall
    lowered = list(_lowering(surveys)) + list(_too_many(len(surveys)))
    refusals = [
        *_membership(surveys),
        *chain.from_iterable(_node_refusals(config, instances[i], survey) for i, survey in sorted(surveys.items())),
    ]
    if policy is Shortfall.ABORT:
        refusals += [refusal for refusal in lowered if wanted in _IN_THE_WAY_OF[refusal.code]]
    if refusals:
        return PlanVerdict(plan=None, refusals=tuple(refusals))
    nodes = tuple(_node_plan(instances[i], surveys[i]) for i in sorted(surveys))
    any_survey = next(iter(surveys.values()))
    names = sorted({ns.name for survey in surveys.values() for ns in survey.namespaces if ns.persisted})
    if not names:
        detail = f"no namespace of {config.name} is on disk: leave the cluster out of clusters.yaml"
        nothing = Refusal(code="nothing_to_save", detail=detail)
        return PlanVerdict(plan=None, refusals=(nothing,))
    not_saved = sorted({ns.name for survey in surveys.values() for ns in survey.namespaces if not ns.persisted})
    plan = BackupPlan(
        cluster_key=any_survey.asd.cluster_key,
        wanted=wanted,
        shortfall=policy,
        namespaces=tuple(names),
        not_saved=tuple(not_saved),
        nodes=nodes,
        stop_writes=wanted is not Consistency.CRASH and not any(r.code in _NO_STOP_WITH for r in lowered),
        notes=(*(f"{refusal.code}: {refusal.detail}" for refusal in lowered), *_worth_knowing(surveys)),
    )
    return PlanVerdict(plan=plan, refusals=())


def _too_many(nodes: int) -> Iterator[Refusal]:
    if nodes > MOST_NODES_PER_BARRIER:
        yield Refusal(
            code="too_many_nodes",
            detail=f"{nodes} nodes; one barrier takes {MOST_NODES_PER_BARRIER}; set consistency to crash",
        )


def _lowering(surveys: Mapping[str, Survey]) -> Iterator[Refusal]:
    """What makes a label unreachable before anything was tried."""
    for instance_id, survey in sorted(surveys.items()):
        if not survey.host.clock.synchronised:
            yield Refusal(
                code="clock_unsynchronised",
                detail=f"the clock of {_name(instance_id, survey)} is not synchronised ({survey.host.clock.source}): "
                "start chronyd there, or set shortfall to degrade",
            )
        for problem in survey.problems:
            if problem.code == "guard_unknown":
                where = _name(instance_id, survey)
                detail = f"{where}: {problem.detail}: upgrade the server, or set consistency to crash"
                yield Refusal(code=problem.code, detail=detail)
        if survey.asd.migrations_remaining:
            yield Refusal(
                code="migrations_running",
                detail=f"{_name(instance_id, survey)} has {survey.asd.migrations_remaining} partitions to migrate: "
                "wait for them, or set shortfall to degrade",
            )


def _worth_knowing(surveys: Mapping[str, Survey]) -> Iterator[str]:
    """What takes nothing away from this point, but may surprise at the restore."""
    for instance_id, survey in sorted(surveys.items()):
        for problem in survey.problems:
            if problem.code == "conf_differs":
                yield f"conf_differs: {_name(instance_id, survey)}: {problem.detail}"


def _membership(surveys: Mapping[str, Survey]) -> Iterator[Refusal]:
    """All nodes of one cluster, each of them asked, or none."""
    silent = {i: survey for i, survey in surveys.items() if not survey.asd.running}
    for instance_id, survey in sorted(silent.items()):
        yield Refusal(
            code="asd_silent",
            detail=f"asd does not answer on {_name(instance_id, survey)}: start it or replace the node",
        )
    alive = [survey.asd for i, survey in surveys.items() if i not in silent]
    keys = sorted({asd.cluster_key for asd in alive})
    if len(keys) > 1:
        yield Refusal(
            code="cluster_split", detail=f"nodes report {len(keys)} cluster keys {keys}: heal the cluster first"
        )
    asked = {asd.node_id for asd in alive}
    for node in sorted({peer for asd in alive for peer in asd.peers} - asked):
        yield Refusal(
            code="node_without_tag",
            detail=f"node {node} is a member of the cluster but no instance with the cluster's tag: tag it",
        )
    for asd in alive:
        if asd.cluster_size != len(surveys) and not silent:
            yield Refusal(
                code="cluster_incomplete",
                detail=f"node {asd.node_id} sees {asd.cluster_size} nodes, {len(surveys)} instances carry the tag: "
                "heal the cluster, or correct the tags",
            )


def _node_refusals(config: ClusterConfig, instance: Instance, survey: Survey) -> Iterator[Refusal]:
    where = _name(instance.instance_id, survey)
    for problem in survey.problems:
        if problem.code in UNUSABLE:
            yield Refusal(code=problem.code, detail=f"{where}: {problem.detail}: {UNUSABLE[problem.code]}")
    for ns in survey.namespaces:
        if not ns.persisted:
            if ns.name not in config.not_saved:
                yield Refusal(
                    code="memory_only",
                    detail=f"namespace {ns.name} on {where} is in memory only and can't be saved: "
                    f"list it under not_saved of cluster {config.name}",
                )
            continue
        if ns.reject_non_xdr_writes and not ns.conf_reject_non_xdr_writes:
            yield Refusal(
                code="guard_already_set",
                detail=f"reject-non-xdr-writes of namespace {ns.name} on {where} was set at run time by someone else: "
                "lift it, or put it into aerospike.conf if it is meant to stay",
            )
        yield from _path_refusals(ns, instance, where)


def _path_refusals(ns: Namespace, instance: Instance, where: str) -> Iterator[Refusal]:
    for path in ns.saved_paths:
        at = f"{path.path} of namespace {ns.name} on {where}"
        if path.problem is not None:
            remedy = REMEDIES.get(path.problem.code)
            yield Refusal(
                code=path.problem.code, detail=f"{at}: {path.problem.detail}" + (f": {remedy}" if remedy else "")
            )
        elif path.instance_store:
            yield Refusal(
                code="instance_store",
                detail=f"{at} is instance store without a shadow: {REMEDIES['instance_store']}",
            )
        elif path.volume_id is None:
            yield Refusal(code="no_ebs_volume", detail=f"{at} maps to no EBS volume: {REMEDIES['no_ebs_volume']}")
        elif path.volume_id not in instance.volumes:
            yield Refusal(
                code="foreign_volume",
                detail=f"{at} is on {path.volume_id}, which EC2 does not show attached to {instance.instance_id}: "
                "start again once it is attached",
            )


def _name(instance_id: str, survey: Survey) -> str:
    return f"{survey.asd.node_id or survey.host.hostname} ({instance_id})"


def _node_plan(instance: Instance, survey: Survey) -> NodePlan:
    persisted = [ns for ns in survey.namespaces if ns.persisted]
    paths = [path for ns in persisted for path in ns.saved_paths]
    saved: dict[str, set[str]] = {}
    for ns in persisted:
        for path in ns.saved_paths:
            saved.setdefault(str(path.volume_id), set()).add(ns.name)
    boot = {volume_id for volume_id, volume in instance.volumes.items() if volume.device == instance.root_device}
    return NodePlan(
        instance_id=instance.instance_id,
        private_ip=instance.private_ip,
        node_id=survey.asd.node_id,
        build=survey.asd.build,
        volumes=tuple(_volume_plan(instance, volume_id, names) for volume_id, names in sorted(saved.items())),
        exclude_boot=not boot & saved.keys(),
        exclude_volume_ids=tuple(sorted(instance.volumes.keys() - saved.keys() - boot)),
        freeze=tuple(sorted({str(path.mount_point) for path in paths if _is_file(path) and path.freezable})),
        frozen_namespaces=tuple(
            sorted(ns.name for ns in persisted if all(_is_file(path) and path.freezable for path in ns.saved_paths))
        ),
        sync_paths=tuple(sorted({path.path for path in paths if _is_file(path) and not path.freezable})),
    )


def _volume_plan(instance: Instance, volume_id: str, namespaces: set[str]) -> VolumePlan:
    volume = instance.volumes[volume_id]
    return VolumePlan(
        volume_id=volume_id,
        device=volume.device,
        size_gib=volume.size_gib,
        encrypted=volume.encrypted,
        kms_key_id=volume.kms_key_id,
        root=volume.device == instance.root_device,
        namespaces=tuple(sorted(namespaces)),
    )


def _is_file(path: StoragePath) -> bool:
    return path.mount_point is not None
