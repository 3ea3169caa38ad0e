"""What the steps of a replacement share: its order and its decisions."""

from typing import Any

from aerokeep.aws.vault import Runs
from aerokeep.model.machine import BlockDevice, Machine
from aerokeep.model.replacement import DataChoice, ReplaceOrder
from aerokeep.model.run import RunRef
from aerokeep.rules.alarms import watched_by
from aerokeep.steps.shared.relaunching import Returned


def order_of(runs: Runs, run: RunRef) -> ReplaceOrder:
    """What was asked for, and of which node."""
    return runs.read(run, "order", ReplaceOrder)


def choice_of(runs: Runs, run: RunRef) -> DataChoice:
    """What the node begins with."""
    return runs.read(run, "choice", DataChoice)


def returned_of(runs: Runs, run: RunRef) -> Returned:
    """The node's new instance."""
    return runs.read(run, "returned", Returned)


def cluster_of(raw: dict[str, Any]) -> str:
    """The cluster that an execution input names, by itself or by an alarm; empty where it names none."""
    if "cluster" in raw:
        return str(raw["cluster"])
    watched = watched_by(str(raw.get("alarm", "")))
    return watched.cluster if watched else ""


def doomed(order: ReplaceOrder, machine: Machine) -> tuple[BlockDevice, ...]:
    """The volumes of an instance that hold data, or may, and would be deleted with it."""
    with_data = {volume.volume_id for volume in order.node.volumes if volume.namespaces}
    return tuple(
        device
        for device in machine.block_devices
        if device.delete_on_termination and (device.device != machine.root_device or device.volume_id in with_data)
    )
