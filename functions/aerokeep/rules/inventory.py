"""What does a relaunch need of a node, what must be kept for it, and what would be lost all the same."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from aerokeep.model.files import NodeFiles, VaultFile
from aerokeep.model.inventory import Inventory, InventoryDevice, InventoryVolume, Mount, NodeInventory
from aerokeep.model.machine import BlockDevice, Image, Machine
from aerokeep.model.survey import Namespace, StoragePath, Survey
from aerokeep.model.volume import Volume
from aerokeep.model.wire import Wire

KEPT_WITHOUT_ANSWER = timedelta(days=14)
"""A node that fails must still be found in the inventory; one that was taken out of the cluster not for ever."""
_USABLE = frozenset({"available", "pending"})
BUILD_TAG, NODE_TAG = "aerokeep:build", "aerokeep:node"


class NodeView(Wire):
    """One node as its host and EC2 describe it."""

    survey: Survey
    machine: Machine
    launch: dict[str, Any]
    """GetLaunchTemplateData."""
    volumes: dict[str, Volume]


class ImageChoice(Wire):
    """What a relaunch of a node boots from."""

    image_id: str
    holds_build: bool
    """Otherwise an image of the node's boot volume should be made."""


def choose_image(node_id: str, build: str, *, own: str, existing: Mapping[str, Image]) -> ImageChoice:
    """Prefer the image that the node was launched from, if it is known to hold the build that runs now.

    Args:
        node_id: the node.
        build: what runs on it.
        own: the image that its instance was launched from.
        existing: the images that exist, by id: its own, and those that were made of the cluster's nodes.

    """
    found = existing.get(own)
    if found is not None and found.state == "available" and found.tags.get(BUILD_TAG) == build:
        return ImageChoice(image_id=own, holds_build=True)
    made = sorted(
        (image.state, image.image_id)  # an available one before a pending one
        for image in existing.values()
        if image.tags.get(NODE_TAG) == node_id and image.tags.get(BUILD_TAG) == build and image.state in _USABLE
    )
    if made:
        return ImageChoice(image_id=made[0][1], holds_build=True)
    return ImageChoice(image_id=own, holds_build=False)


def volumes_to_keep(view: NodeView) -> tuple[BlockDevice, ...]:
    """The volumes that hold data, or may, and would be deleted with the instance."""
    used = _used_volumes(view.survey)
    return tuple(
        device
        for device in view.machine.block_devices
        if device.delete_on_termination and (device.device != view.machine.root_device or device.volume_id in used)
    )


def root_namespaces(view: NodeView) -> tuple[str, ...]:
    """The namespaces that have data on the boot volume."""
    machine = view.machine
    root = {device.volume_id for device in machine.block_devices if device.device == machine.root_device}
    saved = ((ns.name, path) for ns in view.survey.namespaces if ns.persisted for path in ns.saved_paths)
    return tuple(sorted({name for name, path in saved if path.volume_id in root}))


def node_inventory(
    view: NodeView,
    *,
    image: ImageChoice,
    conf: tuple[VaultFile, ...],
    now: datetime,
    failures: Iterable[str] = (),
) -> NodeInventory:
    """Put together what is known of one node.

    Args:
        view: the node as it is now; what was just set to be kept is said to be kept.
        image: what it would boot from.
        conf: its configuration files in the vault.
        now: when it was looked at.
        failures: what could not be protected although it should be, ``code: detail``.

    """
    survey, machine = view.survey, view.machine
    primary = machine.primary
    return NodeInventory(
        node_id=survey.asd.node_id,
        instance_id=machine.instance_id,
        private_ip=primary.private_ip if primary else "",
        zone=machine.zone,
        subnet_id=primary.subnet_id if primary else "",
        build=survey.asd.build,
        edition=survey.asd.edition,
        cluster_name=survey.asd.cluster_name,
        rack_ids={ns.name: ns.rack_id for ns in survey.namespaces},
        replication_factors={ns.name: ns.replication_factor for ns in survey.namespaces},
        strongly_consistent=tuple(sorted(ns.name for ns in survey.namespaces if ns.strong_consistency)),
        instance_type=machine.instance_type,
        image_id=image.image_id,
        image_holds_build=image.holds_build,
        launch=view.launch,
        network_interface_id=primary.interface_id if primary else "",
        mac_address=primary.mac_address if primary else "",
        interface_delete_on_termination=bool(primary and primary.delete_on_termination),
        security_groups=primary.groups if primary else (),
        root_device=machine.root_device,
        volumes=tuple(_volumes(view)),
        devices=tuple(_device(ns, path) for ns in survey.namespaces for path in ns.paths),
        conf=conf,
        conf_path=survey.asd.conf_path,
        work_directory=survey.asd.work_directory,
        seen_at=now,
        unprotected=(*failures, *_losses(view, image, conf)),
    )


