"""State ``StageNode``: put the node's configuration on its new host, and prove its volumes before the server starts."""

from aerokeep.aerospike.node_id import made_of
from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Points, Runs
from aerokeep.model.inventory import NodeInventory
from aerokeep.model.replacement import DataChoice
from aerokeep.model.restore import NewVolumes
from aerokeep.model.run import RunRef
from aerokeep.model.stage import FirstStart, StageFiles, StageSet, StageSpec
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import marked
from aerokeep.steps.shared.replacing import choice_of, order_of, returned_of
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.shared.staging import CLOCK_ERROR_S, stage_devices, stage_files, stage_volume
from aerokeep.steps.step import Clock, step


def run(request: RunRef, *, runs: Runs, points: Points, catalog: Catalog, hosts: Hosts, clock: Clock) -> Progress:
    """The host checks headers before it changes anything.

    Raises:
        RejectedError: the volumes are not what the inventory says.
        NotReadyError: devices did not appear, or the clock did not become right, in time.

    """
    if marked(runs, request, "starting"):
        return Progress(done=True)
    order, returned = order_of(runs, request), returned_of(runs, request)
    placed = runs.read(request, "volumes", NewVolumes).of_node(order.node.node_id)

    def parameters(_: str) -> dict[str, str]:
        choice = choice_of(runs, request)
        explicit_id = not made_of(order.node.node_id, returned.mac_address)
        spec = node_spec(order.node, placed, choice, points, explicit_id=explicit_id)
        runs.write(request, "stage", spec)
        return {"Run": request.run_id, "Spec": runs.presigned_read(request, "stage")}

    asker = Asker(request, runs=runs, catalog=catalog, hosts=hosts, clock=clock)
    staged = asker.until(
        "stage",
        [returned.instance_id],
        parameters,
        accept=lambda body: body.get("staged") is True,
        deadline_s=order.config.replace.patience_s,
    )
    return Progress(done=staged is not None)


def node_spec(
    node: NodeInventory, placed: dict[str, str], choice: DataChoice, points: Points, *, explicit_id: bool
) -> StageSpec:
    """What the host is told.

    Args:
        node: the node as it was.
        placed: device → the volume that is there now.
        choice: what it begins with.
        points: signs the addresses of its files.
        explicit_id: write the node-id into the conf: the server would make another one of its interface's MAC.

    """
    now = {volume.volume_id: placed[volume.device] for volume in node.data_volumes}
    return StageSpec(
        node_id=node.node_id if explicit_id else None,
        volumes=tuple(stage_volume(placed[volume.device], volume.mount) for volume in node.data_volumes),
        devices=stage_devices(node.devices, now),
        sets=tuple(_sets(node, choice)),
        # A node that joins takes indexes, UDFs and the like from its peers; what its image holds is older than theirs.
        smd=StageFiles(action="clear"),
        conf=stage_files(node.conf, points),
        first_start=FirstStart(reject_writes=(), cold_start_empty=choice.emptied),
        cut_at=None,
        clock_error_s=CLOCK_ERROR_S,
    )


def _sets(node: NodeInventory, choice: DataChoice) -> list[StageSet]:
    """The signature is new at every start of asd, so the inventory's may be old: the devices must agree on one."""
    sets = []
    for name in node.namespaces:
        devices = node.saved_devices(name)
        versions = {device.header.version for device in devices if device.header is not None}
        sets.append(
            StageSet(
                namespace=name,
                n_devices=len(devices),
                random=None,
                version=versions.pop() if len(versions) == 1 else None,
                # On no volume that was brought back, such as instance store: it begins blank, and its peers fill it.
                blank=choice.data == "empty" or name in choice.emptied,
            )
        )
    return sets


handler = step(run)
