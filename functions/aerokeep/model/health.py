"""How a server is: the reply of the host verb ``health``."""

from aerokeep.model.survey import Asd
from aerokeep.model.wire import HostWire


class ClusterView(HostWire):
    """The cluster as one node sees it."""

    key: str = ""
    size: int = 0
    integrity: bool = False
    is_member: bool = False
    duplicate_nodes: tuple[str, ...] = ()
    """Node-ids under which more than one server lives."""
    principal: str = ""
    clock_skew_ms: int = 0
    migrate_allowed: bool = False
    migrations_remaining: int = 0
    stable: str = ""
    """Reply to ``cluster-stable`` for this size, migrations included: the cluster key, or an error."""

    @property
    def is_stable(self) -> bool:
        """Whether the node calls the cluster stable; one node's word is never proof."""
        # The text of an error may end with the key, so only its beginning tells.
        return bool(self.stable) and not self.stable.upper().startswith("ERROR")


class NamespaceHealth(HostWire):
    """A namespace on one node."""

    name: str
    stop_writes: bool = False
    clock_skew_stop_writes: bool = False
    reject_non_xdr_writes: bool = False
    objects: int = 0
    master_objects: int = 0
    prole_objects: int = 0
    tombstones: int = 0
    unreplicated_records: int = 0
    unavailable_partitions: int = 0
    dead_partitions: int = 0
    migrate_partitions_remaining: int = 0
    read_errors: int = 0
    """Of all its devices, since the server's start."""
    truncate_lut: int = 0
    """Milliseconds since 2010, Aerospike's epoch; 0 if nothing was truncated."""
    evict_void_time: int = 0
    """Seconds since 2010."""
    expired_objects: int = 0
    evicted_objects: int = 0
    non_expirable_objects: int | None = None
    """Records without a time to live; the others may be gone by a cold start, with nobody counting them."""
    data_avail_pct: int | None = None


class Sindex(HostWire):
    """A secondary index."""

    namespace: str
    set: str | None = None
    name: str


class WriteStop(HostWire):
    """A write stop that lives on the host."""

    run: str
    armed_at: float | None = None
    start_at: float | None = None
    end_at: float | None = None


class NodeHealth(HostWire):
    """All that one host says of its server."""

    node_id: str
    peers: tuple[str, ...] = ()
    uptime_s: int = 0
    cluster: ClusterView = ClusterView()
    namespaces: tuple[NamespaceHealth, ...] = ()
    sindexes: tuple[Sindex, ...] = ()
    udfs: tuple[str, ...] = ()
    asd: Asd
    write_stop: WriteStop | None = None
