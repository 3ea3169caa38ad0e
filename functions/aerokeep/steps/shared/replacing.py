"""What the steps of a replacement share: its order, its decisions, and the marks of how far it is."""

from datetime import datetime
from typing import Any, Literal

from aerokeep.aws.vault import Runs
from aerokeep.model.machine import BlockDevice, Machine
from aerokeep.model.replacement import DataChoice, ReplaceOrder
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Instant, Wire
from aerokeep.rules.alarms import watched_by
from aerokeep.steps.shared.relaunching import Returned

Mark = Literal["fencing", "starting", "opening"]
"""Written before the first act of a phase: an execution that goes on knows from it what may have happened already."""


class Marked(Wire):
    """When a phase began."""

    at: Instant


def mark(runs: Runs, run: RunRef, phase: Mark, *, now: datetime) -> None:
    """Say that a phase begins, unless it has been said."""
    if not marked(runs, run, phase):
        runs.write(run, f"mark-{phase}", Marked(at=now))


def marked(runs: Runs, run: RunRef, phase: Mark) -> bool:
    """Whether a phase of this run has begun."""
    return runs.find(run, f"mark-{phase}", Marked) is not None


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
