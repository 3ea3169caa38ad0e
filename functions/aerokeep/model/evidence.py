"""What a host recorded of its write stop: the reply of the host verb ``resume-writes``."""

from typing import Any

from pydantic import Field

from aerokeep.model.survey import Clock
from aerokeep.model.wire import HostWire


class Times(HostWire):
    """Instants of one write stop in host epoch seconds; None for what did not happen."""

    armed: float | None = None
    guard_sent: float | None = None
    guarded: float | None = None
    settle_started: float | None = None
    """A flush proof covers the writes that had landed before this instant."""
    flushed: float | None = None
    frozen: float | None = None
    told: float | None = None
    """When the host heard that it may let go, however it heard; None where the lease ended by itself."""
    thaw_started: float | None = None
    thawed: float | None = None
    lift_started: float | None = None
    lifted: float | None = None


class NamespaceEvidence(HostWire):
    """Counters of one namespace from the end of the flush proof to the lift."""

    former: dict[str, str] = Field(default_factory=dict)
    before: dict[str, int] = Field(default_factory=dict)
    after: dict[str, int] = Field(default_factory=dict)
    unchanged: bool = False
    """Still the same just before the lift; replica writes of nodes that were lifted earlier may have changed them."""
    unchanged_until: float | None = None
    """The last look of the host at which nothing had changed since ``before``."""
    changed: tuple[str, ...] = ()
    """Which counters had moved at the look after that."""
    flushed: bool = False
    master_objects: int | None = None
    """As counted when the flush was proven, under the guard: what a restore must bring back, less what expires."""
    tombstones: int | None = None


class MountEvidence(HostWire):
    """One frozen filesystem."""

    frozen: float | None = None
    thawed: float | None = None
    held: bool = False


class Membership(HostWire):
    """The cluster as one node saw it."""

    key: str = ""
    size: int = 0
    uptime_s: int = 0
    peers: tuple[str, ...] = ()
    migrations_remaining: int = 0


class Memberships(HostWire):
    """The cluster when the flush proof ended and just before the lift."""

    before: Membership | None = None
    after: Membership | None = None


class AsideFile(HostWire):
    """A file that was copied aside inside the window."""

    name: str
    size: int
    sha256: str


class Aside(HostWire):
    """SMD and configuration as they stood inside the window."""

    files: tuple[AsideFile, ...] = ()
    truncated: bool = False


class NodeEvidence(HostWire):
    """All that one host says of its write stop."""

    run: str
    token: str
    node_id: str
    ended_by: str
    clocks: tuple[Clock, ...] = ()
    times: Times = Times()
    guarded_all: bool = False
    namespaces: dict[str, NamespaceEvidence] = Field(default_factory=dict)
    mounts: dict[str, MountEvidence] = Field(default_factory=dict)
    synced: dict[str, float] = Field(default_factory=dict)
    cluster: Memberships = Memberships()
    smd: dict[str, Any] = Field(default_factory=dict)
    aside: Aside = Aside()
    errors: tuple[dict[str, Any], ...] = ()
