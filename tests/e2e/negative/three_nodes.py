"""A cluster of three nodes on the data plane alone, and what a controller does to it, without AWS."""

import itertools
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aerokeep_node.info import InfoConnection, InfoError

from sandbox.cluster import FILE_DEVICE, MOUNT_POINT, NAMESPACES, RAW_DEVICES, lay_out, prepare
from sandbox.database import REPOSITORY, Layout, Server, start_server
from sandbox.dataplane.kernel import network_namespace
from sandbox.dataplane.plane import DataPlane
from sandbox.proof import NodeCopy, VolumeCopy
from sandbox.region.documents import check_parameters, script_of
from sandbox.writer import Writer

DOCUMENTS = REPOSITORY / "build/node/documents"
ROOT_DEVICE = "/dev/sda1"
ROOT_BYTES = 384 << 20
VOLUME_BYTES = 192 << 20
"""Room for a file of 128 MiB and its filesystem."""
RATE_PER_S = 600
LEAD_S = 4.0
"""Time for three documents to arm beside each other, also on a busy machine."""
FLUSHED_BY_ITSELF_S = 1.5
"""A server's buffers are empty so long after the last write (measured)."""

Result = dict[str, Any]


@dataclass(frozen=True)
class Cut:
    """The cut of one node, its instants by the machine's clock, which all nodes share here."""

    copy: NodeCopy
    requested_at: float
    responded_at: float


