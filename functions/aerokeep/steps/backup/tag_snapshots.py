"""State ``TagSnapshots``: say on each snapshot which node and device it is of: no vault is needed to tell."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import Snapshots
from aerokeep.aws.vault import Runs
from aerokeep.model.plan import BackupPlan
from aerokeep.model.recovery_point import Cut
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.step import step


class Output(Wire):
    """How many snapshots carry their tags."""

    tagged: int


def run(request: RunRef, *, runs: Runs, catalog: Catalog, snapshots: Snapshots) -> Output:
    """Tag after the cut, since CreateSnapshots can't give each member tags of its own."""
    plan, cut = runs.read(request, "plan", BackupPlan), runs.read(request, "cut", Cut)
    catalog.require(request)
    devices = {volume.volume_id: volume.device for node in plan.nodes for volume in node.volumes}
    tagged = 0
    for node in cut.nodes:
        for volume_id, snapshot_id in sorted(node.snapshots.items()):
            device = devices.get(volume_id, "unplanned")
            name = f"{request.point_id} {node.node_id} {device}"
            snapshots.tag([snapshot_id], {"aerokeep:node": node.node_id, "aerokeep:device": device, "Name": name})
            tagged += 1
    return Output(tagged=tagged)


handler = step(run)
