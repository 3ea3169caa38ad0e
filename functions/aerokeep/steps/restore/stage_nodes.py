"""State ``StageNodes``: put SMD and conf of the point on every node, and prove its volumes before a server starts."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Points, Runs
from aerokeep.model.restore import NewVolumes, NodeRestore, RestorePlan
from aerokeep.model.run import RunRef
from aerokeep.model.stage import FirstStart, StageSet, StageSpec
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.restoring import placed_nodes, plan_of, relaunched_of
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.shared.staging import CLOCK_ERROR_S, stage_devices, stage_files, stage_volume
from aerokeep.steps.step import Clock, step

STAGE_DEADLINE_S = 900
"""Devices appear within seconds of their attachment; a clock may need minutes after a boot."""


def run(request: RunRef, *, runs: Runs, points: Points, catalog: Catalog, hosts: Hosts, clock: Clock) -> Progress:
    """Hosts check headers before they change anything, and keep what they replace aside.

    Raises:
        RejectedError: a host found volumes that are not what the plan says, or would lose data by starting.
        NotReadyError: devices did not appear, or a clock did not become right, in time.

    """
    nodes, plan = placed_nodes(runs, request), plan_of(runs, request)
    made, relaunched = runs.read(request, "volumes", NewVolumes), relaunched_of(runs, request).instances

    def parameters(instance_id: str) -> dict[str, str]:
        node = nodes[instance_id]
        name = f"stage-{node.node_id}"
        # A relaunched node may have another interface, of whose address the server would make another id.
        explicit_id = node.node_id in relaunched
        runs.write(request, name, _spec(node, plan, made.of_node(node.node_id), points, explicit_id=explicit_id))
        return {"Run": request.run_id, "Spec": runs.presigned_read(request, name)}

    asker = Asker(request, runs=runs, catalog=catalog, hosts=hosts, clock=clock)
    staged = asker.until(
        "stage",
        nodes,
        parameters,
        accept=lambda body: body.get("staged") is True,
        deadline_s=STAGE_DEADLINE_S,
    )
    return Progress(done=staged is not None)


def _spec(
    node: NodeRestore, plan: RestorePlan, made: dict[str, str], points: Points, *, explicit_id: bool
) -> StageSpec:
    new = {volume.saved_volume_id: made[volume.device] for volume in node.volumes}
    return StageSpec(
        node_id=node.node_id if explicit_id else None,
        volumes=tuple(stage_volume(made[volume.device], volume.mount) for volume in node.volumes),
        devices=stage_devices(node.devices, new),
        sets=tuple(StageSet(**check.model_dump(), blank=False) for check in node.sets),
        smd=stage_files(plan.smd, points),
        conf=stage_files(node.conf, points),
        first_start=FirstStart(reject_writes=(*plan.namespaces, *plan.not_saved), cold_start_empty=()),
        cut_at=plan.cut_at.timestamp(),
        clock_error_s=CLOCK_ERROR_S,
    )


handler = step(run)
