"""Clusters for tests: a few nodes with one file and one raw namespace, or with any conf a test needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from aerokeep_node.info import InfoConnection

from sandbox.cluster import FILE_DEVICE, MOUNT_POINT, RAW_DEVICES, lay_out
from sandbox.database import Layout, Server, start_server
from sandbox.dataplane.directory_mode import DirectoryPlane
from sandbox.dataplane.plane import TRUE_CLOCK, NodeClock
from sandbox.region import Node, Region, VolumeSpec

PORT = 3000
Change = Callable[[str], str]


@dataclass
class Addresses:
    """Hands out each private address of a plane once."""

    plane: DirectoryPlane
    _given: int = 0

    def next(self) -> str:
        """Give the next address."""
        self._given += 1
        return self.plane.node_ip(self._given - 1)


@dataclass
class SmallCluster:
    """Nodes by instance id, with their servers."""

    nodes: dict[str, Node] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """The instance ids in order of launch."""
        return list(self.nodes)

    def ask(self, instance_id: str, command: str) -> str:
        """Ask one server by the info protocol."""
        connection = InfoConnection(self.nodes[instance_id].private_ip, PORT)
        try:
            return connection.ask(command)
        finally:
            connection.close()

    def wait_ready(self) -> None:
        """Wait until every server serves."""
        for server in self.servers:
            server.wait_ready()


def launch_small(
    region: Region,
    plane: DirectoryPlane,
    addresses: Addresses,
    *,
    tag: tuple[str, str],
    clocks: Sequence[NodeClock] = (TRUE_CLOCK,),
    conf: Callable[[str, str], str] | None = None,
) -> SmallCluster:
    """Launch one node per clock and start their servers, without waiting for them.

    Args:
        region: where.
        plane: its data plane.
        addresses: where private addresses come from.
        tag: what selects the nodes.
        clocks: one for each node.
        conf: changes a node's ``aerospike.conf``; called with the instance id and the usual text.

    """
    ips = [addresses.next() for _ in clocks]
    cluster = SmallCluster()
    for number, (ip, clock) in enumerate(zip(ips, clocks, strict=True), start=1):
        volumes = [VolumeSpec(device=device, size_gib=4) for device in (FILE_DEVICE, *RAW_DEVICES)]
        node = region.launch_node(f"{tag[1]}-{number}", ip, volumes=volumes, tags={tag[0]: tag[1]}, clock=clock)
        cluster.nodes[node.instance_id] = node
        layout = _layout(plane, node.instance_id, number=number, ip=ip, seeds=ips)
        change = None if conf is None else _of_node(conf, node.instance_id)
        cluster.servers.append(start_server(plane, node.instance_id, layout, change=change))
    return cluster


def _of_node(conf: Callable[[str, str], str], instance_id: str) -> Change:
    return lambda text: conf(instance_id, text)


def launch_bare(region: Region, addresses: Addresses, *, tag: tuple[str, str]) -> Node:
    """Launch an instance on which no server runs."""
    return region.launch_node(f"{tag[1]}-1", addresses.next(), tags={tag[0]: tag[1]})


def _layout(plane: DirectoryPlane, instance_id: str, *, number: int, ip: str, seeds: Sequence[str]) -> Layout:
    seen = plane.seen_as(instance_id)
    data = plane.format_and_mount(instance_id, FILE_DEVICE, f"{seen}/{MOUNT_POINT}")
    layout = lay_out(plane, instance_id, node_id=f"a{number}", private_ip=ip, seeds=seeds)
    return replace(layout, data_file=f"{data}/test.dat")
