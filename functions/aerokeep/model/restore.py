"""The restore of a whole cluster: what was asked for, and the plan that was judged sound."""

from typing import Annotated

from pydantic import Field, StringConstraints

from aerokeep.model.cluster import ClusterName
from aerokeep.model.consistency import Consistency
from aerokeep.model.files import VaultFile
from aerokeep.model.inventory import InventoryDevice, Mount
from aerokeep.model.run import PointId
from aerokeep.model.wire import Instant, Wire

PlanHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class RestoreRequest(Wire):
    """The execution input of ``restore``."""

    cluster: ClusterName
    point: PointId
    dry_run: bool = False
    """Judge and print the plan; nothing is touched, and no lock is taken."""
    plan: PlanHash | None = None
    """The hash that a dry run printed: a live cluster is restored by exactly that plan, or not at all."""
    accept_label: Consistency | None = None
    """The label of the point, where it is below ``cluster``: whoever says it knows what it does not promise."""


class VolumeRestore(Wire):
    """One volume of the point, and the place where it goes."""

    device: str
    """The EC2 device name, the same as at the backup."""
    snapshot_id: str
    saved_volume_id: str
    """The volume that the snapshot was taken of; devices and mounts of the inventory name it."""
    old_volume_id: str | None
    """What is there now (or was, on an instance that is gone): kept and tagged. None: it exists no more."""
    zone: str
    size_gib: int
    volume_type: str
    iops: int | None
    throughput_mibps: int | None
    encrypted: bool
    kms_key_id: str | None
    namespaces: tuple[str, ...]
    mount: Mount | None


class SetCheck(Wire):
    """What the headers of one namespace's devices on one node must say before asd may start."""

    namespace: str
    n_devices: int
    random: str | None
    """The set's signature as 16 hex digits; None where the server may have been restarted before the cut."""
    version: int | None


class NodeRestore(Wire):
    """One node of the point."""

    node_id: str
    private_ip: str
    instance_id: str | None
    """None: the instance is gone and is relaunched first, with this private IP."""
    volumes: tuple[VolumeRestore, ...]
    devices: tuple[InventoryDevice, ...]
    sets: tuple[SetCheck, ...]
    conf: tuple[VaultFile, ...]


class Expected(Wire):
    """What a namespace held at the cut."""

    namespace: str
    master_objects: int | None
    """Over all nodes; None where no host counted inside the window."""


class RestorePlan(Wire):
    """The verdict of :func:`aerokeep.rules.restore_plan.judge_restore` when nothing was refused."""

    point_id: str
    label: Consistency
    cut_at: Instant
    """The last response of the cut: nothing in the point is younger."""
    build: str
    namespaces: tuple[str, ...]
    """Saved namespaces: their writes are rejected until the gates are passed."""
    not_saved: tuple[str, ...]
    nodes: tuple[NodeRestore, ...]
    smd: tuple[VaultFile, ...]
    """One set for all nodes: with the same version everywhere there is nothing to merge (aerospike.md §C3)."""
    expected: tuple[Expected, ...]
    indexes: tuple[str, ...]
    """Names of the secondary indexes that the SMD brings back."""
    udfs: tuple[str, ...]
    live: bool
    """A server of the cluster answers now: only a run that names the plan may stop it."""
    notes: tuple[str, ...] = Field(default=())
    """What will and will not come back."""

    @property
    def new_gib(self) -> int:
        """What the new volumes hold beside the old ones, which are kept."""
        return sum(volume.size_gib for node in self.nodes for volume in node.volumes)


class Placed(Wire):
    """One new volume of a restore."""

    node_id: str
    device: str
    volume_id: str


class NewVolumes(Wire):
    """All new volumes of a restore."""

    volumes: tuple[Placed, ...]

    def of_node(self, node_id: str) -> dict[str, str]:
        """Device → volume id."""
        return {placed.device: placed.volume_id for placed in self.volumes if placed.node_id == node_id}


class Relaunched(Wire):
    """What nodes whose instances were gone run on now, by node id."""

    instances: dict[str, str]
    interfaces: dict[str, str]
