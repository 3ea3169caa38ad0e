"""The plan of a backup: which volumes of which nodes, what is guarded and frozen, and when."""

from aerokeep.model.consistency import Consistency, Shortfall
from aerokeep.model.wire import Instant, Wire


class VolumePlan(Wire):
    """One EBS volume that must be in the recovery point."""

    volume_id: str
    device: str
    """The EC2 device name, for instance ``/dev/sdf``."""
    size_gib: int
    encrypted: bool
    kms_key_id: str | None
    root: bool
    namespaces: tuple[str, ...]


class NodePlan(Wire):
    """What is done on one node."""

    instance_id: str
    private_ip: str
    node_id: str
    build: str
    volumes: tuple[VolumePlan, ...]
    exclude_boot: bool
    exclude_volume_ids: tuple[str, ...]
    freeze: tuple[str, ...]
    """Mount points that hold namespace files only, never ``/``."""
    frozen_namespaces: tuple[str, ...]
    """Namespaces whose every saved file lies on one of them."""
    sync_paths: tuple[str, ...]
    """Namespace files on a filesystem that may not be frozen: flushed with ``sync -f`` under the guard."""

    @property
    def volume_ids(self) -> frozenset[str]:
        """The required volumes: they must all be in the cut."""
        return frozenset(volume.volume_id for volume in self.volumes)


class BackupPlan(Wire):
    """The verdict of :func:`aerokeep.rules.plan.judge_plan` when nothing was refused."""

    cluster_key: str
    wanted: Consistency
    shortfall: Shortfall
    namespaces: tuple[str, ...]
    """Namespaces in the point: guarded, flushed and covered by the label."""
    not_saved: tuple[str, ...]
    nodes: tuple[NodePlan, ...]
    stop_writes: bool
    """False where the wanted (or the only possible) consistency is ``crash``."""
    notes: tuple[str, ...]
    """What the operator should know: reasons why the label may be lower, and what is not saved."""


class Window(Wire):
    """The scheduled write stop of one run; every host gets the same T0 and T1."""

    token: str
    start_at: Instant
    """T0: all nodes guard."""
    cut_at: Instant
    """When every node should be flushed and frozen, and CreateSnapshots is called."""
    cut_deadline: Instant
    """The latest instant at which a cut may be requested: T1 less the margin for its answer."""
    end_at: Instant
    """T1: every host undoes its own write stop, whatever happened to the controller."""
    hold_on_s: float = 0.0
    """How long hosts are kept holding on after the last answer to a cut: what clocks may be wrong by."""
    go: bool
    """False after a no-go: nothing is stopped, and every host holds a tombstone for the run."""
    no_go_reason: str | None = None
    """``code: detail``."""
    notes: tuple[str, ...] = ()
    """What the operator should know of how it was laid out."""
    paced: bool = False
    """Cuts that are made without it are spread from the first: the account's bucket of CreateSnapshots is low."""
