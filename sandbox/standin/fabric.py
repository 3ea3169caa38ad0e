"""Node-to-node requests over TCP: numbered frames, gathered per turn of the event loop, each answered or timed out."""

from __future__ import annotations

import asyncio
import itertools
import struct
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_FRAME = struct.Struct("<IBI")
_REPLY = 0x80
TIMEOUT_S = 1.0
_SWEEP_S = 0.25


class Kind(IntEnum):
    """What a frame asks for."""

    REPLICA_WRITE = 1
    REPLICA_DELETE = 2
    PROXY = 3
    FETCH = 4
    SUMMARY = 5
    INVENTORY = 6
    RECORDS = 7
    OFFER = 8
    SETTLED = 9
    SMD_PROPOSE = 10
    SMD_COMMIT = 11
    SMD_MERGE = 12


def named(name: str, payload: bytes) -> bytes:
    """Put a name (of a namespace, of a node) before a payload."""
    raw = name.encode()
    return bytes([len(raw)]) + raw + payload


def unnamed(payload: bytes) -> tuple[str, bytes]:
    """Undo ``named``."""
    end = payload[0] + 1
    return payload[1:end].decode(), payload[end:]


class NoAnswerError(Exception):
    """The peer went away or did not answer in time."""


class _FrameProtocol(asyncio.Protocol):
    """Cuts a stream into frames and gathers what is sent in one turn of the loop into one write."""

    def __init__(self, on_frame: Callable[[_FrameProtocol, int, int, bytes], None]) -> None:
        self._on_frame = on_frame
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._in = b""
        self._loop = asyncio.get_running_loop()
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows asyncio's base class
        self._transport = transport
        if self._out:
            self._loop.call_soon(self._flush)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.closed = True
        self._transport = None

    def data_received(self, data: bytes) -> None:
        buffer = self._in + data if self._in else data
        at, end = 0, len(buffer)
        while end - at >= _FRAME.size:
            size, kind, number = _FRAME.unpack_from(buffer, at)
            if end - at - _FRAME.size < size:
                break
            at += _FRAME.size
            self._on_frame(self, kind, number, buffer[at : at + size])
            at += size
        self._in = buffer[at:]

    def send(self, kind: int, number: int, payload: bytes) -> None:
        if not self._out and self._transport is not None:
            self._loop.call_soon(self._flush)
        self._out += (_FRAME.pack(len(payload), kind, number), payload)

    def _flush(self) -> None:
        if self._transport is not None and self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Fabric:
    """All links of one node. Requests go over links we opened; answers come back on the same link."""

    def __init__(self) -> None:
        """Start without peers."""
        self.handlers: dict[int, Callable[[bytes, Callable[[bytes], None]], None]] = {}
        self._links: dict[str, _FrameProtocol] = {}
        self._addresses: dict[str, tuple[str, int]] = {}
        self._pending: dict[int, tuple[str, float, Callable[[bytes | None], None]]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen, and watch for requests without an answer."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _FrameProtocol(self._serve), host, port, reuse_address=True)
        self._keep(self._sweep())

    @property
    def in_progress(self) -> int:
        """Requests that wait for an answer."""
        return len(self._pending)

    def set_peer(self, peer: str, address: tuple[str, int]) -> None:
        """Learn where a peer listens, and connect to it."""
        link = self._links.get(peer)
        if self._addresses.get(peer) == address and link is not None and not link.closed:
            return
        self._addresses[peer] = address
        self._connect(peer)

    def drop_peer(self, peer: str) -> None:
        """Forget a peer; whatever waits for it gets no answer."""
        self._addresses.pop(peer, None)
        if link := self._links.pop(peer, None):
            link.abort()
        for number, (waiting, _, done) in list(self._pending.items()):
            if waiting == peer:
                del self._pending[number]
                done(None)

    def call(
        self,
        peer: str,
        kind: Kind,
        payload: bytes,
        done: Callable[[bytes | None], None],
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Ask a peer; ``done`` gets the answer, or ``None`` when there was none in time."""
        number = next(self._numbers) & 0xFFFFFFFF
        self._pending[number] = (peer, asyncio.get_running_loop().time() + timeout_s, done)
        link = self._links.get(peer)
        if link is None or link.closed:
            if peer not in self._addresses:
                del self._pending[number]
                done(None)
                return
            link = self._connect(peer)
        link.send(kind, number, payload)

    async def ask(self, peer: str, kind: Kind, payload: bytes, *, timeout_s: float = TIMEOUT_S) -> bytes:
        """Ask a peer and wait.

        Raises:
            NoAnswerError: it went away or was too slow.

        """
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

        def done(answer: bytes | None) -> None:
            if not future.done():
                future.set_result(answer)

        self.call(peer, kind, payload, done, timeout_s=timeout_s)
        answer = await future
        if answer is None:
            raise NoAnswerError(peer)
        return answer

    def _connect(self, peer: str) -> _FrameProtocol:
        link = self._links[peer] = _FrameProtocol(self._answered)
        self._keep(self._dial(peer, link))
        return link

    async def _dial(self, peer: str, link: _FrameProtocol) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: link, *self._addresses[peer])
        except (OSError, KeyError):
            link.closed = True

    def _answered(self, _link: _FrameProtocol, _kind: int, number: int, payload: bytes) -> None:
        if entry := self._pending.pop(number, None):
            entry[2](payload)

    def _serve(self, link: _FrameProtocol, kind: int, number: int, payload: bytes) -> None:
        self.handlers[kind](payload, lambda answer: link.send(kind | _REPLY, number, answer))

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = loop.time()
            for number, (_, deadline, done) in list(self._pending.items()):
                if deadline < now and number in self._pending:
                    del self._pending[number]
                    done(None)

    def _keep(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop listening and cut every link."""
        if self._server is not None:
            self._server.close()
        for link in self._links.values():
            link.abort()
        for task in list(self._tasks):
            task.cancel()
