"""A recovery point: its snapshots, its files, and the manifest that is its commit mark."""

from enum import StrEnum
from typing import Any, Literal

from aerokeep.model.cluster import ClusterConfig
from aerokeep.model.consistency import Consistency, Label
from aerokeep.model.files import NodeFiles
from aerokeep.model.inventory import Inventory
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.wire import Instant, Wire

SCHEMA: Literal[1] = 1


class SnapshotState(StrEnum):
    """Source: botocore's EC2 model, ``SnapshotState``."""

    PENDING = "pending"
    COMPLETED = "completed"
    ERROR = "error"
    RECOVERABLE = "recoverable"
    RECOVERING = "recovering"


class Snapshot(Wire):
    """One EBS snapshot as DescribeSnapshots tells it."""

    id: str
    volume_id: str
    state: SnapshotState
    progress_percent: int
    size_gib: int
    encrypted: bool
    kms_key_id: str | None
    started_at: Instant
    state_message: str | None = None
    tags: dict[str, str]


class NodeCut(Wire):
    """The cut of one node: one CreateSnapshots, or what a look-up by tag found after a doubtful answer."""

    instance_id: str
    node_id: str
    requested_at: Instant
    responded_at: Instant
    """Controller time of the answer; after a doubtful one, of the look-up that found the set."""
    snapshots: dict[str, str]
    """Volume id → snapshot id."""


class Cut(Wire):
    """The cut of the whole cluster."""

    nodes: tuple[NodeCut, ...]

    @property
    def snapshot_ids(self) -> frozenset[str]:
        """Every member of the point."""
        return frozenset(snapshot for node in self.nodes for snapshot in node.snapshots.values())

    @property
    def first_request(self) -> Instant:
        """Before this instant every acknowledged write must be in the point."""
        return min(node.requested_at for node in self.nodes)

    @property
    def last_response(self) -> Instant:
        """After this instant no write may be in the point."""
        return max(node.responded_at for node in self.nodes)


class PointEntry(Wire):
    """A committed point as the catalog's index has it."""

    point_id: str
    started_at: Instant
    consistency: Consistency


class FailedTry(Wire):
    """A try of the write stop and the cut that came to nothing, and was followed by another one."""

    number: int
    reason: str
    ended_at: Instant
    """When its hosts had let go, or were given up, and its snapshots were deleted."""
    write_stop_s: float | None
    """From the first guard on any node to the last lift on any node; None where no host had begun."""
    unheard: dict[str, str]
    """Instances that did not confirm that they had let go, with the last word from each."""


class Manifest(Wire):
    """The commit mark: written last, once, and enough to restore without the catalog."""

    schema_version: Literal[1] = SCHEMA
    state: Literal["committed"] = "committed"
    point_id: str
    cluster: ClusterConfig
    execution: str
    started_at: Instant
    committed_at: Instant
    label: Label
    first_request: Instant
    last_response: Instant
    plan: BackupPlan
    window: Window | None
    """Of the try that made the point."""
    failed_tries: tuple[FailedTry, ...] = ()
    cuts: tuple[NodeCut, ...]
    snapshots: tuple[Snapshot, ...]
    files: tuple[NodeFiles, ...]
    evidence_key: str
    instances: dict[str, dict[str, Any]]
    """Instance id → what EC2 said of it: type, zone, subnet, interface, addresses, groups, image, profile."""
    builds: dict[str, str]
    """Node id → asd build: restore with the same build first."""
    inventory: Inventory | None = None
    """What a relaunch of its nodes needs; points of older releases have none."""


class Abandonment(Wire):
    """What stands under the manifest's key when the point was given up: it can never be committed after that."""

    schema_version: Literal[1] = SCHEMA
    state: Literal["abandoned"] = "abandoned"
    point_id: str
    execution: str
    abandoned_at: Instant
    reason: str
