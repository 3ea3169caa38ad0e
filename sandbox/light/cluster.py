"""What the running servers of one name see of each other: members, key, counts, migrations."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.light.content import Data
from sandbox.light.server import Server


@dataclass(frozen=True)
class View:
    """The cluster as one member sees it; all members see the same."""

    members: tuple[Server, ...]

    @property
    def ids(self) -> list[str]:
        """Node-ids, in order."""
        return sorted(server.node_id for server in self.members)

    @property
    def duplicates(self) -> list[str]:
        """Node-ids that more than one member has."""
        return sorted({node_id for node_id in self.ids if self.ids.count(node_id) > 1})

    @property
    def key(self) -> str:
        """Another one for every set of members."""
        told = ",".join(f"{server.node_id}@{server.pid}" for server in self.members)
        return hashlib.sha256(told.encode()).hexdigest()[:12].upper()

    @property
    def principal(self) -> str:
        """The highest node-id."""
        return self.ids[-1]

    def migrating(self, server: Server) -> bool:
        """The member still waits for data."""
        return server.fill_at is not None


def view_of(server: Server, everyone: Sequence[Server], *, migrate_s: float) -> View:
    """The cluster of a server, after everything that was due in it has happened."""
    same = [other for other in everyone if other.cluster_name == server.cluster_name and other.ready]
    members = tuple(sorted(same or [server], key=lambda other: (other.node_id, other.pid)))
    for member in members:
        _migrate(member, members, migrate_s=migrate_s)
    return View(members)


def _migrate(server: Server, members: Sequence[Server], *, migrate_s: float) -> None:
    """A member without records gets those of the others after a while."""
    lacking = {
        name: full
        for name in server.namespaces
        if not server.data(name).timeline and (full := _fullest(name, members)).timeline
    }
    if not lacking:
        server.fill_at = None
    elif server.fill_at is None:
        server.fill_at = time.monotonic() + migrate_s
    elif time.monotonic() >= server.fill_at:
        server.fill_at = None
        for name, data in lacking.items():
            server.put(name, data)


def _fullest(name: str, members: Sequence[Server]) -> Data:
    held = [member.data(name) for member in members if name in member.namespaces]
    return max(held, key=lambda data: (bool(data.timeline), data.records), default=Data())


def counts(server: Server, name: str, view: View) -> tuple[int, int]:
    """(master objects, prole objects) of a member: an even share of the cluster's records."""
    data, size = server.data(name), len(view.members)
    number = view.members.index(server) if server in view.members else 0
    masters = data.records // size + (1 if number < data.records % size else 0)
    copies = min(server.namespaces[name].replication_factor, size) - 1
    proles = data.records * copies // size + (1 if number < data.records * copies % size else 0)
    return masters, proles
