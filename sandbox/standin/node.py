"""One node of the stand-in: its parts, brought up and shut down in the real server's order."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from typing import TYPE_CHECKING

from sandbox.standin import info, settings
from sandbox.standin.blocking import aside
from sandbox.standin.fabric import Fabric
from sandbox.standin.heartbeat import Mesh
from sandbox.standin.identity import node_id_of, own_address
from sandbox.standin.listener import Service
from sandbox.standin.membership import Membership, Peer
from sandbox.standin.metadata import Metadata
from sandbox.standin.migration import Migrations
from sandbox.standin.namespace import Namespace
from sandbox.standin.scans import Scans
from sandbox.standin.smd import Smd
from sandbox.standin.transactions import Transactions

if TYPE_CHECKING:
    from sandbox.standin.conf import ServerConf
    from sandbox.standin.server_log import ServerLog

_HOUSEKEEPING_S = 0.5
_DEFRAG_PAUSE_S = 0.005


class Node:
    """A running server."""

    node_id: str
    cluster_name: str
    conf: ServerConf
    namespaces: dict[str, Namespace]
    membership: Membership
    metadata: Metadata
    migrations: Migrations
    mesh: Mesh
    service: Service

    def __init__(self, conf: ServerConf, log: ServerLog) -> None:
        """Load SMD, then storage (cold start), then wire the parts up.

        Raises:
            HeaderError: a device set can't be used.
            VolumeError: a storage path can't be used.

        """
        self.conf = conf
        self.log = log
        self._started = time.monotonic()
        self._first_cluster = asyncio.Event()
        self.node_id = node_id_of(conf)
        self.cluster_name = conf.service.get("cluster-name", "null")
        self.service_settings = settings.of_service(conf, self.node_id)
        self.network_settings = settings.of_network(conf)
        smd = Smd(conf.work_directory, warn=lambda text: log.caution("smd", text))
        self.namespaces = {c.name: Namespace(c, log=lambda text: log.note("drv_ssd", text)) for c in conf.namespaces}
        self.fabric = Fabric()
        self.migrations = Migrations(
            self.node_id,
            namespaces=self.namespaces,
            fabric=self.fabric,
            threads=lambda: self.service_settings.number("migrate-threads"),
        )
        self.transactions = Transactions(
            self.node_id, namespaces=self.namespaces, fabric=self.fabric, migrations=self.migrations
        )
        self.metadata = Metadata(
            self.node_id, smd=smd, fabric=self.fabric, migrations=self.migrations, on_change=self._smd_changed
        )
        self.service = Service(
            answer=lambda command: info.answer(self, command),
            transactions=self.transactions,
            scans=Scans(self.node_id, namespaces=self.namespaces, migrations=self.migrations),
        )
        self.membership = Membership(
            self._describe(),
            timeout_s=self._heartbeat_timeout_s(),
            seed_count=len([s for s in conf.seeds if s != self._address("heartbeat", 3002)]),
            now=self.now(),
        )
        self.mesh = Mesh(
            self.membership,
            cluster_name=self.cluster_name,
            seeds=conf.seeds,
            interval_s=self.network_settings.number("heartbeat.interval") / 1000,
            on_change=self._cluster_changed,
        )

    @staticmethod
    def now() -> float:
        """Return the clock of the event loop."""
        return asyncio.get_running_loop().time()

    @property
    def uptime_s(self) -> int:
        """Whole seconds since the start."""
        return int(time.monotonic() - self._started)

    def _heartbeat_timeout_s(self) -> float:
        number = self.network_settings.number
        return number("heartbeat.interval") * number("heartbeat.timeout") / 1000

    def _address(self, part: str, port: int) -> tuple[str, int]:
        network = self.conf.network
        names = (f"{part}.access-address", f"{part}.address", "service.access-address", "service.address")
        hosts = [network[name] for name in names if network.get(name, "any") != "any"]
        host = hosts[0] if hosts else own_address(self.conf.seeds)
        return host, int(network.get(f"{part}.port", port))

    def _bind(self, part: str) -> str:
        host = self.conf.network.get(f"{part}.address", "any")
        return "0.0.0.0" if host == "any" else host  # noqa: S104 - the conf says `any`

    def _describe(self) -> Peer:
        addresses = (self._address("heartbeat", 3002), self._address("fabric", 3001), self._address("service", 3000))
        return Peer(self.node_id, secrets.token_hex(4), *addresses)

    # -- life ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until SIGTERM, then shut down cleanly (which waits for a thaw)."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        me, network = self.membership.me, self.conf.network
        await self.fabric.start(self._bind("fabric"), me.fabric[1])
        await self.mesh.start(self._bind("heartbeat"), me.heartbeat[1])
        # A first cluster may be long in coming (seeds that are down); SIGTERM ends the wait.
        waits = [asyncio.create_task(event.wait()) for event in (self._first_cluster, stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await self._end()
            return
        await self.service.listen(self._bind("service"), me.service[1])
        for part in ("admin", "info"):
            if port := network.get(f"{part}.port"):
                host = self._bind(part) if f"{part}.address" in network else self._bind("service")
                await self.service.listen(host, int(port))
        self.log.note("as", "service ready: soon there will be cake!")
        housekeeping = asyncio.create_task(self._keep_house())
        await asyncio.wait([asyncio.create_task(stop.wait()), housekeeping], return_when=asyncio.FIRST_COMPLETED)
        if housekeeping.done():
            housekeeping.result()  # it never ends by itself: its error is the server's
        housekeeping.cancel()
        await self._end()

    async def _end(self) -> None:
        self.log.note("as", "initiating clean shutdown ...")
        self.service.close()
        self.mesh.close()
        self.migrations.close()
        self.fabric.close()
        await asyncio.gather(*(aside(namespace.storage.close) for namespace in self.namespaces.values()))
        self.log.note("as", "finished clean shutdown - exiting")

    async def _keep_house(self) -> None:
        expired_at = dict.fromkeys(self.namespaces, self.now())
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            for namespace in self.namespaces.values():
                period_s = namespace.settings.number("nsup-period")
                if period_s and self.now() >= expired_at[namespace.name] + period_s:
                    expired_at[namespace.name] = self.now()
                    namespace.expire()
                await self._defragment(namespace)
                for device in namespace.storage.logs:
                    if device.failed:
                        self.log.crash("drv_ssd", f"{device.volume.path}: DEVICE FAILED: {device.failed}")
                        # asd ends on a failed write; going on would acknowledge what is lost.
                        os._exit(1)

    @staticmethod
    async def _defragment(namespace: Namespace) -> None:
        more = True
        while more:
            more = namespace.defragment()
            await asyncio.sleep(_DEFRAG_PAUSE_S)

    # -- changes ---------------------------------------------------------------------------------------------------

    def apply_settings(self) -> None:
        """Take over settings of service and network."""
        self.mesh.interval_s = self.network_settings.number("heartbeat.interval") / 1000
        self.membership.timeout_s = self._heartbeat_timeout_s()

    def _cluster_changed(self) -> None:
        formed = self.membership.formed
        if formed is None:
            return
        self._first_cluster.set()
        known = set(formed.ids) - {self.node_id}
        before = set(self.migrations.formed.ids if self.migrations.formed else ()) - {self.node_id}
        self.migrations.rebalance(formed)
        for node_id in before - known:
            self.fabric.drop_peer(node_id)
        for node_id in known:
            if peer := self.membership.peers.get(node_id):
                self.fabric.set_peer(node_id, peer.fabric)
        self.metadata.share()
        self.log.note("clustering", f"CLUSTER-SIZE {len(formed.ids)} key {formed.key:X} {' '.join(formed.ids)}")

    def _smd_changed(self, module: str) -> None:
        if module != "truncate":
            return
        for key, until_ms in self.metadata.smd.modules["truncate"].live().items():
            name, _, set_name = key.partition("|")
            if namespace := self.namespaces.get(name):
                namespace.truncate(set_name.encode(), int(until_ms))
