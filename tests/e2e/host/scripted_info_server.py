"""A small info server on loopback for tests of the host program, with settings and scripted misbehaviour."""

import socket
import socketserver
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

HEADER = struct.Struct(">Q")
LENGTH_MASK = (1 << 48) - 1
STORAGE = "storage-engine=device;storage-engine.file[0]={path};storage-engine.commit-to-device=false"


@dataclass
class ScriptedNamespace:
    """Settings and statistics as a real server lists them."""

    path: str
    settings: dict[str, str] = field(
        default_factory=lambda: {
            "reject-non-xdr-writes": "false",
            "reject-xdr-writes": "false",
            "replication-factor": "2",
            "storage-engine.flush-max-ms": "1000",
        }
    )
    statistics: dict[str, int] = field(
        default_factory=lambda: {
            "objects": 10,
            "master_objects": 5,
            "client_write_success": 100,
            "storage-engine.file[0].write_q": 0,
            "storage-engine.file[0].writes": 7,
            "storage-engine.file[0].partial_writes": 3,
        }
    )


class ScriptedInfoServer:
    """Answers like 8.1.2; every ``set-config`` is logged with the instant at which it took effect."""

    def __init__(self, namespaces: dict[str, ScriptedNamespace]) -> None:
        self.namespaces = namespaces
        self.applied: list[tuple[float, str, str, str]] = []
        self.before_set: Callable[[str, str, str], str | None] = lambda *_: None
        """May sleep; gives a reply to be sent instead of obeying, "drop" closes the connection."""
        self.answer_always: str | None = None
        self.instead: Callable[[socket.socket, str], bool] = lambda *_: False
        """Sends what it likes instead of an answer, and says whether it did."""
        self.tls: ssl.SSLContext | None = None
        """Offer TLS alone."""
        self.answers: dict[str, str] = {
            "build": "8.1.2.0",
            "edition": "Aerospike Community Edition",
            "node": "A1",
            "cluster-name": "demo",
            "peers-clear-std": "2,3000,[[A2,,[10.77.0.3:3000]],[A3,,[10.77.0.4:3000]]]",
            "smd-info": "smd:n_pending_sets=0,n_events=0",
            "get-config:context=service": "cluster-name=demo;node-id=A1",
            "statistics": "cluster_size=3;cluster_key=AF52D311FF86;uptime=119;migrate_partitions_remaining=0"
            ";rw_in_progress=0;proxy_in_progress=0",
        }
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                if server.tls is None:
                    server.serve(self.request)
                    return
                try:
                    with server.tls.wrap_socket(self.request, server_side=True) as secured:
                        server.serve(secured)
                except OSError:
                    return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            request_queue_size = 128
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def serve(self, connection: socket.socket) -> None:
        try:
            while True:
                (head,) = HEADER.unpack(self._exactly(connection, HEADER.size))
                command = self._exactly(connection, head & LENGTH_MASK).decode().rstrip("\n")
                if self.instead(connection, command):
                    continue
                value = self.answer(command)
                if value == "drop":
                    return
                body = f"{command}\t{value}\n".encode()
                connection.sendall(HEADER.pack((2 << 56) | (1 << 48) | len(body)) + body)
        except OSError:
            return

    @staticmethod
    def _exactly(connection: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = connection.recv(size - len(data))
            if not chunk:
                raise ConnectionResetError
            data += chunk
        return data

    def answer(self, command: str) -> str:
        fixed = self.answer_always or self.answers.get(command)
        if fixed is not None:
            return fixed
        if command == "namespaces":
            return ";".join(self.namespaces)
        if command.startswith("namespace/"):
            namespace = self.namespaces[command.split("/")[1]]
            return ";".join(f"{key}={value}" for key, value in namespace.statistics.items())
        arguments = dict(part.split("=", 1) for part in command.split(":", 1)[-1].split(";") if "=" in part)
        if command.startswith("get-config:context=namespace;id="):
            namespace = self.namespaces[arguments["id"]]
            pairs = [f"{key}={value}" for key, value in namespace.settings.items()]
            return ";".join([*pairs, STORAGE.format(path=namespace.path)])
        if command.startswith("set-config:context=namespace;id="):
            setting = next(key for key in arguments if key not in ("context", "id"))
            return self._set(arguments["id"], setting, arguments[setting])
        return "ERROR:4:unrecognized command"

    def _set(self, name: str, setting: str, value: str) -> str:
        instead = self.before_set(name, setting, value)
        if instead is not None:
            return instead
        settings = self.namespaces[name].settings
        settings[setting if setting in settings else f"storage-engine.{setting}"] = value
        self.applied.append((time.time(), name, setting, value))
        return "ok"
