"""A cluster of three nodes on the data plane alone, which a witness writes to."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox.cluster import NAMESPACES
from sandbox.dataplane.plane import DataPlane
from sandbox.writer import Writer
from tests.plane_nodes import Node, Result, eventually, start_node

RATE_PER_S = 600
FLUSHED_BY_ITSELF_S = 1.5
"""A server's buffers are empty so long after the last write (measured)."""


@dataclass
class ThreeNodes:
    """The cluster."""

    plane: DataPlane
    nodes: list[Node]
    _serial: Iterator[int] = field(default_factory=itertools.count)

    @property
    def seeds(self) -> str:
        """Seeds as the witness takes them."""
        return ",".join(f"{node.private_ip}:3000" for node in self.nodes)

    @contextmanager
    def written_to(self) -> Iterator[Writer]:
        """Let the witness write meanwhile; its ledger is complete afterwards."""
        ledger = self.plane.workdir / f"witness-{next(self._serial)}.ledger"
        writer = Writer(self.plane, seeds=self.seeds, namespaces=NAMESPACES, rate=RATE_PER_S, ledger=ledger)
        try:
            writer.wait_for_load(2.0)
            yield writer
        finally:
            writer.stop()

    def states(self) -> list[Result]:
        """What a write stop must leave as it was, node by node."""
        return [node.state() for node in self.nodes]


def start_cluster(plane: DataPlane, *, data_on_root: bool) -> ThreeNodes:
    """Start three nodes with their volumes and servers as one cluster."""
    ips = [plane.node_ip(index) for index in range(3)]
    nodes = [
        start_node(plane, node_id=f"a{number}", private_ip=ip, seeds=ips, data_on_root=data_on_root)
        for number, ip in enumerate(ips, start=1)
    ]
    for node in nodes:
        node.server.wait_ready()
    eventually(lambda: all(node.is_settled(3) for node in nodes), "one cluster")
    return ThreeNodes(plane, nodes)
