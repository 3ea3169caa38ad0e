"""May this recovery point be restored onto what is there now, and how: judge it all at once, and fix it in a plan."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from aerokeep.model.cluster import ClusterConfig
from aerokeep.model.consistency import Consistency
from aerokeep.model.files import VaultFile
from aerokeep.model.instance import Instance
from aerokeep.model.inventory import InventoryVolume, NodeInventory
from aerokeep.model.recovery_point import Manifest, Snapshot
from aerokeep.model.restore import Expected, NodeRestore, RestorePlan, SetCheck, VolumeRestore
from aerokeep.model.survey import Survey
from aerokeep.model.volume import Volume
from aerokeep.model.wire import Wire, iso
from aerokeep.rules.plan import Refusal
from aerokeep.rules.restore_point import label_refusals, point_refusals, signature_of
from aerokeep.rules.restore_target import Target, match, stranger_refusals, target_refusals


class Estate(Wire):
    """What is there now."""

    instances: tuple[Instance, ...]
    """All with the cluster's tag that are not gone."""
    surveys: dict[str, Survey]
    """The hosts' view by instance id, of those that SSM reaches."""
    volumes: dict[str, Volume]
    """Volumes attached to the instances, and those that the point was taken of, as far as they exist."""
    used_gib: dict[str, int]
    """What the account's volumes hold in this Region, by volume type."""


class Contents(Wire):
    """What the vault says that the point holds beside its snapshots."""

    smd: tuple[VaultFile, ...]
    """The set of SMD files that goes to every node."""
    expected: tuple[Expected, ...]
    indexes: tuple[str, ...]
    udfs: tuple[str, ...]


class RestoreVerdict(Wire):
    """Either a plan or all the reasons against it."""

    plan: RestorePlan | None
    refusals: tuple[Refusal, ...]

    @property
    def message(self) -> str:
        """Every refusal in one line, the first code leading."""
        return "; ".join(f"{refusal.code}: {refusal.detail}" for refusal in self.refusals) or "planned"


def judge_restore(
    manifest: Manifest,
    *,
    config: ClusterConfig,
    estate: Estate,
    snapshots: Sequence[Snapshot],
    contents: Contents,
    accept_label: Consistency | None,
    now: datetime,
) -> RestoreVerdict:
    """Judge point and estate, so that the operator sees all that is wrong in one message.

    Args:
        manifest: the recovery point.
        config: the cluster as configured now.
        estate: what is there now.
        snapshots: those of the point's snapshots that exist.
        contents: what else the vault holds of it.
        accept_label: what the operator accepts below ``cluster``.
        now: tells how much was written since the cut.

    """
    if manifest.inventory is None:
        detail = f"{manifest.point_id} does not say what its nodes looked like: take a new point"
        return RestoreVerdict(plan=None, refusals=(Refusal(code="no_inventory", detail=detail),))
    cut = {node.node_id for node in manifest.cuts}
    nodes = {node.node_id: node for node in manifest.inventory.nodes if node.node_id in cut}
    targets, strangers = match(nodes.values(), estate.instances, estate.surveys)
    saved = {target.node.node_id: saved_volumes(manifest, target.node) for target in targets}
    refusals = (
        *label_refusals(manifest, accept_label),
        *point_refusals(manifest, nodes, snapshots),
        *stranger_refusals(strangers),
        *chain.from_iterable(
            target_refusals(target, cluster=config.name, saved=saved[target.node.node_id], volumes=estate.volumes)
            for target in targets
        ),
        *_quota_refusals(chain.from_iterable(saved.values()), config, estate.used_gib),
    )
    if refusals:
        return RestoreVerdict(plan=None, refusals=refusals)
    plan = RestorePlan(
        point_id=manifest.point_id,
        label=manifest.label.consistency,
        cut_at=manifest.last_response,
        build=min(manifest.builds.values()),
        namespaces=manifest.plan.namespaces,
        not_saved=manifest.plan.not_saved,
        nodes=tuple(_node_restore(manifest, target, saved[target.node.node_id], estate.volumes) for target in targets),
        smd=contents.smd,
        expected=contents.expected,
        indexes=contents.indexes,
        udfs=contents.udfs,
        live=any(survey.asd.running for survey in estate.surveys.values()),
    )
    return RestoreVerdict(plan=plan.model_copy(update={"notes": tuple(_notes(manifest, plan, now))}), refusals=())


def plan_hash(plan: RestorePlan) -> str:
    """A fingerprint of what a run would do to data: the same until the point, the nodes or their volumes change.

    Not of machines: an instance that died, or that a halted run has relaunched, keeps its node's address and volumes.
    """
    told = plan.model_dump(mode="json", exclude={"notes": True, "live": True, "nodes": {"__all__": {"instance_id"}}})
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def saved_volumes(manifest: Manifest, node: NodeInventory) -> list[InventoryVolume]:
    """The node's volumes that are in the point, in the order of their device names."""
    members = {volume for cut in manifest.cuts if cut.node_id == node.node_id for volume in cut.snapshots}
    return sorted((v for v in node.volumes if v.volume_id in members), key=lambda volume: volume.device)


