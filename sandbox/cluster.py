"""An Aerospike cluster on instances of the sandbox: one namespace in a file, one on two raw devices of each node."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.database import LOG, REPOSITORY, UNIT, Layout, Server, start_server
from sandbox.dataplane.plane import TRUE_CLOCK, DataPlane, NodeClock
from sandbox.region.nodes import Node, VolumeSpec
from sandbox.region.region import Region

FILE_DEVICE = "/dev/sdf"
RAW_DEVICES = ("/dev/sdg", "/dev/sdh")
MOUNT_POINT = "/opt/aerospike/data"
VOLUME_GIB = 12
"""A GiB of EBS is ``Pace.gib_bytes`` in the sandbox (16 MiB): 192 MiB for a file of 128 MiB and its filesystem."""
NAMESPACES = ("test", "raw")


@dataclass(frozen=True)
class Member:
    """One node of the cluster."""

    node_id: str
    node: Node
    server: Server


@dataclass
class Cluster:
    """What was started, by instance id."""

    members: dict[str, Member] = field(default_factory=dict)

    @property
    def seeds(self) -> str:
        """Seeds as the witness takes them."""
        return ",".join(f"{member.node.private_ip}:3000" for member in self.members.values())


def launch(
    region: Region,
    plane: DataPlane,
    *,
    tag: tuple[str, str],
    clocks: Sequence[NodeClock] = (TRUE_CLOCK, TRUE_CLOCK, TRUE_CLOCK),
) -> Cluster:
    """Launch one instance per clock, give each its volumes, and start the servers as one cluster."""
    ips = [plane.node_ip(index) for index in range(len(clocks))]
    cluster = Cluster()
    for index, clock in enumerate(clocks):
        volumes = [VolumeSpec(device=device, size_gib=VOLUME_GIB) for device in (FILE_DEVICE, *RAW_DEVICES)]
        node = region.launch_node(
            f"demo-a{index + 1}",
            ips[index],
            volumes=volumes,
            tags={tag[0]: tag[1]},
            profile="aerokeep-node",
            clock=clock,
        )
        layout = prepare(plane, node.instance_id, node_id=f"a{index + 1}", private_ip=ips[index], seeds=ips)
        server = start_server(plane, node.instance_id, layout)
        cluster.members[node.instance_id] = Member(node_id=f"A{index + 1}", node=node, server=server)
    for member in cluster.members.values():
        member.server.wait_ready()
    _create_index(plane, cluster.seeds)
    return cluster


def _create_index(plane: DataPlane, seeds: str) -> None:
    """Without any metadata a backup of it would prove nothing."""
    argv = [sys.executable, "-m", "sandbox.schema", "--seeds", seeds]
    argv += ["--namespace", NAMESPACES[0], "--set", "witness", "--bin", "n"]
    process = plane.spawn_client(argv, cwd=str(REPOSITORY), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    words, _ = process.communicate(timeout=60)
    if process.returncode != 0:
        raise RuntimeError(f"no index was made: {words.decode()[-1000:]}")


def prepare(
    plane: DataPlane, instance_id: str, *, node_id: str, private_ip: str, seeds: Sequence[str], blank: bool = True
) -> Layout:
    """Mount the file device (``blank`` formats it) and say where everything is."""
    seen = plane.seen_as(instance_id)
    data = plane.format_and_mount(instance_id, FILE_DEVICE, MOUNT_POINT, format=blank)
    return Layout(
        node_id=node_id,
        private_ip=private_ip,
        data_file=f"{data}/test.dat",
        raw_devices=tuple(plane.device_path(instance_id, device) for device in RAW_DEVICES),
        work_directory=seen,
        log_file=f"{seen}/{LOG}",
        seeds=tuple(seeds),
    )


def stop_servers(servers: Mapping[str, Server] | Sequence[Server]) -> None:
    """Ask the servers to end as an operator does, and wait for it."""
    running = list(servers.values()) if isinstance(servers, Mapping) else list(servers)
    for server in running:
        server.systemctl("stop", "--no-block", UNIT)
    for server in running:
        server.stop()
