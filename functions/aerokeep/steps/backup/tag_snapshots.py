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
    """Tag after the cut, since CreateSnapshots can't give each member tags of its own.

    One call per node and one per device name, not one per snapshot: CreateTags refills 10 a second (aws.md §A3).
    """
    plan, cut = runs.read(request, "plan", BackupPlan), runs.read(request, "cut", Cut)
    catalog.require(request)
    devices = {volume.volume_id: volume.device for node in plan.nodes for volume in node.volumes}
    by_device: dict[str, list[str]] = {}
    for node in cut.nodes:
        snapshots.tag(
            node.snapshots.values(), {"aerokeep:node": node.node_id, "Name": f"{request.point_id} {node.node_id}"}
        )
        for volume_id, snapshot_id in node.snapshots.items():
            by_device.setdefault(devices.get(volume_id, "unplanned"), []).append(snapshot_id)
    for device, members in sorted(by_device.items()):
        snapshots.tag(members, {"aerokeep:device": device})
    return Output(tagged=len(cut.snapshot_ids))


handler = step(run)
