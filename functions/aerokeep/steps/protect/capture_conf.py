"""State ``CaptureConf``: have each node's configuration files in the vault, uploading only what has changed."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Inventories, Points, Runs
from aerokeep.model.evidence import AsideFile
from aerokeep.model.inventory import Inventory
from aerokeep.model.run import RunRef
from aerokeep.steps.protect.survey_nodes import Answered
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.capturing import Capturer
from aerokeep.steps.shared.yielding import require_quiet
from aerokeep.steps.step import Clock, step


def run(
    request: RunRef,
    *,
    runs: Runs,
    catalog: Catalog,
    points: Points,
    inventories: Inventories,
    hosts: Hosts,
    clock: Clock,
) -> Progress:
    """A file that the last inventory has already keeps its key; SMD is left to recovery points.

    Raises:
        CorruptError: a host reports a name outside its folders, or an upload failed.
        ConflictError: the cluster is being put together meanwhile.

    """
    answered = runs.read(request, "answered", Answered)
    known = _known(request.cluster, inventories.newest(request.cluster))

    def place(node_id: str, file: AsideFile) -> str | None:
        if not file.name.startswith("conf/"):
            return None
        ours = f"{Inventories.prefix(request.cluster)}/{request.run_id}/{node_id}/{file.name}"
        return known.get((node_id, file.name, file.sha256), ours)

    captured = Capturer(runs=runs, points=points, hosts=hosts, clock=clock).look(
        request,
        {instance_id: survey.asd.node_id for instance_id, survey in answered.surveys.items()},
        place=place,
        may_ask=lambda: require_quiet(request.cluster, catalog),
        known=frozenset(known.values()),
        forgiving=True,
    )
    return Progress(done=captured is not None)


def _known(cluster: str, former: Inventory | None) -> dict[tuple[str, str, str], str]:
    """(node-id, name, hash) → key, of the files that stand by themselves: those of a point go when it expires."""
    own = f"{Inventories.prefix(cluster)}/"
    return {
        (node.node_id, "/".join(file.key.split("/")[-2:]), file.sha256): file.key
        for node in (former.nodes if former else ())
        for file in node.conf
        if file.key.startswith(own)
    }


handler = step(run)
