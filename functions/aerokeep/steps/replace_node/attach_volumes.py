"""State ``AttachVolumes``: put the node's volumes back at their device names, or blank ones in their places."""

from datetime import timedelta

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Runs
from aerokeep.aws.volumes import Volumes
from aerokeep.model.errors import CorruptError, NotReadyError
from aerokeep.model.inventory import InventoryVolume
from aerokeep.model.replacement import ReplaceOrder
from aerokeep.model.restore import NewVolumes, Placed
from aerokeep.model.run import RunRef
from aerokeep.model.volume import NewVolume
from aerokeep.rules.relaunch import client_token
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import marked
from aerokeep.steps.shared.patience import since
from aerokeep.steps.shared.replacing import choice_of, order_of, returned_of
from aerokeep.steps.shared.swapping import SUPERSEDED, Place, swapped
from aerokeep.steps.step import Clock, logger, step


def run(request: RunRef, *, runs: Runs, catalog: Catalog, volumes: Volumes, clock: Clock) -> Progress:
    """Looked at again until every one is attached.

    Raises:
        CorruptError: AWS could not make a volume.
        NotReadyError: one was not in its place in time.

    """
    if marked(runs, request, "starting"):
        return Progress(done=True)
    order, began_at = order_of(runs, request), since(runs, request, "attach", now=clock())
    placed = runs.find(request, "volumes", NewVolumes)
    if placed is None:
        catalog.require(request)
        placed = _place(request, order, blank=choice_of(runs, request).data == "empty", volumes=volumes)
        runs.write(request, "volumes", placed)
    instance_id = returned_of(runs, request).instance_id
    failed = [
        v.volume_id for v in volumes.described(p.volume_id for p in placed.volumes).values() if v.state == "error"
    ]
    if failed:
        raise CorruptError(f"volume_failed: AWS could not make {', '.join(failed)}: check its key and the quota")
    places = [Place(instance_id=instance_id, device=p.device, volume_id=p.volume_id) for p in placed.volumes]
    done = swapped(request, places, volumes=volumes, catalog=catalog, clock=clock)
    patience_s = order.config.replace.patience_s
    if not done and clock() >= began_at + timedelta(seconds=patience_s):
        raise NotReadyError(f"volumes_stuck: not every volume is at {instance_id} after {patience_s:g} s: see EC2")
    return Progress(done=done)


def _place(request: RunRef, order: ReplaceOrder, *, blank: bool, volumes: Volumes) -> NewVolumes:
    """Which volume goes where. The cluster's tag is what allows our roles to attach one."""
    node, placed = order.node, []
    replaced = [volume for volume in node.data_volumes if blank and volume.namespaces]
    for volume in node.data_volumes:
        volume_id = _create(request, order, volume, volumes) if volume in replaced else volume.volume_id
        placed.append(Placed(node_id=node.node_id, device=volume.device, volume_id=volume_id))
    kept = [volume.volume_id for volume in node.data_volumes if volume not in replaced]
    volumes.tag(kept, {"aerokeep:cluster": request.cluster})
    old = [volume.volume_id for volume in replaced]
    volumes.tag(old, {"aerokeep:cluster": request.cluster, SUPERSEDED: request.run_id})
    logger.info("volumes chosen", node=node.node_id, kept=kept, superseded=old)
    return NewVolumes(volumes=tuple(placed))


def _create(request: RunRef, order: ReplaceOrder, volume: InventoryVolume, volumes: Volumes) -> str:
    node_id = order.node.node_id
    theirs = {key: value for key, value in volume.tags.items() if not key.startswith(("aws:", "aerokeep:"))}
    return volumes.create(
        NewVolume(
            token=client_token(request.run_id, node_id, volume.device),
            zone=order.node.zone,
            size_gib=volume.size_gib,
            snapshot_id=None,
            volume_type=volume.volume_type,
            iops=volume.iops,
            throughput_mibps=volume.throughput,
            encrypted=volume.encrypted,
            kms_key_id=volume.kms_key_id,
            tags={
                **theirs,
                "aerokeep:cluster": request.cluster,
                "aerokeep:run": request.run_id,
                "aerokeep:node": node_id,
                "aerokeep:device": volume.device,
            },
        )
    )


handler = step(run)