@dataclass
class Node:
    """One node, driven as SSM and an operator at its shell would."""

    plane: DataPlane
    instance_id: str
    private_ip: str
    node_id: str
    volumes: Mapping[str, str]
    """Device → volume id; the root volume is among them."""
    server: Server
    _serial: Iterator[int] = field(default_factory=itertools.count)

    @property
    def root(self) -> Path:
        """The node's root as the machine reaches it."""
        return self.plane.host_dir(self.instance_id).parents[1]

    def deliver(
        self, verb: str, parameters: Mapping[str, str], *, path: str | None = None
    ) -> "subprocess.Popen[bytes]":
        """Run a verb's document as the SSM agent does, without waiting; ``path`` comes first on the PATH."""
        content = json.loads((DOCUMENTS / f"{verb}.json").read_text())
        script = script_of(content, check_parameters(content, {name: [value] for name, value in parameters.items()}))
        file = self.root / "run" / f"document-{next(self._serial)}.sh"
        file.write_text(script.text)
        env = dict(script.environment)
        if path is not None:
            env["PATH"] = f"{path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        argv, pipe = ["sh", f"/run/{file.name}"], subprocess.PIPE
        return self.plane.spawn(self.instance_id, argv, env=env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)

    def call(self, verb: str, **parameters: str) -> tuple[int, Result]:
        """Run a verb's document to its end → exit code and result."""
        return ended(self.deliver(verb, parameters))

    def shell(self, script: str) -> tuple[int, str]:
        """Run a line of shell on the node → exit code and what it said."""
        process = self.plane.spawn(
            self.instance_id, ["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        out, _ = process.communicate(timeout=60)
        return process.returncode, out.decode()

    def info(self, command: str) -> str:
        """Ask the server from within the node's network."""
        pid = int(self.root.parts[2])  # /proc/<pid>/root
        with network_namespace(pid):
            connection = InfoConnection(self.private_ip, 3000)
            connection.open()
        try:
            return connection.ask(command, 10.0)
        finally:
            connection.close()

    def is_settled(self) -> bool:
        """Whether the server sees all three nodes and has nothing to migrate."""
        try:
            self.info("cluster-stable:size=3")
        except InfoError:
            return False
        return True

    def settings(self, namespace: str) -> dict[str, str]:
        """Read a namespace's run-time configuration."""
        reply = self.info(f"get-config:context=namespace;id={namespace}")
        return dict(pair.partition("=")[::2] for pair in reply.split(";"))

    def set_guard(self, *, on: bool) -> None:
        """Set or lift the guard by hand, in every namespace."""
        for namespace in NAMESPACES:
            command = f"set-config:context=namespace;id={namespace};reject-non-xdr-writes={str(on).lower()}"
            assert self.info(command) == "ok"

    def freeze(self, mount_point: str) -> None:
        """Freeze by hand."""
        code, words = self.shell(f"fsfreeze -f {mount_point}")
        assert code == 0, words

    def thaw(self, mount_point: str) -> bool:
        """Thaw by hand → whether it was frozen."""
        code, words = self.shell(f"fsfreeze -u {mount_point}")
        assert code == 0 or "Invalid argument" in words, words
        return code == 0

    def changes_done(self, *words: str) -> int:
        """Count the changes of settings that the server carried out, by its own log."""
        lines = self.server.log.read_text().splitlines()
        return sum("config-set command completed" in line and all(word in line for word in words) for line in lines)

    def mounts(self) -> str:
        """What is mounted on the node."""
        return self.shell("cat /proc/self/mountinfo")[1]

    def state(self) -> Result:
        """Everything that a write stop touches and must leave as it was."""
        return {"settings": {name: self.settings(name) for name in NAMESPACES}, "mounts": self.mounts()}

    def run_directory(self, run: str) -> Path:
        """Where the host program keeps a run."""
        return self.root / "run/aerokeep" / run

    def read(self, run: str, name: str) -> Result | None:
        """Read a JSON file of a run; None while there is none."""
        file = self.run_directory(run) / name
        return json.loads(file.read_text()) if file.exists() else None

    def wait_for_state(self, run: str, state: str) -> None:
        """Wait until the lease's intent says so."""
        eventually(lambda: (self.read(run, "intent.json") or {}).get("state") == state, f"{self.node_id} {state}")

    def evidence(self, run: str) -> Result:
        """Wait for the evidence without asking the host for anything: the lease writes it by itself."""
        eventually(lambda: self.read(run, "evidence.json") is not None, f"evidence of {self.node_id}")
        found = self.read(run, "evidence.json")
        assert found is not None
        return found

    def cut(self, *, with_root: bool = False) -> Cut:
        """Snapshot the node's volumes at one instant."""
        members = {device: volume for device, volume in self.volumes.items() if with_root or device != ROOT_DEVICE}
        snapshots = {volume_id: f"snap-{secrets.token_hex(8)}" for volume_id in members.values()}
        requested_at = time.time()
        self.plane.cut(self.instance_id, snapshots)
        responded_at = time.time()
        copies = [_copy(device, snapshots.get(volume)) for device, volume in self.volumes.items()]
        return Cut(NodeCopy(self.node_id, copies), requested_at, responded_at)


def _copy(device: str, snapshot_id: str | None) -> VolumeCopy:
    return VolumeCopy(device, _size_bytes(device), snapshot_id, root=device == ROOT_DEVICE)


def _size_bytes(device: str) -> int:
    return ROOT_BYTES if device == ROOT_DEVICE else VOLUME_BYTES


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, Result]:
    """Wait for a delivered document → exit code and result."""
    out, words = process.communicate(timeout=90)
    assert out, words.decode()
    return process.returncode, json.loads(out)


def prepare_on_root(
    plane: DataPlane, instance_id: str, *, node_id: str, private_ip: str, seeds: Sequence[str], blank: bool
) -> Layout:
    """Lay a node out with its file-backed namespace on the root filesystem."""
    del blank  # the root volume is formatted when it is first attached
    return lay_out(plane, instance_id, node_id=node_id, private_ip=private_ip, seeds=seeds)


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


def stop_writes(
    nodes: Sequence[Node],
    *,
    run: str,
    lease_s: float,
    lead_s: float = LEAD_S,
    freeze: str = MOUNT_POINT,
    path: str | None = None,
) -> list[tuple[int, Result]]:
    """Deliver stop-writes to nodes, all for the same T0, as the controller does → exit code and result of each."""
    start_at = time.time() + lead_s
    parameters = {
        "Run": run,
        "Token": secrets.token_hex(16),
        "StartAt": f"{start_at:.3f}",
        "EndAt": f"{start_at + lease_s:.3f}",
        "Namespaces": ",".join(NAMESPACES),
        "Freeze": freeze,
        "LetGo": "none",
    }
    return [ended(process) for process in [node.deliver("stop-writes", parameters, path=path) for node in nodes]]


def arm(
    nodes: Sequence[Node], *, run: str, lease_s: float, freeze: str = MOUNT_POINT, path: str | None = None
) -> list[Result]:
    """Arm a write stop on nodes → what each answered."""
    results = stop_writes(nodes, run=run, lease_s=lease_s, freeze=freeze, path=path)
    assert [code for code, _ in results] == [0] * len(nodes), results
    return [result for _, result in results]


def resume(nodes: Sequence[Node], *, run: str) -> list[Result]:
    """End a write stop on nodes → the evidence of each."""
    processes = [node.deliver("resume-writes", {"Run": run, "Tombstone": "no"}) for node in nodes]
    return [ended(process)[1]["evidence"] for process in processes]


def start_cluster(plane: DataPlane, *, data_on_root: bool) -> ThreeNodes:
    """Start three nodes with their volumes and servers as one cluster."""
    ips = [plane.node_ip(index) for index in range(3)]
    devices = [ROOT_DEVICE, *([] if data_on_root else [FILE_DEVICE]), *RAW_DEVICES]
    nodes = []
    for index, ip in enumerate(ips):
        instance_id, node_id = f"i-negative{index + 1}", f"a{index + 1}"
        plane.add_node(instance_id, private_ip=ip)
        volumes = {device: f"vol-{secrets.token_hex(8)}0" for device in devices}
        for device, volume_id in volumes.items():
            plane.create_volume(volume_id, size_bytes=_size_bytes(device))
            plane.attach(volume_id, instance_id, device=device, root=device == ROOT_DEVICE)
        prepared = prepare_on_root if data_on_root else prepare
        layout = prepared(plane, instance_id, node_id=node_id, private_ip=ip, seeds=ips, blank=True)
        server = start_server(plane, instance_id, layout)
        nodes.append(Node(plane, instance_id, ip, node_id, volumes, server))
    for node in nodes:
        node.server.wait_ready()
    eventually(lambda: all(node.is_settled() for node in nodes), "one cluster")
    return ThreeNodes(plane, nodes)


def eventually(condition: Callable[[], bool], what: str, *, timeout_s: float = 60.0) -> None:
    """Wait for a condition, for as long as a loaded machine may need."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.05)
