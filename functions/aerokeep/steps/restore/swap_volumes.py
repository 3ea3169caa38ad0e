"""State ``SwapVolumes``: take the old volumes off, keep and tag them, and put the point's in their places."""

from datetime import timedelta

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Runs
from aerokeep.aws.volumes import Volumes
from aerokeep.model.errors import NotReadyError
from aerokeep.model.restore import NewVolumes
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.patience import since
from aerokeep.steps.shared.restoring import order_of, placed_nodes, plan_of
from aerokeep.steps.shared.swapping import SUPERSEDED, Place, swapped
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, catalog: Catalog, volumes: Volumes, clock: Clock) -> Progress:
    """Tag first: whatever happens after that, the old volumes can be told from the new ones.

    Raises:
        NotReadyError: a volume was not in its place in time.

    """
    began_at = since(runs, request, "swap", now=clock())
    catalog.require(request)
    old = {v.old_volume_id for node in plan_of(runs, request).nodes for v in node.volumes if v.old_volume_id}
    untagged = [v.volume_id for v in volumes.described(old).values() if SUPERSEDED not in v.tags]
    volumes.tag(untagged, {"aerokeep:cluster": request.cluster, SUPERSEDED: request.run_id})
    made = runs.read(request, "volumes", NewVolumes)
    places = [
        Place(instance_id=instance_id, device=device, volume_id=volume_id)
        for instance_id, node in placed_nodes(runs, request).items()
        for device, volume_id in made.of_node(node.node_id).items()
    ]
    done = swapped(request, places, volumes=volumes, catalog=catalog, clock=clock)
    deadline_s = order_of(runs, request).config.restore.volume_deadline_s
    if not done and clock() >= began_at + timedelta(seconds=deadline_s):
        raise NotReadyError(f"volumes_stuck: not every volume is in its place after {deadline_s:g} s: see EC2")
    return Progress(done=done)


handler = step(run)
