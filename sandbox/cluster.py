"""An Aerospike cluster on instances of the sandbox, and what its operator and its clients do with it."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aerokeep_node.info import InfoConnection, InfoError, InfoSilenceError

from sandbox.database import LOG, REPOSITORY, UNIT, Layout, Server, start_server
from sandbox.dataplane.plane import TRUE_CLOCK, DataPlane, NodeClock
from sandbox.region import nodes
from sandbox.region.nodes import Node, VolumeSpec
from sandbox.region.region import Region

FILE_DEVICE = "/dev/sdf"
RAW_DEVICES = ("/dev/sdg", "/dev/sdh")
MOUNT_POINT = "/opt/aerospike/data"
VOLUME_GIB = 12
"""A GiB of EBS is ``Pace.gib_bytes`` in the sandbox (16 MiB): 192 MiB for a file of 128 MiB and its filesystem."""
NAMESPACES = ("test", "raw")
PORT = 3000
PATIENCE_S = 120.0
POLL_S = 0.2


@dataclass(frozen=True)
class Member:
    """One node of the cluster."""

    node_id: str
    node: Node
    server: Server


@dataclass
class Cluster:
    """What was started, by instance id."""

    region: Region
    plane: DataPlane
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def seeds(self) -> str:
        """Seeds as the witness takes them."""
        return ",".join(f"{member.node.private_ip}:{PORT}" for member in self.members.values())

    def member(self, node_id: str) -> Member:
        """The member of a node id.

        Raises:
            LookupError: there is none.

        """
        for member in self.members.values():
            if member.node_id == node_id:
                return member
        raise LookupError(f"no member {node_id}")

    def find_again(self) -> None:
        """Take up the instances that have the members' addresses now; a member that has none stays as it was."""
        found: dict[str, Member] = {}
        for instance_id, member in self.members.items():
            try:
                node = nodes.find(self.region, member.node.private_ip)
            except LookupError:
                found[instance_id] = member
            else:
                found[node.instance_id] = Member(member.node_id, node, Server(self.plane, node.instance_id))
        self.members = found

    def learn_ids(self) -> None:
        """Ask the servers for their node ids."""
        for instance_id, member in list(self.members.items()):
            self.members[instance_id] = replace(member, node_id=self.ask(member.node_id, "node"))

    # -- what an operator does -----------------------------------------------------------------------------------

    def ask(self, node_id: str, command: str, *, timeout_s: float = 5.0) -> str:
        """Ask a member by the info protocol.

        Raises:
            InfoError: it answers an error.
            InfoSilenceError: it does not answer.

        """
        connection = InfoConnection(self.member(node_id).node.private_ip, PORT)
        with self.plane.client_network():
            connection.open()
        try:
            return connection.ask(command, timeout_s)
        finally:
            connection.close()

    def statistics(self, node_id: str) -> dict[str, str]:
        """A member's ``statistics``."""
        return dict(pair.partition("=")[::2] for pair in self.ask(node_id, "statistics").split(";"))

    def is_settled(self, size: int) -> bool:
        """Whether that many members answer, as one cluster in which nothing migrates."""
        keys = []
        for member in self.members.values():
            try:
                keys.append(self.ask(member.node_id, f"cluster-stable:size={size};ignore-migrations=false"))
            except (InfoError, InfoSilenceError):
                continue
        return len(keys) == size and len(set(keys)) == 1

    def wait_settled(self, size: int | None = None) -> None:
        """Wait until so many members (all of them) are one cluster in which nothing migrates."""
        wanted = size or len(self.members)
        _until(lambda: self.is_settled(wanted), f"no settled cluster of {wanted}")

    def truncate(self, namespace: str, set_name: str) -> None:
        """Truncate a set."""
        member = next(iter(self.members.values()))
        self.ask(member.node_id, f"truncate:namespace={namespace};set={set_name}")

    def stop(self) -> None:
        """Stop the servers of all instances that have power."""
        powered = [m.server for m in self.members.values() if self.region.mirror.is_on(m.node.instance_id)]
        stop_servers(powered)

    # -- what a client does --------------------------------------------------------------------------------------

    def put(self, namespace: str, set_name: str, count: int, *, value: int = 0, wait_s: float = 30.0) -> None:
        """Put ``count`` records into a set; what fails is tried again for ``wait_s``.

        Raises:
            RuntimeError: it goes on failing.

        """
        self._records("put", namespace, set_name, count, "--value", str(value), "--wait", str(wait_s))

    def delete(self, namespace: str, set_name: str, count: int) -> None:
        """Delete the first ``count`` records of a set (those that `put` has made)."""
        self._records("delete", namespace, set_name, count)

    def count(self, namespace: str, set_name: str, count: int) -> int:
        """Count how many of the first ``count`` records of a set are there."""
        return int(self._records("count", namespace, set_name, count))

    def _records(self, verb: str, namespace: str, set_name: str, count: int, *more: str) -> str:
        argv = ["sandbox.records", verb, "--seeds", self.seeds, "--namespace", namespace, "--set", set_name]
        return run_client(self.plane, [*argv, "--count", str(count), *more])


