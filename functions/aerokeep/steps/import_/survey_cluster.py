"""State ``SurveyCluster``: ask the cluster what its namespaces hold and take, and who can run asrestore."""

from collections.abc import Iterable, Iterator

from aerokeep.aws.ec2 import Instances
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.health import NamespaceHealth, NodeHealth
from aerokeep.model.import_ import ImportOrder, ImportPlan, Target, TargetsFound
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.looking_around import Answers, look_around, runners_of
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, instances: Instances, hosts: Hosts, clock: Clock) -> Progress:
    """Look only; a run that goes on does so by its plan.

    Raises:
        RejectedError: there is no server, or no runner.

    """
    if runs.find(request, "plan", ImportPlan) is not None:
        return Progress(done=True)
    order = runs.read(request, "order", ImportOrder)
    answers = look_around(request, order.config, runs=runs, instances=instances, hosts=hosts, clock=clock)
    if answers is None:
        return Progress(done=False)
    runs.write(request, "cluster", _found(order, answers))
    return Progress(done=True)


def _found(order: ImportOrder, answers: Answers) -> TargetsFound:
    healths = answers.healths
    names = sorted({namespace.name for health in healths.values() for namespace in health.namespaces})
    return TargetsFound(
        runners=runners_of(answers, order.config.export, tool="asrestore"),
        server=answers.server,
        nodes=len(healths),
        targets=tuple(_target(name, healths.values()) for name in names),
        problems=tuple(_problems(answers)),
    )


def _target(name: str, healths: Iterable[NodeHealth]) -> Target:
    told: list[NamespaceHealth] = [ns for health in healths for ns in health.namespaces if ns.name == name]
    available = [ns.data_avail_pct for ns in told if ns.data_avail_pct is not None]
    return Target(
        namespace=name,
        nodes=len(told),
        master_objects=sum(ns.master_objects for ns in told),
        guarded=any(ns.reject_non_xdr_writes for ns in told),
        stop_writes=any(ns.stop_writes or ns.clock_skew_stop_writes for ns in told),
        available_pct=min(available, default=None),
    )


def _problems(answers: Answers) -> Iterator[str]:
    """Whoever is not asked may be guarded or full, and a cluster in two halves takes writes in each."""
    for node in answers.around.nodes:
        if node.instance_id not in answers.healths:
            yield f"node_silent: {node.instance_id} {answers.unheard.get(node.instance_id, 'did not answer')}"
    keys = {health.cluster.key for health in answers.healths.values()}
    if len(keys) > 1:
        yield f"cluster_split: the nodes see {len(keys)} clusters: wait until they are one"


handler = step(run)