def _node_restore(
    manifest: Manifest, target: Target, saved: Sequence[InventoryVolume], volumes: Mapping[str, Volume]
) -> NodeRestore:
    node = target.node
    snapshots = next(cut.snapshots for cut in manifest.cuts if cut.node_id == node.node_id)
    files = next((files.files for files in manifest.files if files.node_id == node.node_id), ())
    same_lifetime = manifest.label.consistency.meets(Consistency.NODE)
    return NodeRestore(
        node_id=node.node_id,
        private_ip=node.private_ip,
        instance_id=target.instance.instance_id if target.instance else None,
        volumes=tuple(_volume_restore(target, volume, snapshots[volume.volume_id], volumes) for volume in saved),
        devices=tuple(device for device in node.devices if device.namespace in manifest.plan.namespaces),
        sets=tuple(
            _set_check(node, namespace, same_lifetime=same_lifetime)
            for namespace in manifest.plan.namespaces
            if node.saved_devices(namespace)
        ),
        conf=tuple(file for file in files if "/conf/" in file.key),
    )


def _volume_restore(
    target: Target, saved: InventoryVolume, snapshot_id: str, volumes: Mapping[str, Volume]
) -> VolumeRestore:
    old = target.volume_at(saved.device) or (saved.volume_id if saved.volume_id in volumes else None)
    return VolumeRestore(
        device=saved.device,
        snapshot_id=snapshot_id,
        saved_volume_id=saved.volume_id,
        old_volume_id=old,
        zone=target.node.zone,
        size_gib=saved.size_gib,
        volume_type=saved.volume_type,
        iops=saved.iops,
        throughput_mibps=saved.throughput,
        encrypted=saved.encrypted,
        kms_key_id=saved.kms_key_id,
        namespaces=saved.namespaces,
        mount=saved.mount,
    )


def _set_check(node: NodeInventory, namespace: str, *, same_lifetime: bool) -> SetCheck:
    """The signature is new at every start of asd; only evidence around the cut proves that there was none between."""
    devices = node.saved_devices(namespace)
    versions = {device.header.version for device in devices if device.header is not None}
    return SetCheck(
        namespace=namespace,
        n_devices=len(devices),
        random=signature_of(devices) if same_lifetime else None,
        version=next(iter(versions)) if len(versions) == 1 else None,
    )


def _quota_refusals(
    saved: "chain[InventoryVolume]", config: ClusterConfig, used_gib: Mapping[str, int]
) -> Iterator[Refusal]:
    """The old volumes stay, so the new ones come on top (aws.md §A3: 50 TiB of a type unless raised)."""
    wanted: dict[str, int] = {}
    for volume in saved:
        wanted[volume.volume_type] = wanted.get(volume.volume_type, 0) + volume.size_gib
    quota_gib = config.restore.volume_quota_tib * 1024
    for volume_type, size_gib in sorted(wanted.items()):
        used = used_gib.get(volume_type, 0)
        if used + size_gib > quota_gib:
            yield Refusal(
                code="volume_quota",
                detail=f"{size_gib} GiB of {volume_type} are needed beside the {used} GiB in use, the quota is "
                f"{quota_gib} GiB: have it raised (and restore.volume_quota_tib in clusters.yaml), or delete volumes",
            )


def _notes(manifest: Manifest, plan: RestorePlan, now: datetime) -> Iterator[str]:
    """What will and will not come back, as the operator should know before saying yes."""
    age_s = int((now - manifest.first_request).total_seconds())
    cut = iso(manifest.first_request)
    yield f"comes_back: namespaces {', '.join(plan.namespaces)} as of {cut}, {plan.label}-consistent"
    yield f"lost: everything that was written since {cut} ({age_s} s ago); the old volumes keep it, tagged superseded"
    if plan.not_saved:
        yield f"lost: namespaces {', '.join(plan.not_saved)} are in memory only and come up empty"
    yield "deletes_return: deletes and truncations that were not durable come back with a cold start"
    yield "expired: records whose time to live has passed meanwhile do not come back"
    yield "not_in_point: TLS and encryption keys, features.conf: they must be on the nodes"
    relaunched = [node.node_id for node in plan.nodes if node.instance_id is None]
    if relaunched:
        yield f"relaunched: {', '.join(relaunched)} with their private IPs, from the image of the inventory"
    gone = [volume.device for node in plan.nodes for volume in node.volumes if volume.old_volume_id is None]
    if gone:
        yield f"no_way_back: {len(gone)} old volumes exist no more: a failure can't put the old cluster back"
