"""SMD across the cluster: changes go through the principal, and a new cluster merges what its nodes bring."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from sandbox.standin.blocking import aside
from sandbox.standin.fabric import Fabric, Kind, NoAnswerError
from sandbox.standin.smd import MODULES, Item, Module, Smd

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.standin.migration import Migrations

_CHANGE_TIMEOUT_S = 600.0
"""A change hangs as long as a work directory is frozen, and takes effect after the thaw."""
_MERGE_TRIES = 10


class Metadata:
    """One node's part in keeping SMD the same everywhere."""

    def __init__(
        self, node_id: str, *, smd: Smd, fabric: Fabric, migrations: Migrations, on_change: Callable[[str], None]
    ) -> None:
        """Answer peers; ``on_change`` is told the module that changed."""
        self._node_id = node_id
        self.smd = smd
        self._fabric = fabric
        self._migrations = migrations
        self._on_change = on_change
        self._tasks: set[asyncio.Task[None]] = set()
        fabric.handlers[Kind.SMD_PROPOSE] = self._on_propose
        fabric.handlers[Kind.SMD_COMMIT] = self._on_commit
        fabric.handlers[Kind.SMD_MERGE] = self._on_merge

    async def change(self, module: str, key: str, value: str | None) -> None:
        """Set or delete a key on all nodes; returns when it is in force here and at the principal.

        Raises:
            NoAnswerError: there is no cluster, or the principal has gone.

        """
        formed = self._migrations.formed
        if formed is None:
            raise NoAnswerError("no cluster")
        principal = formed.ids[0]
        if principal == self._node_id:
            await self._decide(module, key, value)
            return
        message = json.dumps([module, key, value]).encode()
        await self._fabric.ask(principal, Kind.SMD_PROPOSE, message, timeout_s=_CHANGE_TIMEOUT_S)

    async def _decide(self, module: str, key: str, value: str | None) -> None:
        formed = self._migrations.formed
        if formed is None:
            raise NoAnswerError("no cluster")
        item, tid = self.smd.propose(module, key, value, cluster_key=formed.key)
        await self._take(module, item, formed.key, tid)
        message = json.dumps([module, asdict(item), formed.key, tid]).encode()
        for peer in formed.ids:
            if peer != self._node_id:
                try:
                    await self._fabric.ask(peer, Kind.SMD_COMMIT, message)
                except NoAnswerError:
                    continue  # it gets everything when it comes back: a new cluster merges

    async def _take(self, module: str, item: Item, cluster_key: int, tid: int) -> None:
        self.smd.commit(module, item, cluster_key=cluster_key, tid=tid)
        await aside(partial(self.smd.save, module))
        self._on_change(module)

    def _on_propose(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        async def decide() -> None:
            await self._decide(*json.loads(payload))
            respond(b"")

        self._keep(decide())

    def _on_commit(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        module, item, cluster_key, tid = json.loads(payload)

        async def take() -> None:
            await self._take(module, Item(**item), cluster_key, tid)
            respond(b"")

        self._keep(take())

    # -- a new cluster ---------------------------------------------------------------------------------------------

    def share(self) -> None:
        """Show the other members of a new cluster all that this node has."""
        self._keep(self._share())

    async def _share(self) -> None:
        formed = self._migrations.formed
        for peer in formed.ids if formed else ():
            if peer != self._node_id:
                await self._show(peer)

    async def _show(self, peer: str) -> None:
        for _ in range(_MERGE_TRIES):
            formed = self._migrations.formed
            key = formed.key if formed else 0
            message = json.dumps([key, {name: self.smd.modules[name].to_json() for name in MODULES}]).encode()
            try:
                if await self._fabric.ask(peer, Kind.SMD_MERGE, message) == b"ok":
                    return
            except NoAnswerError:
                pass
            await asyncio.sleep(0.2)

    def _on_merge(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        key, modules = json.loads(payload)
        if self._migrations.formed is None or self._migrations.formed.key != key:
            respond(b"later")
            return
        changed = [name for name in MODULES if self.smd.merge(name, Module.from_json(modules[name]), cluster_key=key)]
        respond(b"ok")
        if changed:
            self._keep(self._save(changed))

    async def _save(self, modules: list[str]) -> None:
        for module in modules:
            await aside(partial(self.smd.save, module))
            self._on_change(module)

    def _keep(self, coroutine: Any) -> None:  # noqa: ANN401 - asyncio's own type of coroutines
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- info replies ----------------------------------------------------------------------------------------------

    def info(self) -> str:
        """Return the reply of ``smd-info``."""
        formed = self._migrations.formed
        principal = formed.ids[0] if formed else "0"
        head = (
            f"smd:n_pending_sets=0,n_events=0,n_nodes={len(formed.ids) if formed else 0},"
            f"principal={principal},cluster_key={formed.key if formed else 0:X}"
        )
        state = "pr" if principal == self._node_id else "npr"
        parts = [
            f"{name}:committed_key={held.committed_key:X},committed_tid={held.committed_tid},"
            f"n_keys={len(held.items)},state={state}"
            for name, held in ((name, self.smd.modules[name]) for name in MODULES)
        ]
        return ";".join([head, *parts]) + ";"
