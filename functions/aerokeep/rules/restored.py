"""What a cluster looks like after a restore: the inventory by which a node of it would be replaced from then on."""

from collections.abc import Mapping
from datetime import datetime

from aerokeep.model.inventory import Inventory, NodeInventory
from aerokeep.model.restore import NewVolumes, Relaunched


def inventory_after(
    inventory: Inventory, *, made: NewVolumes, relaunched: Relaunched, run_id: str, now: datetime
) -> Inventory:
    """Name the volumes and instances that the nodes have now: the former ones must never be attached again.

    Args:
        inventory: the cluster as the point describes it.
        made: the volumes that were put in place of the saved ones.
        relaunched: the instances that came back.
        run_id: the restore.
        now: when it ended.

    """
    nodes = tuple(_node_after(node, made.of_node(node.node_id), relaunched) for node in inventory.nodes)
    return inventory.model_copy(update={"nodes": nodes, "run_id": run_id, "taken_at": now})


def _node_after(node: NodeInventory, made: Mapping[str, str], relaunched: Relaunched) -> NodeInventory:
    new = {volume.volume_id: made[volume.device] for volume in node.volumes if volume.device in made}
    return node.model_copy(
        update={
            "instance_id": relaunched.instances.get(node.node_id, node.instance_id),
            "network_interface_id": relaunched.interfaces.get(node.node_id, node.network_interface_id),
            "volumes": tuple(
                volume.model_copy(update={"volume_id": new[volume.volume_id], "delete_on_termination": False})
                if volume.volume_id in new
                else volume
                for volume in node.volumes
            ),
            # Every start writes a new signature, so the headers of the point say nothing any more.
            "devices": tuple(
                device.model_copy(
                    update={"volume_id": new.get(device.volume_id or "", device.volume_id), "header": None}
                )
                for device in node.devices
            ),
        }
    )
