"""Carry TCP from 127.0.0.1:port inside each node to 127.0.0.1:port of the machine."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from sandbox.dataplane.kernel import network_namespace

_CHUNK_BYTES = 1 << 16
_T = TypeVar("_T")


class Relay:
    """One thread with an event loop for all nodes and ports.

    The listening sockets are made inside the nodes' network namespaces and served from here: no process of ours
    is needed in a node, and none can be left there.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="aerokeep-relay", daemon=True)
        self._thread.start()

    def open(self, instance_id: str, pid: int, port: int) -> None:
        """Listen on 127.0.0.1:port in the network namespace of ``pid``."""
        with network_namespace(pid):
            listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._servers[instance_id, port] = self._do(self._serve(listener, port))

    async def _serve(self, listener: socket.socket, port: int) -> asyncio.Server:
        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101  # this is a coroutine of a running loop
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await _carry(reader, writer, port)

        return await asyncio.start_server(carry, sock=listener)

    def forget(self, instance_id: str) -> None:
        """Stop listening in a node that is no more."""
        for key in [key for key in self._servers if key[0] == instance_id]:
            self._do(_stop(self._servers.pop(key)))

    def close(self) -> None:
        """Stop everything."""
        if self._loop.is_closed():
            return
        for instance_id, _ in list(self._servers):
            self.forget(instance_id)
        self._do(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _stop(server: asyncio.Server) -> None:
    server.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    with contextlib.suppress(OSError):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()  # the machine's port does not answer: the caller sees its connection end
            return
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.close()
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
