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
    """What the header of a device or file says of the set that it belongs to."""

    version: int
    """3 up to server 5.7, 4 from server 6.0."""
    namespace: str
    n_devices: int
    random: str
    """The set's signature, 16 hexadecimal digits; the server draws a new one at every start."""
    device_id: int
    write_block_size_bytes: int
    trusted: bool
    """Whether the server shut down cleanly; never true while it runs."""


class StoragePath(HostWire):
    """One file or device of a namespace, mapped down to its EBS volume."""

    path: str
    role: str
    """``file``, ``device``, ``shadow`` or ``backing``."""
    index: int
    mount_point: str | None = None
    fs_type: str | None = None
    mount_options: str | None = None
    """As mount(8) takes them; None for a raw device, like the type."""
    freezable: bool = False
    freeze_reason: str | None = None
    device: str | None = None
    volume_id: str | None = None
    instance_store: bool = False
    size_bytes: int | None = None
    problem: Problem | None = None
    header: Header | None = None
    header_problem: str | None = None
    """Why there is no header: ``code: detail``."""


class Namespace(HostWire):
    """A namespace as the running server describes it, or its conf while it does not run (then all counts are 0)."""

    name: str
    storage: str
    persisted: bool
    rack_id: int = 0
    replication_factor: int
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
    """The systemd unit of the server."""

    active: str
    """``active``, ``activating``, ``deactivating``, ``inactive`` or ``failed``."""
    masked: bool = False
    """Whether nothing can start it."""
    first_start: bool = False
    """Whether the drop-in with the first-start settings is there."""
    enabled: bool = False
    """Whether it starts at boot, once it is not masked."""


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
    logs_in: bool = False
    """Asked through the host's own asinfo, with the login of its astools.conf: slower than by socket."""
    tls: bool = False
    """Has no plain service port."""
    address: str = "127.0.0.1"
    """Where it answers on its host: loopback, if it listens on every address."""
    port: int = 3000
    """For clients without TLS; where there is none, the one with."""
    unit: Unit | None = None
    """None on a host without systemd, or whose systemd does not know the server."""


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
