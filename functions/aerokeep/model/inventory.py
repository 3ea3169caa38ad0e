"""The inventory of a cluster: per node what a relaunch needs, as it stood when a backup or a protect run looked."""

from typing import Any, Literal

from pydantic import Field

from aerokeep.model.cluster import ClusterName
from aerokeep.model.files import VaultFile
from aerokeep.model.survey import Header
from aerokeep.model.wire import Instant, Wire


class Mount(Wire):
    """A mounted filesystem, as a replacement must mount it again."""

    point: str
    fs_type: str
    options: str


class InventoryVolume(Wire):
    """One EBS volume of a node."""

    volume_id: str
    device: str
    """The EC2 device name, for instance ``/dev/sdf``."""
    size_gib: int
    volume_type: str
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool
    kms_key_id: str | None = None
    tags: dict[str, str]
    namespaces: tuple[str, ...]
    """Whose data it holds; none for the boot volume and for volumes that no namespace uses."""
    delete_on_termination: bool
    """As it stood when the inventory was written; re-read just before anything is terminated."""
    root: bool
    mount: Mount | None = None


class InventoryDevice(Wire):
    """One file or device of a namespace."""

    namespace: str
    path: str
    """As aerospike.conf names it."""
    role: str
    """``file``, ``device``, ``shadow`` or ``backing``."""
    index: int
    volume_id: str | None = None
    """None for instance store: it comes back empty."""
    header: Header | None = None
    size_bytes: int | None = None
    """As the host measured it: a shadow must not be smaller than the device that it shadows (aerospike.md §D3)."""


class NodeInventory(Wire):
    """One node."""

    node_id: str
    instance_id: str
    private_ip: str
    zone: str
    subnet_id: str
    build: str
    edition: str
    cluster_name: str | None = None
    rack_ids: dict[str, int]
    """By namespace; 0 where the node is in no rack."""
    replication_factors: dict[str, int] = Field(default_factory=dict)
    strongly_consistent: tuple[str, ...] = ()
    """Namespaces in strong consistency mode."""
    instance_type: str
    image_id: str
    """What a relaunch boots from: the instance's own image, or one made of its root volume."""
    image_holds_build: bool
    """The image is known to hold ``build`` (tag ``aerokeep:build``)."""
    launch: dict[str, Any]
    """GetLaunchTemplateData of the instance."""
    network_interface_id: str
    mac_address: str
    interface_delete_on_termination: bool
    security_groups: tuple[str, ...]
    root_device: str
    volumes: tuple[InventoryVolume, ...]
    devices: tuple[InventoryDevice, ...]
    conf: tuple[VaultFile, ...]
    conf_path: str | None = None
    work_directory: str | None = None
    seen_at: Instant | None = None
    """When the node last answered; one that does not answer keeps its entry for some time."""
    unprotected: tuple[str, ...] = ()
    """What would be lost with the instance, or would not come back as it was: ``code: detail``."""

    @property
    def data_volumes(self) -> tuple[InventoryVolume, ...]:
        """The volumes that outlive the instance: every one but its boot volume."""
        return tuple(volume for volume in self.volumes if not volume.root)

    def saved_devices(self, namespace: str) -> tuple[InventoryDevice, ...]:
        """The persistence set of a namespace: its shadows where there are any, else all of its devices."""
        ours = tuple(device for device in self.devices if device.namespace == namespace)
        return tuple(device for device in ours if device.role == "shadow") or ours

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that the node has on disk."""
        return tuple(sorted({device.namespace for device in self.devices}))


class Inventory(Wire):
    """The whole cluster; in the vault as ``clusters/<cluster>/inventory.json`` and in each manifest."""

    schema_version: Literal[1] = 1
    cluster: ClusterName
    run_id: str
    taken_at: Instant
    nodes: tuple[NodeInventory, ...]

    def node(self, name: str) -> NodeInventory | None:
        """The node with this node-id (in either case) or private IP."""
        wanted = name.upper()
        return next((node for node in self.nodes if wanted in {node.node_id.upper(), node.private_ip}), None)

    def of_instance(self, instance_id: str) -> NodeInventory | None:
        """The node that ran on this instance."""
        return next((node for node in self.nodes if node.instance_id == instance_id), None)
