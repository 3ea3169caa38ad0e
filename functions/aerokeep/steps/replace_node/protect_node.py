"""State ``ProtectNode``: before anything is stopped, make sure that all a relaunch needs is there and stays there."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Self

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.interfaces import Interfaces
from aerokeep.aws.launching import Images
from aerokeep.aws.machines import Machines
from aerokeep.aws.vault import Runs
from aerokeep.aws.volumes import Volumes
from aerokeep.model.errors import NotReadyError, RejectedError
from aerokeep.model.inventory import NodeInventory
from aerokeep.model.machine import GONE, Interface, Machine
from aerokeep.model.replacement import ReplaceOrder
from aerokeep.model.run import RunRef
from aerokeep.model.volume import Volume
from aerokeep.rules.relaunch import launch_request
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import marked
from aerokeep.steps.shared.patience import since
from aerokeep.steps.shared.replacing import doomed, order_of
from aerokeep.steps.shared.swapping import SUPERSEDED
from aerokeep.steps.step import Clock, logger, step


class Belongings:
    """What a node leaves behind: volumes, an address, an image to boot from."""

    def __init__(self, *, machines: Machines, volumes: Volumes, interfaces: Interfaces, images: Images) -> None:
        self.machines, self.volumes, self.interfaces, self.images = machines, volumes, interfaces, images

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            machines=Machines.from_environment(),
            volumes=Volumes.from_environment(),
            interfaces=Interfaces.from_environment(),
            images=Images.from_environment(),
        )


def run(request: RunRef, *, runs: Runs, catalog: Catalog, belongings: Belongings, clock: Clock) -> Progress:
    """Refuse while refusing costs nothing, then keep what would be deleted with the instance.

    Raises:
        RejectedError: something that the node needs is gone, or a stranger has it; nothing was touched.
        NotReadyError: its image is still not available after all patience.

    """
    if marked(runs, request, "fencing"):
        return Progress(done=True)
    order, began_at = order_of(runs, request), since(runs, request, "image", now=clock())
    node = order.node
    machine = belongings.machines.seen([node.instance_id])[node.instance_id]
    _check_volumes(node, belongings.volumes.described(v.volume_id for v in node.data_volumes))
    _check_address(node, belongings.interfaces)
    if not node.conf:
        raise RejectedError(f"no_conf: no configuration of node {node.node_id} is in the vault: it can't be staged")
    launch_request(node, interface_id=node.network_interface_id, cluster=request.cluster, run_id=request.run_id)
    if not _image_is_ready(node, belongings.images):
        if clock() >= began_at + timedelta(seconds=order.config.replace.patience_s):
            raise NotReadyError(f"image_pending: {node.image_id} of node {node.node_id} is still being made")
        return Progress(done=False, wait_s=15)
    if machine.state not in GONE:
        catalog.require(request)
        _keep(order, machine, belongings)
    return Progress(done=True)


def _check_volumes(node: NodeInventory, found: Mapping[str, Volume]) -> None:
    """Every volume of the node is there, in its zone, and with nobody else."""
    for volume in node.data_volumes:
        there = found.get(volume.volume_id)
        if there is None or there.state in {"deleting", "deleted", "error"}:
            raise RejectedError(
                f"volume_gone: {volume.volume_id} at {volume.device} of node {node.node_id} exists no more: restore"
            )
        at = there.attachment
        if at is not None and at.instance_id != node.instance_id:
            raise RejectedError(
                f"volume_taken: {volume.volume_id} of node {node.node_id} is attached to {at.instance_id}: detach it"
            )
        if there.zone != node.zone:
            raise RejectedError(
                f"wrong_zone: {volume.volume_id} is in {there.zone}, node {node.node_id} in {node.zone}"
            )
        if SUPERSEDED in there.tags:
            raise RejectedError(
                f"volume_superseded: {volume.volume_id} was replaced by {there.tags[SUPERSEDED]}: run protect, so that "
                "the inventory names the node's volumes"
            )


def _check_address(node: NodeInventory, interfaces: Interfaces) -> None:
    """The node's interface, or at least its address, is nobody else's."""
    own = interfaces.seen(node.network_interface_id)
    holder = own or interfaces.holding(node.private_ip, subnet_id=node.subnet_id)
    if own is not None and not _is_free_or_its_own(node, own):
        raise RejectedError(
            f"interface_taken: {own.interface_id} with {node.private_ip} of node {node.node_id} is attached to "
            f"{own.instance_id or 'something that is no instance'}: detach it, and start again"
        )
    if own is None and holder is not None:
        raise RejectedError(
            f"ip_taken: {node.private_ip} of node {node.node_id} belongs to {holder.interface_id} "
            f"({holder.instance_id or holder.status}) by now: free the address, and start again"
        )


def _is_free_or_its_own(node: NodeInventory, interface: Interface) -> bool:
    return interface.status == "available" or interface.instance_id == node.instance_id


def _image_is_ready(node: NodeInventory, images: Images) -> bool:
    if not node.image_holds_build:
        raise RejectedError(
            f"image_unproven: {node.image_id} is not known to hold asd {node.build}: if it does, tag it "
            f"aerokeep:build={node.build} and run protect"
        )
    image = images.described([node.image_id]).get(node.image_id)
    if image is None or image.state not in {"available", "pending"}:
        state = "exists no more" if image is None else f"is {image.state}"
        raise RejectedError(f"image_gone: {node.image_id} of node {node.node_id} {state}: nothing to boot from")
    return image.state == "available"


def _keep(order: ReplaceOrder, machine: Machine, belongings: Belongings) -> None:
    """Never on what is kept already: each change is one more thing that can go wrong."""
    devices = {device.device for device in doomed(order, machine)}
    if devices:
        belongings.machines.keep_volumes(machine.instance_id, devices)
        logger.info("volumes kept", instance=machine.instance_id, devices=sorted(devices))
    primary = machine.primary
    if primary is not None and primary.delete_on_termination:
        belongings.interfaces.keep(primary.interface_id, attachment_id=primary.attachment_id)
        logger.info("interface kept", instance=machine.instance_id, interface=primary.interface_id)


handler = step(run)
