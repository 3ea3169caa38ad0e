"""The mesh: each node dials every address it knows and sends one line per interval; it listens on accepted links."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from sandbox.standin.membership import Formed, Membership, Peer

if TYPE_CHECKING:
    from collections.abc import Callable

_REDIAL_S = 0.3
_LINE_LIMIT = 1 << 20


def encode(cluster_name: str, membership: Membership) -> bytes:
    """Write one heartbeat."""
    me, formed = membership.me, membership.formed
    pulse = {
        "cluster": cluster_name,
        "id": me.node_id,
        "boot": me.boot,
        "heartbeat": me.heartbeat,
        "fabric": me.fabric,
        "service": me.service,
        "clock": time.time(),
        "peers": [p.heartbeat for p in membership.peers.values()],
        "formed": {"key": formed.key, "members": formed.members, "sequence": formed.sequence} if formed else None,
    }
    return json.dumps(pulse).encode() + b"\n"


def decode(pulse: dict[str, Any]) -> tuple[Peer, Formed | None]:
    """Read one heartbeat."""
    peer = Peer(
        pulse["id"], pulse["boot"], *((str(pulse[k][0]), int(pulse[k][1])) for k in ("heartbeat", "fabric", "service"))
    )
    formed = pulse["formed"]
    if formed is None:
        return peer, None
    members = tuple((node_id, boot) for node_id, boot in formed["members"])
    return peer, Formed(formed["key"], members, formed["sequence"])


class Mesh:
    """Sends and receives heartbeats, and moves the membership on."""

    def __init__(
        self,
        membership: Membership,
        *,
        cluster_name: str,
        seeds: tuple[tuple[str, int], ...],
        interval_s: float,
        on_change: Callable[[], None],
    ) -> None:
        """Prepare; ``start`` begins."""
        self.membership = membership
        self.interval_s = interval_s
        self.received = 0
        self.clock_skew_ms = 0
        self._cluster_name = cluster_name
        self._seeds = seeds
        self._on_change = on_change
        self._links: dict[tuple[str, int], asyncio.StreamWriter] = {}
        self._dialled: dict[tuple[str, int], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen and begin to beat."""
        self._server = await asyncio.start_server(self._listen, host, port, limit=_LINE_LIMIT, reuse_address=True)
        self._spawn(self._beat())

    def tip(self, host: str, port: int) -> None:
        """Learn another seed (info command ``tip``)."""
        self._seeds = (*self._seeds, (host, port))

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._hang_up(loop.time())
            self._dial(loop.time())
            if self.membership.tick(now=loop.time()):
                self._on_change()
            pulse = encode(self._cluster_name, self.membership)
            for address, writer in list(self._links.items()):
                if writer.is_closing():
                    del self._links[address]
                else:
                    writer.write(pulse)
            await asyncio.sleep(self.interval_s)

    def _hang_up(self, now: float) -> None:
        """Let go of links to whoever is not heard any more: one to a host that lost its power would never end."""
        heard = {peer.heartbeat for peer in self.membership.peers.values()}
        for address in self._links.keys() - heard:
            if now - self._dialled.get(address, now) > self.membership.timeout_s:
                self._links.pop(address).transport.abort()

    def _dial(self, now: float) -> None:
        known = {p.heartbeat for p in self.membership.peers.values()} | set(self._seeds)
        for address in known - self._links.keys() - {self.membership.me.heartbeat}:
            if now - self._dialled.get(address, -1.0) >= _REDIAL_S:
                self._dialled[address] = now
                self._spawn(self._connect(address))

    async def _connect(self, address: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(*address)
            self._links[address] = writer

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self._hear(json.loads(line))
        except (OSError, ValueError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def _hear(self, pulse: dict[str, Any]) -> None:
        if pulse["cluster"] != self._cluster_name:
            return
        peer, formed = decode(pulse)
        self.received += 1
        if peer.node_id != self.membership.me.node_id:
            self.clock_skew_ms = int(abs(time.time() - pulse["clock"]) * 1000)
            # A seed may be another name of an address that the peer announces.
            new = peer.node_id not in self.membership.peers
            self.membership.hear(peer, formed, now=asyncio.get_running_loop().time())
            if new:
                self._dial(asyncio.get_running_loop().time())
        else:
            self.membership.hear(peer, formed, now=asyncio.get_running_loop().time())

    def _spawn(self, coroutine: Any) -> None:  # noqa: ANN401 - asyncio's own type of coroutines
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Fall silent."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        for writer in self._links.values():
            writer.close()
