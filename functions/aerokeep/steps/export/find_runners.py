"""State ``FindRunners``: ask the cluster what it holds, and who can run asbackup."""

from collections.abc import Collection, Iterable

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import Instances
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import RejectedError
from aerokeep.model.export import ClusterFound, ExportOrder, Live
from aerokeep.model.health import NodeHealth
from aerokeep.model.run import RunRef
from aerokeep.rules.export_plan import wanted_namespaces
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.looking_around import Answers, look_around, runners_of
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, catalog: Catalog, instances: Instances, hosts: Hosts, clock: Clock) -> Progress:
    """Look only; the names of indexes and UDFs are kept, since the tool's summary merely counts them.

    Raises:
        RejectedError: there is no server, no runner, or no namespace of a name that was given.

    """
    catalog.require(request)
    order = runs.read(request, "order", ExportOrder)
    answers = look_around(request, order.config, runs=runs, instances=instances, hosts=hosts, clock=clock)
    if answers is None:
        return Progress(done=False)
    if order.request.exact and len(answers.healths) < len(answers.around.nodes):
        silent = sorted({node.instance_id for node in answers.around.nodes} - answers.healths.keys())
        raise RejectedError(
            f"node_silent: {', '.join(silent)}: exact needs the guard on every node; leave it out, or wait"
        )
    found = _found(order, answers)
    wanted_namespaces(order.request, found)
    runs.write(request, "cluster", found)
    return Progress(done=True)


def _found(order: ExportOrder, answers: Answers) -> ClusterFound:
    healths = answers.healths
    names = sorted({namespace.name for health in healths.values() for namespace in health.namespaces})
    return ClusterFound(
        runners=runners_of(answers, order.config.export, tool="asbackup"),
        server=answers.server,
        instances={health.node_id: instance_id for instance_id, health in healths.items()},
        namespaces=tuple(_live(name, healths.values(), order.request.sets) for name in names),
        udfs=tuple(sorted({udf for health in healths.values() for udf in health.udfs})),
        builds={health.node_id: health.asd.build for health in healths.values()},
    )


def _live(name: str, healths: Iterable[NodeHealth], sets: Collection[str]) -> Live:
    told = list(healths)
    indexes = {one for health in told for one in health.sindexes if one.namespace == name}
    return Live(
        namespace=name,
        master_objects=sum(ns.master_objects for health in told for ns in health.namespaces if ns.name == name),
        indexes=tuple(sorted({one.name for one in indexes if not sets or one.set in sets})),
    )


handler = step(run)
