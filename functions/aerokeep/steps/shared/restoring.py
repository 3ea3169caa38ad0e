"""What the steps of a restore share: its order, the marks of how far it is, and on which instance each node runs."""

from datetime import datetime
from typing import Literal

from aerokeep.aws.vault import Runs
from aerokeep.model.cluster import ClusterConfig
from aerokeep.model.restore import NodeRestore, Relaunched, RestorePlan, RestoreRequest
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Instant, Wire

Mark = Literal["fencing", "starting", "opening", "rolling-back"]
"""Written before the first act of a phase: an execution that goes on knows from it what may have happened already."""


class RestoreOrder(Wire):
    """The request, and the configuration that this run keeps, whatever is deployed while it goes on."""

    request: RestoreRequest
    config: ClusterConfig


class Marked(Wire):
    """When a phase began."""

    at: Instant


def mark(runs: Runs, run: RunRef, phase: Mark, *, now: datetime) -> None:
    """Say that a phase begins, unless it has been said."""
    if not marked(runs, run, phase):
        runs.write(run, f"mark-{phase}", Marked(at=now))


def marked(runs: Runs, run: RunRef, phase: Mark) -> bool:
    """Whether a phase of this run has begun."""
    return runs.find(run, f"mark-{phase}", Marked) is not None


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
