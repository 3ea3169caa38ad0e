"""State ``CreateVolumes``: make every volume of the point anew, from its snapshot, in its node's zone."""

from datetime import timedelta

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Runs
from aerokeep.aws.volumes import Volumes
from aerokeep.model.errors import CorruptError, NotReadyError
from aerokeep.model.restore import NewVolumes, NodeRestore, Placed, RestorePlan, VolumeRestore
from aerokeep.model.run import RunRef
from aerokeep.model.volume import NewVolume, Volume
from aerokeep.rules.relaunch import client_token
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.patience import AT_ONCE_S, since
from aerokeep.steps.shared.restoring import order_of, plan_of
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, catalog: Catalog, volumes: Volumes, clock: Clock) -> Progress:
    """Ask for all with tokens of their own, then look until all are there.

    Raises:
        CorruptError: AWS could not make one, as with a key that it may not use.
        NotReadyError: one was not there in time.

    """
    order, plan = order_of(runs, request), plan_of(runs, request)
    began_at = since(runs, request, "volumes", now=clock())
    former = runs.find(request, "volumes", NewVolumes) or NewVolumes(volumes=())
    made = _make(request, plan, former, volumes=volumes, catalog=catalog, clock=clock)
    runs.write(request, "volumes", made)
    if len(made.volumes) < sum(len(node.volumes) for node in plan.nodes):
        return Progress(done=False)
    found = volumes.described(placed.volume_id for placed in made.volumes)
    pending = [placed.volume_id for placed in made.volumes if not _is_there(found.get(placed.volume_id))]
    if pending and clock() >= began_at + timedelta(seconds=order.config.restore.volume_deadline_s):
        raise NotReadyError(f"volumes_pending: {', '.join(pending)} did not become available in time")
    return Progress(done=not pending)


def _make(
    request: RunRef,
    plan: RestorePlan,
    made: NewVolumes,
    *,
    volumes: Volumes,
    catalog: Catalog,
    clock: Clock,
) -> NewVolumes:
    """Ask for those that were not asked for yet, as many as there is time for."""
    placed = list(made.volumes)
    asked, until = {(p.node_id, p.device) for p in placed}, clock() + timedelta(seconds=AT_ONCE_S)
    for node in plan.nodes:
        for volume in node.volumes:
            if (node.node_id, volume.device) in asked or clock() >= until:
                continue
            catalog.require(request)
            volume_id = _create(request, node, volume, volumes)
            placed.append(Placed(node_id=node.node_id, device=volume.device, volume_id=volume_id))
    return NewVolumes(volumes=tuple(placed))


def _create(request: RunRef, node: NodeRestore, volume: VolumeRestore, volumes: Volumes) -> str:
    return volumes.create(
        NewVolume(
            token=client_token(request.run_id, node.node_id, volume.device),
            zone=volume.zone,
            size_gib=volume.size_gib,
            snapshot_id=volume.snapshot_id,
            volume_type=volume.volume_type,
            iops=volume.iops,
            throughput_mibps=volume.throughput_mibps,
            encrypted=volume.encrypted,
            kms_key_id=volume.kms_key_id,
            tags={
                "aerokeep:cluster": request.cluster,
                "aerokeep:run": request.run_id,
                "aerokeep:node": node.node_id,
                "aerokeep:device": volume.device,
                "Name": f"{request.cluster} {node.node_id} {volume.device}",
            },
        )
    )


def _is_there(volume: Volume | None) -> bool:
    """A volume that was just made may not be listed yet."""
    if volume is not None and volume.state == "error":
        raise CorruptError(f"volume_failed: AWS could not make {volume.volume_id}: check its key and the quota")
    return volume is not None and volume.state in {"available", "in-use"}


handler = step(run)
