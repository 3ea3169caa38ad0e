"""What a host says of itself: the reply of the host verb ``survey``."""

from aerokeep.model.wire import HostWire


class Clock(HostWire):
    """A host's own judgement of its clock."""

    source: str
    synchronised: bool
    offset_s: float
    """Host time minus true time."""
    error_s: float
    """Bound on the error of ``offset_s``."""
    at: float
    """Host epoch seconds of the reading."""


class Problem(HostWire):
    """Something that keeps a path or a namespace out of a recovery point."""

    code: str
    detail: str
    namespace: str | None = None
    path: str | None = None


class Header(HostWire):
    """The header of one device or file, read from the path itself (aerospike.md §D2)."""

    version: int
    namespace: str
    n_devices: int
    """How many devices the set had when it was written."""
    random: str
    """16 hex digits: the same on all devices of the set, and new at every start of asd."""
    device_id: int
    write_block_size_bytes: int
    trusted: bool
    """Set at the end of a clean shutdown only."""


class StoragePath(HostWire):
    """One file or device of a namespace, mapped down to its EBS volume."""

    path: str
    role: str
    """``file``, ``device``, ``shadow`` or ``backing``."""
    index: int
    mount_point: str | None = None
    freezable: bool = False
    freeze_reason: str | None = None
    device: str | None = None
    volume_id: str | None = None
    instance_store: bool = False
    size_bytes: int | None = None
    fs_type: str | None = None
    """Of the filesystem that a file lies on, with its mount options; None for raw devices."""
    mount_options: str | None = None
    header: Header | None = None
    header_problem: str | None = None
    """Why there is no header, ``code: detail``."""
    problem: Problem | None = None


class Namespace(HostWire):
    """A namespace as the running server describes it."""

    name: str
    storage: str
    persisted: bool
    replication_factor: int
    rack_id: int = 0
    strong_consistency: bool = False
    commit_to_device: bool = False
    flush_max_ms: int | None = None
    reject_non_xdr_writes: bool = False
    reject_xdr_writes: bool = False
    conf_reject_non_xdr_writes: bool = False
    xdr_client_writes: int = 0
    objects: int = 0
    master_objects: int = 0
    paths: tuple[StoragePath, ...] = ()

    @property
    def saved_paths(self) -> tuple[StoragePath, ...]:
        """The persistence set: the shadows where there are any, else files and devices."""
        shadows = tuple(path for path in self.paths if path.role == "shadow")
        return shadows or self.paths


class Unit(HostWire):
    """What systemd says of ``aerospike.service``."""

    active: str
    """``active``, ``activating``, ``inactive``, ``failed`` …"""
    masked: bool
    first_start: bool
    """A drop-in names the conf with the first-start settings."""
    enabled: bool = False


class Asd(HostWire):
    """The Aerospike server on the host."""

    running: bool
    build: str = ""
    edition: str = ""
    node_id: str = ""
    cluster_name: str | None = None
    cluster_size: int = 0
    cluster_key: str = ""
    uptime_s: int = 0
    conf_path: str | None = None
    work_directory: str | None = None
    peers: tuple[str, ...] = ()
    migrations_remaining: int = 0
    security_enabled: bool = False
    unit: Unit | None = None


class Host(HostWire):
    """The machine around it."""

    hostname: str
    python: str
    agent_version: str | None = None
    systemd: bool = False
    clock: Clock


class Survey(HostWire):
    """Everything a plan needs to know of one node."""

    host: Host
    asd: Asd
    namespaces: tuple[Namespace, ...] = ()
    problems: tuple[Problem, ...] = ()