@dataclass(frozen=True, kw_only=True)
class Build:
    """How the nodes of a cluster are made."""

    profile: str = "aerokeep-node"
    security_group: str | None = None
    test_on_device: bool = False
    """Keep ``test`` on a raw device instead of in a file: for planes that can't mount."""
    explicit_ids: bool = True
    """Name node ids (A1, A2 …) in the confs; otherwise servers take them from their interfaces."""


def launch(
    region: Region,
    plane: DataPlane,
    *,
    tag: tuple[str, str],
    clocks: Sequence[NodeClock] = (TRUE_CLOCK, TRUE_CLOCK, TRUE_CLOCK),
    build: Build | None = None,
    first_address: int = 0,
) -> Cluster:
    """Launch one instance per clock, give each its volumes, and start the servers as one cluster."""
    how = build or Build()
    ips = [plane.node_ip(first_address + index) for index in range(len(clocks))]
    started = []
    for number, (ip, clock) in enumerate(zip(ips, clocks, strict=True), start=1):
        node = region.launch_node(
            f"{tag[1]}-a{number}",
            ip,
            volumes=[VolumeSpec(device=device, size_gib=VOLUME_GIB) for device in (FILE_DEVICE, *RAW_DEVICES)],
            tags={tag[0]: tag[1]},
            profile=how.profile,
            security_group=how.security_group,
            clock=clock,
        )
        layout = _layout(plane, node, how, node_id=f"a{number}", seeds=ips)
        started.append((f"A{number}", node, start_server(plane, node.instance_id, layout)))
    cluster = Cluster(region, plane)
    for node_id, node, server in started:
        server.wait_ready()
        cluster.members[node.instance_id] = Member(node_id, node, server)
    if not how.explicit_ids:
        cluster.learn_ids()
    _create_index(plane, cluster.seeds)
    return cluster


def _layout(plane: DataPlane, node: Node, how: Build, *, node_id: str, seeds: Sequence[str]) -> Layout:
    given = node_id if how.explicit_ids else None
    if how.test_on_device:
        device = plane.device_path(node.instance_id, FILE_DEVICE)
        made = lay_out(plane, node.instance_id, node_id=given, private_ip=node.private_ip, seeds=seeds)
        return replace(made, data_device=device)
    made = prepare(plane, node.instance_id, node_id=node_id, private_ip=node.private_ip, seeds=seeds)
    return replace(made, node_id=given)


def _create_index(plane: DataPlane, seeds: str) -> None:
    """Without any metadata a backup of it would prove nothing."""
    argv = ["sandbox.schema", "--seeds", seeds, "--namespace", NAMESPACES[0], "--set", "witness", "--bin", "n"]
    run_client(plane, argv)


def run_client(plane: DataPlane, argv: Sequence[str], *, timeout_s: float = 120.0) -> str:
    """Run a Python module where the nodes can be reached → what it printed.

    Raises:
        RuntimeError: it failed; with what it said.

    """
    process = plane.spawn_client(
        [sys.executable, "-m", *argv], cwd=str(REPOSITORY), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, words = process.communicate(timeout=timeout_s)
    if process.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed: {words.decode()[-1000:]}")
    return out.decode()


def _until(question: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not question():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{otherwise} within {PATIENCE_S:g} s")
        time.sleep(POLL_S)


def prepare(
    plane: DataPlane, instance_id: str, *, node_id: str, private_ip: str, seeds: Sequence[str], blank: bool = True
) -> Layout:
    """Mount the file device (``blank`` formats it) and say where everything is."""
    data = plane.format_and_mount(instance_id, FILE_DEVICE, MOUNT_POINT, format=blank)
    made = lay_out(plane, instance_id, node_id=node_id, private_ip=private_ip, seeds=seeds)
    return replace(made, data_file=f"{data}/test.dat")


def lay_out(
    plane: DataPlane, instance_id: str, *, node_id: str | None, private_ip: str, seeds: Sequence[str]
) -> Layout:
    """Say where everything is of a node whose file lies on its root volume."""
    seen = plane.seen_as(instance_id)
    return Layout(
        node_id=node_id,
        private_ip=private_ip,
        data_file=f"{seen}/test.dat",
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
