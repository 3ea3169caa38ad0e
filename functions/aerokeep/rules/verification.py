"""Is what AWS and the vault hold exactly what the plan asked for."""

from collections.abc import Iterator, Mapping, Sequence

from aerokeep.model.plan import BackupPlan, NodePlan, VolumePlan
from aerokeep.model.recovery_point import Cut, Snapshot, SnapshotState


def point_faults(plan: BackupPlan, *, cut: Cut, snapshots: Sequence[Snapshot], point_id: str) -> Iterator[str]:
    """Every way in which the set of snapshots differs from the plan; nothing for a sound point."""
    by_id = {snapshot.id: snapshot for snapshot in snapshots}
    cuts = {node.instance_id: node for node in cut.nodes}
    for node in plan.nodes:
        if node.instance_id not in cuts:
            yield f"node {node.node_id} was not cut"
            continue
        yield from _node_faults(node, cuts[node.instance_id].snapshots, by_id, point_id)


def _node_faults(
    node: NodePlan, taken: Mapping[str, str], by_id: Mapping[str, Snapshot], point_id: str
) -> Iterator[str]:
    if lacking := node.volume_ids - taken.keys():
        yield f"node {node.node_id}: volumes {sorted(lacking)} are not in the cut"
    members = [by_id[snapshot_id] for snapshot_id in taken.values() if snapshot_id in by_id]
    if gone := [snapshot_id for snapshot_id in taken.values() if snapshot_id not in by_id]:
        yield f"node {node.node_id}: snapshots {sorted(gone)} do not exist"
    if len({snapshot.started_at for snapshot in members}) > 1:
        # StartTime is the same for all snapshots of one CreateSnapshots (aws.md §A1): another one means another set.
        yield f"node {node.node_id}: members of the set do not share one StartTime"
    planned = {volume.volume_id: volume for volume in node.volumes}
    for volume_id, snapshot_id in taken.items():
        if snapshot_id in by_id:
            yield from _member_faults(by_id[snapshot_id], planned.get(volume_id), volume_id, point_id)


def _member_faults(snapshot: Snapshot, volume: VolumePlan | None, volume_id: str, point_id: str) -> Iterator[str]:
    if snapshot.state is not SnapshotState.COMPLETED:
        yield f"{snapshot.id} is {snapshot.state}, not completed"
    if snapshot.volume_id != volume_id:
        yield f"{snapshot.id} is of {snapshot.volume_id}, not of {volume_id}"
    if snapshot.tags.get("aerokeep:point") != point_id:
        yield f"{snapshot.id} is tagged for {snapshot.tags.get('aerokeep:point')}, not for {point_id}"
    if volume is None:
        return
    if snapshot.size_gib != volume.size_gib:
        yield f"{snapshot.id} has {snapshot.size_gib} GiB, its volume {volume.size_gib}"
    if snapshot.encrypted != volume.encrypted:
        yield f"{snapshot.id} is {'' if snapshot.encrypted else 'not '}encrypted, unlike its volume"
    elif snapshot.kms_key_id != volume.kms_key_id:
        yield f"{snapshot.id} is encrypted with {snapshot.kms_key_id}, its volume with {volume.kms_key_id}"
