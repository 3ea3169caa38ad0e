"""State ``CaptureMetadata``: bring each node's SMD and configuration into the vault, by presigned uploads."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Points, Runs
from aerokeep.model.evidence import AsideFile
from aerokeep.model.plan import BackupPlan
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.capturing import Capturer
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, catalog: Catalog, points: Points, hosts: Hosts, clock: Clock) -> Progress:
    """What the hosts copied aside inside the window goes below the point.

    Raises:
        CorruptError: a host reports a name outside its two folders, or an upload failed.
        NotReadyError: a host did not answer.

    """
    plan = runs.read(request, "plan", BackupPlan)

    def place(node_id: str, file: AsideFile) -> str:
        return f"{Points.prefix(request)}/nodes/{node_id}/{file.name}"

    captured = Capturer(runs=runs, points=points, hosts=hosts, clock=clock).look(
        request,
        {node.instance_id: node.node_id for node in plan.nodes},
        place=place,
        may_ask=lambda: catalog.require(request),
    )
    return Progress(done=captured is not None)


handler = step(run)
