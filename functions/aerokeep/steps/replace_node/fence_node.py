"""State ``FenceNode``: make sure that the old instance can never run asd again, and that only it ends."""

from datetime import timedelta

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.machines import Machines
from aerokeep.aws.vault import Runs
from aerokeep.aws.volumes import Volumes
from aerokeep.model.errors import CorruptError, NotReadyError, RejectedError
from aerokeep.model.machine import GONE, Machine
from aerokeep.model.replacement import ReplaceOrder
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import mark
from aerokeep.steps.shared.patience import since
from aerokeep.steps.shared.replacing import doomed, order_of
from aerokeep.steps.step import Clock, logger, step

LOOK_AGAIN_S = 5
STOPPING_S = 120
"""An impaired host may never finish stopping; after this the instance is terminated as it is."""


def run(
    request: RunRef, *, runs: Runs, catalog: Catalog, machines: Machines, volumes: Volumes, clock: Clock
) -> Progress:
    """Stop by force, then terminate: each look does the next act, and each act finds the one before it done.

    Raises:
        RejectedError: something would be deleted with the instance; it was left as it is.
        NotReadyError: it is stuck; only AWS, or a person, can end it.
        CorruptError: a volume is gone with the instance.

    """
    order, now = order_of(runs, request), clock()
    began_at = since(runs, request, "fence", now=now)
    instance_id = order.node.instance_id
    machine = machines.seen([instance_id])[instance_id]
    if machine.state in GONE:
        return _fenced(order, volumes)
    if machine.state != "shutting-down":
        refuse_if_doomed(order, machine)
        catalog.require(request)
        mark(runs, request, "fencing", now=now)
        stopping_since = since(runs, request, "stopping", now=now)
        if machine.state in {"running", "pending"}:
            machines.stop(instance_id)
            logger.info("instance stopped by force", instance=instance_id, was=machine.state)
        if machine.state == "stopped" or now >= stopping_since + timedelta(seconds=STOPPING_S):
            _terminate(request, order, machines, catalog)
    if now >= began_at + timedelta(seconds=order.config.replace.patience_s):
        raise NotReadyError(
            f"fence_stuck: {instance_id} is {machine.state} since {began_at:%H:%M:%S} UTC: AWS has not ended it. "
            "Terminate it by hand (force), or have AWS support do so, then start again with the same input; "
            "do not launch anything with its address or volumes meanwhile"
        )
    return Progress(done=False, wait_s=LOOK_AGAIN_S)


def refuse_if_doomed(order: ReplaceOrder, machine: Machine) -> None:
    """What holds the only copy of data, or the address, must not go with the instance.

    Raises:
        RejectedError: it would.

    """
    volumes = [f"{device.volume_id} at {device.device}" for device in doomed(order, machine)]
    primary = machine.primary
    if primary is not None and primary.delete_on_termination:
        volumes.append(f"{primary.interface_id} with {primary.private_ip}")
    if volumes:
        raise RejectedError(
            f"delete_on_termination: {', '.join(volumes)} would be deleted with {machine.instance_id}: "
            "set DeleteOnTermination to false, and start again"
        )


def _terminate(request: RunRef, order: ReplaceOrder, machines: Machines, catalog: Catalog) -> None:
    """The attributes are read once more at the last moment: nothing brings a deleted volume back."""
    instance_id = order.node.instance_id
    if machines.is_kept_from_termination(instance_id):
        machines.allow_termination(instance_id)
    machine = machines.seen([instance_id])[instance_id]
    refuse_if_doomed(order, machine)
    catalog.require(request)
    machines.terminate(instance_id)
    logger.info("instance terminated", instance=instance_id, was=machine.state)


def _fenced(order: ReplaceOrder, volumes: Volumes) -> Progress:
    """Its end is proven; the volumes must have outlived it, and be let go."""
    wanted = {volume.volume_id: volume for volume in order.node.data_volumes}
    found = volumes.described(wanted)
    if lost := sorted(wanted.keys() - found.keys()):
        raise CorruptError(
            f"volume_lost: {', '.join(lost)} of node {order.node.node_id} are gone with {order.node.instance_id}: "
            "restore a recovery point"
        )
    held = [v for v in found.values() if v.attachment and v.attachment.instance_id == order.node.instance_id]
    return Progress(done=not held, wait_s=LOOK_AGAIN_S)


handler = step(run)
