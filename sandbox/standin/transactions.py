"""Transactions on this node: find the master, settle doubts, apply, replicate, then answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sandbox.standin import operations, record, wire
from sandbox.standin.fabric import Fabric, Kind, named, unnamed
from sandbox.standin.segment_log import DeviceFullError
from sandbox.standin.wire import Reply, Request, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.standin.migration import Migrations
    from sandbox.standin.namespace import Namespace

    Done = Callable[[Reply], None]

_PROXY_RETRIES = 10
_PROXY_PAUSE_S = 0.1


class Transactions:
    """All client transactions, those of peers on behalf of their clients, and replica writes."""

    def __init__(
        self, node_id: str, *, namespaces: Mapping[str, Namespace], fabric: Fabric, migrations: Migrations
    ) -> None:
        """Take the parts, and answer peers."""
        self._node_id = node_id
        self._namespaces = namespaces
        self._fabric = fabric
        self._migrations = migrations
        self.in_progress = 0
        self.proxies_in_progress = 0
        self._tasks: set[asyncio.Task[None]] = set()
        fabric.handlers[Kind.REPLICA_WRITE] = self._on_replica_write
        fabric.handlers[Kind.REPLICA_DELETE] = self._on_replica_delete
        fabric.handlers[Kind.PROXY] = self._on_proxy

    def run(self, request: Request, done: Done, *, origin: str = "client", attempt: int = 0) -> None:
        """Run one transaction; ``done`` gets the reply, at once or later.

        ``origin`` is the prefix of the counters: ``client``, ``batch_sub``, ``from_proxy``.
        """
        namespace = self._namespaces.get(request.namespace)
        if namespace is None:
            done(Reply(Result.NAMESPACE))
            return
        if len(request.digest) != 20:  # noqa: PLR2004 - RIPEMD-160
            done(Reply(Result.UNSUPPORTED))
            return
        pid = record.partition_of(request.digest)
        nodes = self._migrations.nodes_of(namespace.name, pid)
        if not nodes or (nodes[0] != self._node_id and origin == "from_proxy"):
            done(Reply(Result.UNAVAILABLE))
        elif nodes[0] != self._node_id:
            self._proxy(nodes[0], request, done, origin, attempt)
        elif self._migrations.is_unsettled(namespace.name, pid):
            self._keep(self._settle_and_run(namespace, nodes, request, done, origin))
        else:
            self._here(namespace, nodes, request, done, origin)

    # -- on the master ---------------------------------------------------------------------------------------------

    def _here(self, namespace: Namespace, nodes: tuple[str, ...], request: Request, done: Done, origin: str) -> None:
        if not request.writes:
            blob = namespace.get(request.digest)
            reply = operations.read(request, record.decode(blob) if blob else None)
            namespace.counters[f"{origin}_read_{_outcome(reply.result)}"] += 1
            done(reply)
            return
        verb = "delete" if request.info2 & wire.INFO2_DELETE else "write"
        try:
            self._check_writable(namespace, request)
            if verb == "delete":
                self._delete(namespace, nodes, request, done, origin)
            else:
                self._write(namespace, nodes, request, done, origin)
        except operations.RefusedError as refusal:
            namespace.counters[f"{origin}_{verb}_{_outcome(refusal.result)}"] += 1
            if refusal.result is Result.GENERATION:
                namespace.counters["fail_generation"] += 1
            done(Reply(refusal.result))

    def _check_writable(self, namespace: Namespace, request: Request) -> None:
        xdr = bool(request.info1 & wire.INFO1_XDR)
        if namespace.reject_xdr if xdr else namespace.reject_clients:
            namespace.counters["fail_xdr_forbidden"] += 1
            raise operations.RefusedError(Result.FORBIDDEN)
        if operations.sets_ttl(request) and not namespace.ttl_allowed:
            raise operations.RefusedError(Result.FORBIDDEN)
        if namespace.write_cache_full:
            raise operations.RefusedError(Result.DEVICE_OVERLOAD)
        if not request.info2 & wire.INFO2_DELETE and namespace.stop_writes:
            raise operations.RefusedError(Result.OUT_OF_SPACE)

    def _write(self, namespace: Namespace, nodes: tuple[str, ...], request: Request, done: Done, origin: str) -> None:
        known = namespace.get(request.digest)
        reply, new = operations.write(
            request,
            record.decode(known) if known else None,
            now_ms=record.now_ms(),
            default_ttl_s=namespace.default_ttl_s,
        )
        if new is None:
            if namespace.drop(request.digest):
                namespace.counters["deleted_last_bin"] += 1
            kind, payload = Kind.REPLICA_DELETE, request.digest
        else:
            kind, payload = Kind.REPLICA_WRITE, record.encode(new)
            try:
                namespace.put(payload)
            except DeviceFullError:
                raise operations.RefusedError(Result.OUT_OF_SPACE) from None
        counter = f"{origin}_write"
        xdr = bool(request.info1 & wire.INFO1_XDR)
        self._replicate(namespace, nodes, kind, payload, self._ending(namespace, reply, done, counter, xdr=xdr))

    def _delete(self, namespace: Namespace, nodes: tuple[str, ...], request: Request, done: Done, origin: str) -> None:
        known = namespace.get(request.digest)
        operations.check_delete(request, record.decode(known) if known else None)
        namespace.drop(request.digest)
        ending = self._ending(namespace, Reply(Result.OK), done, f"{origin}_delete", xdr=False)
        self._replicate(namespace, nodes, Kind.REPLICA_DELETE, request.digest, ending)

    def _ending(
        self, namespace: Namespace, reply: Reply, done: Done, counter: str, *, xdr: bool
    ) -> Callable[[bool], None]:
        def end(replicated: bool) -> None:  # noqa: FBT001 - a callback's one argument
            namespace.counters[f"{counter}_{'success' if replicated else 'timeout'}"] += 1
            if xdr and replicated:
                namespace.counters[f"xdr_{counter}_success"] += 1
            done(reply if replicated else Reply(Result.TIMEOUT))

        return end

    def _replicate(
        self,
        namespace: Namespace,
        nodes: tuple[str, ...],
        kind: Kind,
        payload: bytes,
        end: Callable[[bool], None],
    ) -> None:
        others = nodes[1:]
        if not others:
            end(True)
            return
        self.in_progress += 1
        waiting = len(others)
        complete = True
        message = named(namespace.name, payload)

        def answered(peer: str, answer: bytes | None) -> None:
            nonlocal waiting, complete
            waiting -= 1
            # A replica that has left the cluster meanwhile is not waited for: its copy is made anew elsewhere.
            complete &= answer is not None or not self._migrations.is_member(peer)
            if waiting == 0:
                self.in_progress -= 1
                end(complete)

        for peer in others:
            self._fabric.call(peer, kind, message, lambda answer, peer=peer: answered(peer, answer))  # type: ignore[misc] # default binds the loop's value

    async def _settle_and_run(
        self, namespace: Namespace, nodes: tuple[str, ...], request: Request, done: Done, origin: str
    ) -> None:
        """Ask the other holders for their copy first: while a partition migrates, any of them may have the newest."""
        self.in_progress += 1
        try:
            await self._migrations.resolve(namespace, request.digest)
        finally:
            self.in_progress -= 1
        self._here(namespace, nodes, request, done, origin)

    # -- between nodes ---------------------------------------------------------------------------------------------

    def _proxy(self, master: str, request: Request, done: Done, origin: str, attempt: int) -> None:
        namespace = self._namespaces[request.namespace]
        self.proxies_in_progress += 1

        def answered(answer: bytes | None) -> None:
            self.proxies_in_progress -= 1
            if answer is None:
                namespace.counters[f"{origin}_proxy_timeout"] += 1
                done(Reply(Result.TIMEOUT))
                return
            reply = wire.decode_reply(answer)
            if reply.result == Result.UNAVAILABLE and attempt < _PROXY_RETRIES:
                # Two nodes differ for a moment about who is master; nothing was done yet.
                asyncio.get_running_loop().call_later(
                    _PROXY_PAUSE_S, lambda: self.run(request, done, origin=origin, attempt=attempt + 1)
                )
                return
            namespace.counters[f"{origin}_proxy_complete"] += 1
            done(reply)

        self._fabric.call(master, Kind.PROXY, wire.encode_request(request), answered)

    def _on_proxy(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        request = wire.parse_request(payload)
        self.run(request, lambda reply: respond(wire.encode_reply(reply)), origin="from_proxy")

    def _on_replica_write(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        """Take a replica's copy. The guard is not asked: ``reject-non-xdr-writes`` is tested on the master only."""
        name, blob = unnamed(payload)
        try:
            self._namespaces[name].put_if_newer(blob)
        except DeviceFullError:
            return  # no answer: the master's client gets a timeout
        respond(b"")

    def _on_replica_delete(self, payload: bytes, respond: Callable[[bytes], None]) -> None:
        name, digest = unnamed(payload)
        self._namespaces[name].drop(digest)
        respond(b"")

    def _keep(self, coroutine: object) -> None:
        task: asyncio.Task[None] = asyncio.create_task(coroutine)  # type: ignore[arg-type] # always our coroutines
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _outcome(result: int) -> str:
    match result:
        case Result.OK:
            return "success"
        case Result.NOT_FOUND:
            return "not_found"
        case Result.TIMEOUT:
            return "timeout"
        case _:
            return "error"
