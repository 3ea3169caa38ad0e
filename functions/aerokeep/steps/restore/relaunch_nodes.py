"""State ``RelaunchNodes``: bring back instances that are gone, each with its private IP and its server kept off."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Points, Runs
from aerokeep.model.errors import CorruptError
from aerokeep.model.inventory import NodeInventory
from aerokeep.model.recovery_point import Manifest
from aerokeep.model.restore import Relaunched, RestorePlan
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.relaunching import Look, Relauncher
from aerokeep.steps.shared.restoring import plan_of
from aerokeep.steps.step import Clock, step

PATIENCE_S = 1800
"""For each slow part of a launch: capacity may be back within minutes, agents may need six (aws.md §J)."""
LOOK_AGAIN_S = 5


def run(
    request: RunRef, *, runs: Runs, points: Points, catalog: Catalog, relauncher: Relauncher, clock: Clock
) -> Progress:
    """Before anything that lives is touched: without all nodes there is nothing to restore onto.

    Raises:
        RejectedError: a stranger has an address or an interface of the cluster.
        NotReadyError: there is no capacity, or an instance did not come up in time.

    """
    plan = plan_of(runs, request)
    gone = {node.node_id for node in plan.nodes if node.instance_id is None}
    if not gone:
        return Progress(done=True)
    look = Look(request=request, runs=runs, catalog=catalog, clock=clock, patience_s=PATIENCE_S)
    returned = relauncher.look(look, _as_they_were(points, plan, request.cluster, gone))
    if returned is None:
        return Progress(done=False, wait_s=LOOK_AGAIN_S)
    relaunched = Relaunched(
        instances={node_id: back.instance_id for node_id, back in returned.items()},
        interfaces={node_id: back.interface_id for node_id, back in returned.items()},
    )
    runs.write(request, "relaunched", relaunched)
    return Progress(done=True)


def _as_they_were(points: Points, plan: RestorePlan, cluster: str, gone: set[str]) -> list[NodeInventory]:
    manifest = points.find(cluster, plan.point_id)
    if not isinstance(manifest, Manifest) or manifest.inventory is None:
        raise CorruptError(f"point_changed: the vault does not hold {plan.point_id} as it was planned")
    return [node for node in manifest.inventory.nodes if node.node_id in gone]


handler = step(run)
