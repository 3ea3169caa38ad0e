"""Small clusters of the stand-in on loopback addresses, for tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[3]
READY = "service ready: soon there will be cake!"
HEADER = (2 << 56 | 1 << 48).to_bytes(8, "big")

FILES = """
  storage-engine device {{
    file {directory}/{namespace}.dat
    filesize 64M
  }}
"""


CONF = """
service {{
  cluster-name demo
  node-id {node_id}
  work-directory {directory}/work
  {service}
}}
logging {{
  file {log} {{
    context any info
  }}
}}
network {{
  service {{
    address {ip}
    port 3000
    access-address {ip}
  }}
  heartbeat {{
    mode mesh
    address {ip}
    port 3002
{seeds}
    interval 150
    timeout 10
  }}
  fabric {{
    address {ip}
    port 3001
  }}
  admin {{
    address {ip}
    port 3003
  }}
}}
{namespaces}
"""


class StandinNode:
    """One stand-in process and its folder."""

    def __init__(  # noqa: PLR0913 - a conf has that many knobs
        self,
        directory: Path,
        *,
        ip: str,
        node_id: str,
        namespaces: Sequence[str] = ("test",),
        storage: str = FILES,
        seeds: Sequence[str] = (),
        replication_factor: int = 2,
        extra: str = "",
        service: str = "",
    ) -> None:
        """Write the conf.

        ``storage`` may use ``{directory}`` and ``{namespace}``; ``extra`` goes into each namespace block.
        """
        self.directory = directory
        self.ip = ip
        self.node_id = node_id
        self.log = directory / "asd.log"
        self.conf = directory / "aerospike.conf"
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.conf.write_text(
            CONF.format(
                log=self.log,
                directory=directory,
                ip=ip,
                node_id=node_id,
                seeds="\n".join(f"    mesh-seed-address-port {seed} 3002" for seed in seeds),
                service=service,
                namespaces="\n".join(
                    f"namespace {name} {{\n  replication-factor {replication_factor}\n  {extra}\n"
                    f"{storage.format(directory=directory, namespace=name)}}}"
                    for name in namespaces
                ),
            )
        )

    def start(self, *, wait: bool = True, timeout_s: float = 30.0) -> StandinNode:
        """Start the process as the sandbox does, with argv[0] ``asd``."""
        (self.directory / "work").mkdir(exist_ok=True)
        if wait:
            self.log.unlink(missing_ok=True)
        with (self.directory / "stderr").open("wb") as errors:
            self.process = subprocess.Popen(
                executable=sys.executable,
                args=["asd", "-m", "sandbox.standin", "--config-file", str(self.conf)],
                cwd=ROOT,
                stderr=errors,
            )
        if wait:
            self.wait_ready(timeout_s)
        return self

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Wait for the ready line."""
        eventually(lambda: READY in self.log_text(), timeout_s, what=f"{self.node_id} ready")

    def log_text(self) -> str:
        """Return the log so far."""
        return self.log.read_text() if self.log.exists() else ""

    def info(self, command: str, *, timeout_s: float = 5.0) -> str:
        """Ask one info command."""
        with socket.create_connection((self.ip, 3000), timeout_s) as link:
            link.settimeout(timeout_s)
            body = f"{command}\n".encode()
            link.sendall((2 << 56 | 1 << 48 | len(body)).to_bytes(8, "big") + body)
            head = _exactly(link, 8)
            reply = _exactly(link, int.from_bytes(head[2:], "big")).decode()
        return reply.partition("\t")[2].rstrip("\n")

    def fields(self, command: str) -> dict[str, str]:
        """Ask an info command that answers ``a=b;c=d``."""
        return dict(pair.partition("=")[::2] for pair in self.info(command).split(";"))

    def stop(self, *, timeout_s: float = 20.0) -> int:
        """End it cleanly."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout_s)
        self.process = None
        return code

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def a_cluster(directory: Path, *, size: int = 3, subnet: int | None = None, **options: object) -> list[StandinNode]:
    """Start ``size`` nodes on a loopback subnet of their own and wait until they are one cluster."""
    net = (os.getpid() % 250) + 1 if subnet is None else subnet
    ips = [f"127.78.{net}.{10 + index}" for index in range(size)]
    nodes = [
        StandinNode(directory / f"n{index + 1}", ip=ip, node_id=f"A{index + 1}", seeds=ips, **options)  # type: ignore[arg-type] # passed through
        for index, ip in enumerate(ips)
    ]
    try:
        start_all(nodes)
    except BaseException:
        for node in nodes:
            node.kill()
        raise
    return nodes


def start_all(nodes: Sequence[StandinNode]) -> None:
    """Start all nodes and wait until they are settled as one cluster."""
    for node in nodes:
        node.log.unlink(missing_ok=True)
        node.start(wait=False)
    for node in nodes:
        node.wait_ready()
    for node in nodes:
        eventually(lambda n=node: not n.info(f"cluster-stable:size={len(nodes)}").startswith("ERROR"), what="stable")  # type: ignore[misc] # default binds the loop's value


def eventually(condition: Callable[[], bool], timeout_s: float = 20.0, *, what: str = "condition") -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


def _exactly(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = link.recv(count - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data
