"""State ``StageNodes``: put SMD and conf of the point on every node, and prove its volumes before a server starts."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Points, Runs
from aerokeep.model.restore import NewVolumes, NodeRestore, RestorePlan
from aerokeep.model.run import RunRef
from aerokeep.model.stage import (
    FirstStart,
    StageDevice,
    StageFile,
    StageFiles,
    StageMount,
    StageSet,
    StageSpec,
    StageVolume,
)
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.restoring import placed_nodes, plan_of
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.step import Clock, step

STAGE_DEADLINE_S = 900
"""Devices appear within seconds of their attachment; a clock may need minutes after a boot."""
CLOCK_ERROR_S = 1.0
"""A clock that is wrong by more expires records, or keeps them, that it should not (aerospike.md §I 25)."""


def run(request: RunRef, *, runs: Runs, points: Points, catalog: Catalog, hosts: Hosts, clock: Clock) -> Progress:
    """Hosts check headers before they change anything, and keep what they replace aside.

    Raises:
        RejectedError: a host found volumes that are not what the plan says, or would lose data by starting.
        NotReadyError: devices did not appear, or a clock did not become right, in time.

    """
    nodes, plan = placed_nodes(runs, request), plan_of(runs, request)
    made = runs.read(request, "volumes", NewVolumes)

    def parameters(instance_id: str) -> dict[str, str]:
        node = nodes[instance_id]
        name = f"stage-{node.node_id}"
        runs.write(request, name, _spec(node, plan, made.of_node(node.node_id), points))
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


def _spec(node: NodeRestore, plan: RestorePlan, made: dict[str, str], points: Points) -> StageSpec:
    new = {volume.saved_volume_id: made[volume.device] for volume in node.volumes}
    return StageSpec(
        # Explicit: a relaunched instance may have another interface, from whose address the id would be made.
        node_id=node.node_id,
        volumes=tuple(
            StageVolume(
                volume_id=made[volume.device],
                mount=None if volume.mount is None else StageMount(**volume.mount.model_dump()),
            )
            for volume in node.volumes
        ),
        devices=tuple(
            StageDevice(
                namespace=device.namespace,
                path=device.path,
                role=device.role,
                volume_id=new.get(device.volume_id) if device.volume_id else None,
            )
            for device in node.devices
        ),
        sets=tuple(StageSet(**check.model_dump(), blank=False) for check in node.sets),
        smd=StageFiles(
            action="replace", files=tuple(StageFile.of(file, points.presigned_read(file.key)) for file in plan.smd)
        ),
        conf=StageFiles(
            action="replace", files=tuple(StageFile.of(file, points.presigned_read(file.key)) for file in node.conf)
        ),
        first_start=FirstStart(reject_writes=(*plan.namespaces, *plan.not_saved), cold_start_empty=()),
        cut_at=plan.cut_at.timestamp(),
        clock_error_s=CLOCK_ERROR_S,
    )


handler = step(run)
