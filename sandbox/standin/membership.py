"""Who is in the cluster: heard within the heartbeat timeout, agreed on by the node with the highest id."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

QUANTUM_S = 0.3
"""How long the view must be unchanged before the principal forms a cluster of it."""
GRACE_S = 1.2
"""How long a starting node waits for its seeds before it goes ahead without them."""


@dataclass(frozen=True)
class Peer:
    """A node as its heartbeats describe it; ``boot`` tells two lifetimes of one id apart."""

    node_id: str
    boot: str
    heartbeat: tuple[str, int]
    fabric: tuple[str, int]
    service: tuple[str, int]


@dataclass(frozen=True)
class Formed:
    """One agreed cluster. A new key is drawn at each change of members; later clusters have a higher sequence."""

    key: int
    members: tuple[tuple[str, str], ...]
    sequence: int

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the members' ids, the principal first."""
        return tuple(node_id for node_id, _ in self.members)


def _rank(member: tuple[str, str]) -> int:
    return int(member[0], 16)


class Membership:
    """The state machine; it is told of heartbeats and of time, and does no I/O."""

    def __init__(self, me: Peer, *, timeout_s: float, seed_count: int, now: float) -> None:
        """Start as an orphan."""
        self.me = me
        self.formed: Formed | None = None
        self.generation = 0
        self.duplicates: set[str] = set()
        self.timeout_s = timeout_s
        self.peers: dict[str, Peer] = {}
        self._heard: dict[str, float] = {}
        self._announced: dict[str, Formed | None] = {}
        self._seed_count = seed_count
        self._started = self._view_since = self._last_tick = now
        self._sequence = 0
        self._view: tuple[tuple[str, str], ...] = ()

    @property
    def principal(self) -> str:
        """Return the principal of the formed cluster, or this node's id."""
        return self.formed.ids[0] if self.formed else self.me.node_id

    def hear(self, peer: Peer, formed: Formed | None, *, now: float) -> None:
        """Take a heartbeat."""
        if peer.node_id == self.me.node_id:
            if peer.boot != self.me.boot:
                self.duplicates.add(peer.node_id)
            return
        self.peers[peer.node_id] = peer
        self._heard[peer.node_id] = now
        self._announced[peer.node_id] = formed

    def tick(self, *, now: float) -> bool:
        """Look at the view; return whether another cluster than before is now in force."""
        if now - self._last_tick > self.timeout_s / 2:
            # This process was stopped (a cut stops a node's processes): its peers are not dead for that.
            self._heard = dict.fromkeys(self._heard, now)
        self._last_tick = now
        for node_id in [n for n, heard in self._heard.items() if now - heard > self.timeout_s]:
            del self._heard[node_id], self.peers[node_id], self._announced[node_id]
        alive = [(p.node_id, p.boot) for p in (self.me, *self.peers.values())]
        view = tuple(sorted(alive, key=_rank, reverse=True))
        if view != self._view:
            self._view, self._view_since = view, now
        chosen = self._form(now) if view[0][0] == self.me.node_id else self._follow(view[0][0])
        if chosen is None:
            return False
        self.formed = chosen
        self._sequence = chosen.sequence
        self.generation += 1
        return True

    def _form(self, now: float) -> Formed | None:
        seen = max((formed.sequence for formed in self._announced.values() if formed), default=0)
        held = self.formed.sequence if self.formed else 0
        # A later cluster elsewhere means that this node was away: the old key must not come into force again.
        if self.formed is not None and self.formed.members == self._view and seen <= held:
            return None
        waited = self.formed is not None or now - self._started >= GRACE_S or len(self.peers) >= self._seed_count
        if not waited or (self._seed_count and now - self._view_since < QUANTUM_S):
            return None
        return Formed(secrets.randbits(48) | 1, self._view, max(seen, held, self._sequence) + 1)

    def _follow(self, principal: str) -> Formed | None:
        announced = self._announced[principal]
        mine = (self.me.node_id, self.me.boot)
        if announced is None or mine not in announced.members:
            return None
        held = self.formed.sequence if self.formed else 0
        return announced if announced.sequence > held else None
