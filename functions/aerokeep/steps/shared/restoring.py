"""What the steps of a restore share: its order and its plan, and on which instance each node runs."""

from aerokeep.aws.vault import Runs
from aerokeep.model.cluster import ClusterConfig
from aerokeep.model.restore import NodeRestore, Relaunched, RestorePlan, RestoreRequest
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire


class RestoreOrder(Wire):
    """The request, and the configuration that this run keeps, whatever is deployed while it goes on."""

    request: RestoreRequest
    config: ClusterConfig


def order_of(runs: Runs, run: RunRef) -> RestoreOrder:
    """What was asked for."""
    return runs.read(run, "order", RestoreOrder)


def plan_of(runs: Runs, run: RunRef) -> RestorePlan:
    """What was judged sound."""
    return runs.read(run, "plan", RestorePlan)


def stop_parameters(run: RunRef, node: NodeRestore) -> dict[str, str]:
    """Parameters of the verb ``stop``: filesystems whose volumes are swapped are unmounted with it."""
    points = sorted({volume.mount.point for volume in node.volumes if volume.mount is not None})
    return {"Run": run.run_id, "Unmount": ",".join(points) or "none"}


def placed_nodes(runs: Runs, run: RunRef) -> dict[str, NodeRestore]:
    """Instance id → the node that it runs, relaunched ones by their new instance."""
    relaunched = relaunched_of(runs, run)
    return {node.instance_id or relaunched.instances[node.node_id]: node for node in plan_of(runs, run).nodes}


def relaunched_of(runs: Runs, run: RunRef) -> Relaunched:
    """What was relaunched, if anything."""
    return runs.find(run, "relaunched", Relaunched) or Relaunched(instances={}, interfaces={})
