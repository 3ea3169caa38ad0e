"""The service and admin ports: info requests (type 1) and client messages (type 3) on asyncio transports."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sandbox.standin import wire
from sandbox.standin.wire import ProtocolError, Reply, Request, Result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.standin.scans import Scans
    from sandbox.standin.transactions import Transactions

    Answer = Callable[[str], str | Awaitable[str]]

_HEADER_BYTES = 8
_LENGTH_MASK = (1 << 48) - 1
_LONGEST_BODY_BYTES = 64 << 20


class Service:
    """All client connections of a node."""

    def __init__(self, *, answer: Answer, transactions: Transactions, scans: Scans) -> None:
        """``answer`` replies to one info command, at once or later."""
        self.answer = answer
        self.transactions = transactions
        self.scans = scans
        self.connections: set[asyncio.Transport] = set()
        self.opened = 0
        self.info_complete = 0
        self.batches = 0
        self._servers: list[asyncio.Server] = []

    async def listen(self, host: str | None, port: int) -> None:
        """Serve one more port."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(lambda: _Connection(self), host, port, reuse_address=True))

    def close(self) -> None:
        """Stop listening and hang up."""
        for server in self._servers:
            server.close()
        for transport in list(self.connections):
            transport.close()


class _Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: asyncio.Transport | None = None
        self._in = b""
        self._info: asyncio.Task[None] | None = None
        self._scan: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows asyncio's base class
        self._transport = transport
        self._service.connections.add(transport)
        self._service.opened += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._transport is not None:
            self._service.connections.discard(self._transport)
            self._transport = None
        self._room.set()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    async def put(self, body: bytes) -> None:
        """Send a part of a scan, and wait for room.

        Raises:
            ConnectionError: the client has gone.

        """
        self._send(wire.PROTO_MESSAGE, body)
        await self._room.wait()
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the client has gone")

    def data_received(self, data: bytes) -> None:
        buffer = self._in + data if self._in else data
        at, end = 0, len(buffer)
        while end - at >= _HEADER_BYTES:
            head = int.from_bytes(buffer[at : at + _HEADER_BYTES], "big")
            length = head & _LENGTH_MASK
            if head >> 56 != wire.PROTO_VERSION or length > _LONGEST_BODY_BYTES:
                self._hang_up()
                return
            if end - at - _HEADER_BYTES < length:
                break
            at += _HEADER_BYTES
            self._handle(head >> 48 & 0xFF, buffer[at : at + length])
            at += length
        self._in = buffer[at:]

    def _handle(self, kind: int, body: bytes) -> None:
        if kind == wire.PROTO_INFO:
            # Replies keep the order of their requests, and a command that hangs holds up its own connection only.
            self._info = asyncio.get_running_loop().create_task(self._inform(body, self._info))
        elif kind == wire.PROTO_MESSAGE:
            try:
                request = wire.parse_request(body)
                if request.batch is not None:
                    self._batch(wire.parse_batch(request.batch))
                elif request.scans:
                    self._scan = asyncio.get_running_loop().create_task(self._service.scans.run(request, self))
                else:
                    self._service.transactions.run(request, self._reply)
            except (ProtocolError, UnicodeDecodeError):
                self._reply(Reply(Result.PARAMETER))
        else:
            self._hang_up()

    def _send(self, kind: int, body: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(wire.frame(kind, body))

    def _reply(self, reply: Reply) -> None:
        self._send(wire.PROTO_MESSAGE, wire.encode_reply(reply))

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def _inform(self, body: bytes, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        parts: list[str] = []
        for command in body.decode(errors="replace").split("\n"):
            if command:
                answer = self._service.answer(command)
                value = answer if isinstance(answer, str) else await answer
                parts.append(f"{command}\t{value}\n")
                self._service.info_complete += 1
        self._send(wire.PROTO_INFO, "".join(parts).encode())

    def _batch(self, requests: list[tuple[int, Request]]) -> None:
        """Run the records of a batch; their replies go out as one message once all are there."""
        self._service.batches += 1
        parts: list[bytes] = []
        waiting = len(requests)

        def finish() -> None:
            parts.append(wire.encode_reply(Reply(Result.OK), last=True))
            self._send(wire.PROTO_MESSAGE, b"".join(parts))

        def done(index: int, reply: Reply) -> None:
            nonlocal waiting
            parts.append(wire.encode_reply(reply, batch_index=index))
            waiting -= 1
            if waiting == 0:
                finish()

        if not requests:
            finish()
        for index, request in requests:
            self._service.transactions.run(request, lambda reply, i=index: done(i, reply), origin="batch_sub")  # type: ignore[misc] # default binds the loop's value
