"""State ``StopWrites``: for an exact export, schedule the guard on every node; nothing is frozen."""

from aerokeep.aws.vault import Runs
from aerokeep.model.consistency import Consistency, Shortfall
from aerokeep.model.export import ClusterFound, ExportOrder, ExportPlan
from aerokeep.model.plan import BackupPlan, NodePlan
from aerokeep.model.run import RunRef
from aerokeep.rules.window import whole_lease
from aerokeep.steps.shared.stopping import Stop, Stopper
from aerokeep.steps.step import step


def run(request: RunRef, *, runs: Runs, stopper: Stopper) -> Stop:
    """The jobs are ordered next, long before T0, and wait for it by themselves.

    Raises:
        ConflictError: a host already holds another write stop, such as a backup's.
        RejectedError: a host can never stop writes as asked.
        NotReadyError: not all hosts were armed in time.

    """
    order = runs.read(request, "order", ExportOrder)
    guard = _guard(runs.read(request, "cluster", ClusterFound), runs.read(request, "plan", ExportPlan))
    runs.write(request, "guard", guard)
    settings = order.config.write_stop
    return stopper.stop(request, guard, whole_lease(settings), lead_s=settings.lead_s, only_try=True)


def _guard(found: ClusterFound, plan: ExportPlan) -> BackupPlan:
    """A write stop without a cut: no volume, no filesystem."""
    nodes = tuple(
        NodePlan(
            instance_id=instance_id,
            private_ip="",
            node_id=node_id,
            build=found.builds.get(node_id, ""),
            volumes=(),
            exclude_boot=True,
            exclude_volume_ids=(),
            freeze=(),
            frozen_namespaces=(),
            sync_paths=(),
        )
        for node_id, instance_id in sorted(found.instances.items())
    )
    return BackupPlan(
        cluster_key="",
        wanted=Consistency.CLUSTER,
        shortfall=Shortfall.ABORT,
        namespaces=tuple(dict.fromkeys(part.namespace for part in plan.parts)),
        not_saved=(),
        nodes=nodes,
        stop_writes=True,
        notes=(),
    )


handler = step(run)
