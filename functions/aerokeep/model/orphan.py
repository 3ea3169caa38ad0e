"""Snapshots, volumes and interfaces that a run of ours made and that nobody may need any more."""

from enum import StrEnum

from aerokeep.model.wire import Instant, Wire


class Kind(StrEnum):
    """What it is."""

    SNAPSHOT = "snapshot"
    VOLUME = "volume"
    INTERFACE = "interface"


class Fate(StrEnum):
    """What becomes of it."""

    NEEDED = "needed"
    """A manifest or an inventory names it, it is in use, or its run may still act."""
    KEPT = "kept"
    """Nobody names it, and yet it must not be deleted without a person's word."""
    DELETED = "deleted"
    """It may be deleted: all of it is elsewhere, or was never part of anything."""


class Candidate(Wire):
    """One resource with the tags of a run."""

    kind: Kind
    id: str
    cluster: str
    run_id: str
    point_id: str | None = None
    in_use: str | None = None
    """Why AWS counts it as used, if it does."""
    locked: bool = False
    """A snapshot lock is on it."""
    put_aside: bool = False
    """A restore or a replacement keeps it as the former state."""
    source_snapshot: str | None = None
    """What a volume was made from."""
    private_ip: str | None = None
    """An interface's."""


class RunFacts(Wire):
    """What is known of the run that made it."""

    begun_at: Instant | None
    """By its id; None where that is no run's."""
    holds_lock: bool
    execution_ended: bool | None
    """None: no execution of it is known."""
    entry: str | None
    """What the catalog says of its point: ``running``, ``abandoned``, ``committed``."""
    manifest: str | None
    """What stands under its point's manifest key: ``committed``, ``abandoned``, or None for nothing."""
    server_started: bool | None
    """A server may have run on what it made; None: nobody knows any more."""


class ClusterFacts(Wire):
    """What is known of the cluster; anything that can't be read makes it unreadable as a whole."""

    unreadable: str | None = None
    lock_free: bool = False
    snapshots: frozenset[str] = frozenset()
    """Named by any manifest."""
    volumes: frozenset[str] = frozenset()
    """Named by any manifest or by the inventory."""
    interfaces: frozenset[str] = frozenset()
    """Named by the inventory."""
    addresses: frozenset[str] = frozenset()
    """Of nodes in the inventory."""
    has_inventory: bool = False


class Orphan(Wire):
    """A resource, what is to become of it, and why."""

    candidate: Candidate
    fate: Fate
    reason: str
    close_point: bool = False
    """Its point was neither committed nor abandoned: abandon it first, so that it can't be committed any more."""
