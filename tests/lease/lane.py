"""A node of its own with a client on it, and the cable that connects both with the rest of the world."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.cluster import NAMESPACES, PORT
from sandbox.dataplane.directory_mode import DirectoryPlane
from sandbox.dataplane.plane import DataPlane, NodeClock
from sandbox.dataplane.probe import probe
from sandbox.writer import Writer
from tests.plane_nodes import Node, eventually, start_node

RATE_PER_S = 120
LOAD_S = 0.5
SILENT_ADDRESS = 200
_PEER = re.compile(r"eth0@if(\d+)")


class Lane:
    """One node."""

    def __init__(self, plane: DataPlane, number: int) -> None:
        ip, clock = plane.node_ip(number), NodeClock(offset_s=0.01) if probe().clocks else NodeClock()
        self.plane, self.whole = plane, not isinstance(plane, DirectoryPlane)
        self.node: Node = start_node(plane, node_id=f"b{number}", private_ip=ip, seeds=[ip], clock=clock)
        self.node.server.wait_ready()
        eventually(lambda: self.node.is_settled(1), "a cluster of one")

    @property
    def freeze(self) -> str:
        """What a write stop freezes here."""
        return "/opt/aerospike/data" if self.whole else "none"

    @property
    def silent_url(self) -> str:
        """Where the word to let go would be, and where nobody answers."""
        return f"http://{self.plane.node_ip(SILENT_ADDRESS)}/word"

    def set_clock(self, offset_s: float) -> None:
        """Set the node's clock, and let its chronyc know."""
        if probe().clocks:
            self.plane.set_clock(self.node.instance_id, NodeClock(offset_s=offset_s))

    @contextmanager
    def written_to(self, name: str) -> Iterator[Writer]:
        """A client on the node writes meanwhile; its ledger is complete afterwards."""
        ledger = self.plane.shared / f"{name}.ledger"
        writer = Writer(
            self.plane,
            seeds=f"{self.node.private_ip}:{PORT}",
            namespaces=NAMESPACES,
            rate=RATE_PER_S,
            ledger=ledger,
            node=self.node.instance_id,
        )
        try:
            writer.wait_for_load(LOAD_S)
            yield writer
        finally:
            writer.stop()

    def unplug(self) -> None:
        """Pull the cable: from now on nobody outside reaches the node, nor it anybody."""
        self._cable("down")

    def plug(self) -> None:
        """Put it back."""
        self._cable("up")

    def _cable(self, state: str) -> None:
        if not self.whole:
            return  # nodes share the machine's network there
        _, told = self.node.shell("ip -o link show eth0")
        found = _PEER.search(told)
        assert found, told
        links = self._in_hub("ip", "-o", "link")
        port = next(line.split()[1].partition("@")[0] for line in links.splitlines() if line.startswith(f"{found[1]}:"))
        self._in_hub("ip", "link", "set", port, state)

    def _in_hub(self, *argv: str) -> str:
        process = self.plane.spawn_client(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        words, _ = process.communicate(timeout=30)
        assert process.returncode == 0, words.decode()
        return words.decode()