def with_conf(inventory: Inventory, files: Sequence[NodeFiles]) -> Inventory:
    """The inventory of a recovery point, whose own configuration files serve for a relaunch too."""
    conf = {node.node_id: tuple(file for file in node.files if "/conf/" in file.key) for node in files}
    nodes = []
    for node in inventory.nodes:
        ours = conf.get(node.node_id, ())
        still = tuple(reason for reason in node.unprotected if not (ours and reason.startswith("no_conf:")))
        nodes.append(node.model_copy(update={"conf": ours, "unprotected": still}))
    return inventory.model_copy(update={"nodes": tuple(nodes)})


def carried_over(former: Inventory | None, *, without: Collection[str], now: datetime) -> Iterator[NodeInventory]:
    """The entries of nodes that do not answer now: whoever replaces them needs what was known of them.

    Args:
        former: the inventory before this one.
        without: the node-ids that have a new entry, or shall have none.
        now: an entry that nobody confirmed for long is dropped.

    """
    for node in former.nodes if former else ():
        seen_at = node.seen_at or (former.taken_at if former else now)
        if node.node_id not in without and now - seen_at < KEPT_WITHOUT_ANSWER:
            yield node.model_copy(update={"seen_at": seen_at})


def _volumes(view: NodeView) -> Iterator[InventoryVolume]:
    used = _used_volumes(view.survey)
    paths = [path for ns in view.survey.namespaces for path in ns.paths]
    for device in sorted(view.machine.block_devices, key=lambda device: device.device):
        volume = view.volumes.get(device.volume_id)
        if volume is not None:
            yield InventoryVolume(
                volume_id=volume.volume_id,
                device=device.device,
                size_gib=volume.size_gib,
                volume_type=volume.volume_type,
                iops=volume.iops,
                throughput=volume.throughput_mibps,
                encrypted=volume.encrypted,
                kms_key_id=volume.kms_key_id,
                tags=volume.tags,
                namespaces=tuple(sorted(used.get(volume.volume_id, ()))),
                delete_on_termination=device.delete_on_termination,
                root=device.device == view.machine.root_device,
                mount=None if device.device == view.machine.root_device else _mount(paths, volume.volume_id),
            )


def _mount(paths: Sequence[StoragePath], volume_id: str) -> Mount | None:
    for path in paths:
        if path.volume_id == volume_id and path.mount_point and path.fs_type:
            return Mount(point=path.mount_point, fs_type=path.fs_type, options=path.mount_options or "defaults")
    return None


def _used_volumes(survey: Survey) -> dict[str, set[str]]:
    """Volume id → the namespaces that it holds data of."""
    used: dict[str, set[str]] = {}
    for ns in survey.namespaces:
        for path in ns.paths:
            if path.volume_id is not None:
                used.setdefault(path.volume_id, set()).add(ns.name)
    return used


def _device(ns: Namespace, path: StoragePath) -> InventoryDevice:
    return InventoryDevice(
        namespace=ns.name,
        path=path.path,
        role=path.role,
        index=path.index,
        volume_id=path.volume_id,
        header=path.header,
        size_bytes=path.size_bytes,
    )


def _losses(view: NodeView, image: ImageChoice, conf: tuple[VaultFile, ...]) -> Iterator[str]:
    """What a dead instance would take with it, and what would not come back as it was."""
    yield from _lost_data(view)
    machine = view.machine
    for device in volumes_to_keep(view):
        yield f"not_kept: {device.volume_id} at {device.device} would be deleted with the instance"
    if machine.primary is None or machine.primary.delete_on_termination:
        yield "interface_not_kept: the private address would be given up with the instance"
    for interface in machine.interfaces:
        if interface.device_index:
            yield f"second_interface: {interface.interface_id} is not attached to a replacement"
    if not image.holds_build:
        yield f"no_image: {image.image_id} is not known to hold {view.survey.asd.build}"
    if not conf:
        yield "no_conf: no configuration of this node is in the vault yet"


def _lost_data(view: NodeView) -> Iterator[str]:
    on_root = root_namespaces(view)
    for ns in view.survey.namespaces:
        if not ns.persisted:
            yield f"memory_only: namespace {ns.name} is in memory and comes back from its peers, or not at all"
        elif ns.name in on_root:
            yield f"data_on_root: namespace {ns.name} lies on the boot volume, which no replacement can take over"
        elif any(path.volume_id is None for path in ns.saved_paths):
            yield f"no_volume: namespace {ns.name} has a path on no EBS volume: it is lost with the instance"
