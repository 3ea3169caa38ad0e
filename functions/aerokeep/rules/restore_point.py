"""Is a recovery point whole and of one piece: its label, its snapshots as AWS has them, and its sets of devices."""

from collections.abc import Iterator, Mapping, Sequence

from aerokeep.model.consistency import Consistency
from aerokeep.model.inventory import InventoryDevice, NodeInventory
from aerokeep.model.recovery_point import Manifest, NodeCut, Snapshot, SnapshotState
from aerokeep.rules.plan import Refusal


def label_refusals(manifest: Manifest, accepted: Consistency | None) -> Iterator[Refusal]:
    """Below ``cluster`` the operator must say the very label, so that nobody takes less than they think they do."""
    label = manifest.label.consistency
    if label is not Consistency.CLUSTER and accepted is not label:
        why = "; ".join(manifest.label.reasons) or "no write stop was asked for"
        yield Refusal(
            code="label_not_accepted",
            detail=f"field 'accept_label': {manifest.point_id} is only {label}-consistent ({why}): "
            f'say "accept_label": "{label}" if that is enough, or choose another point',
        )


def point_refusals(
    manifest: Manifest, nodes: Mapping[str, NodeInventory], snapshots: Sequence[Snapshot]
) -> Iterator[Refusal]:
    """Everything about the point itself that keeps it from being restored.

    Args:
        manifest: the recovery point.
        nodes: its nodes by node id, as they were at the backup.
        snapshots: those of its snapshots that exist, as AWS tells them now.

    """
    by_id = {snapshot.id: snapshot for snapshot in snapshots}
    then = {snapshot.id: snapshot for snapshot in manifest.snapshots}
    for cut in manifest.cuts:
        for snapshot_id in cut.snapshots.values():
            yield from _snapshot_refusals(manifest.point_id, snapshot_id, by_id.get(snapshot_id), then.get(snapshot_id))
        yield from _one_set_refusals(cut, by_id)
        node = nodes.get(cut.node_id)
        if node is None:
            detail = f"the point cut node {cut.node_id} but does not say what it looked like: choose another point"
            yield Refusal(code="node_unknown", detail=detail)
            continue
        for namespace in manifest.plan.namespaces:
            yield from _device_refusals(node, namespace, cut)
    root = [f"{v.device} of {n.node_id}" for n in manifest.plan.nodes for v in n.volumes if v.root]
    if root:
        yield Refusal(
            code="root_data",
            detail=f"namespaces lie on the boot volume ({', '.join(root)}), which can't be swapped under a running "
            "instance: export and import them, or move them to a volume of their own",
        )


def _snapshot_refusals(
    point_id: str, snapshot_id: str, found: Snapshot | None, then: Snapshot | None
) -> Iterator[Refusal]:
    if found is None:
        yield Refusal(code="snapshot_missing", detail=f"{snapshot_id} does not exist any more: choose another point")
        return
    if found.state is not SnapshotState.COMPLETED:
        detail = f"{snapshot_id} is {found.state}: bring it back, or choose another point"
        yield Refusal(code="snapshot_unusable", detail=detail)
    if (of := found.tags.get("aerokeep:point")) != point_id:
        detail = f"{snapshot_id} belongs to {of or 'no point'}, not to {point_id}: choose another point"
        yield Refusal(code="mixed_points", detail=detail)
    if then is None or (found.volume_id, found.size_gib) != (then.volume_id, then.size_gib):
        detail = f"{snapshot_id} is not the snapshot that the point was committed with: choose another point"
        yield Refusal(code="snapshot_changed", detail=detail)


def _one_set_refusals(cut: NodeCut, by_id: Mapping[str, Snapshot]) -> Iterator[Refusal]:
    """Members of one CreateSnapshots share their StartTime (aws.md §A1)."""
    starts = {by_id[snapshot_id].started_at for snapshot_id in cut.snapshots.values() if snapshot_id in by_id}
    if len(starts) > 1:
        detail = f"the snapshots of node {cut.node_id} were not cut together: choose another point"
        yield Refusal(code="mixed_points", detail=detail)


def _device_refusals(node: NodeInventory, namespace: str, cut: NodeCut) -> Iterator[Refusal]:
    """A server starts silently with half of its data when a device is missing, so the header's count decides."""
    devices = node.saved_devices(namespace)
    if not devices:
        return
    lacking = [device.path for device in devices if device.volume_id not in cut.snapshots]
    if lacking:
        detail = f"{', '.join(lacking)} of namespace {namespace} on node {node.node_id} are not in the point"
        yield Refusal(code="devices_missing", detail=f"{detail}: choose another point")
    said = {device.header.n_devices for device in devices if device.header is not None}
    if said and said != {len(devices)}:
        yield Refusal(
            code="devices_missing",
            detail=f"node {node.node_id} has {len(devices)} devices of namespace {namespace} in the point, their "
            f"headers say {sorted(said)}: a part of the data is not in it: choose another point",
        )


def signature_of(devices: Sequence[InventoryDevice]) -> str | None:
    """The one signature of a set, or None where it is not known or not one."""
    found = {device.header.random for device in devices if device.header is not None}
    return next(iter(found)) if len(found) == 1 else None
